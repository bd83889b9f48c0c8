//! Which moments a gap in the WAL costs.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::RecoveryWindow;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;

/// The moments between two windows that no restore reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Behind the last moment that can be restored before the gap; `None` if there is none.
    pub from: Option<DateTime<Utc>>,
    /// Before the first moment that can be restored after it; `None` if there is none, or not yet.
    pub until: Option<DateTime<Utc>>,
}

/// What gaps cost in an archive with certain windows, in an order in which not every gap has to be held
/// against every window.
#[derive(Debug)]
pub struct Losses {
    ways: Vec<Ways>,
    /// Of all windows by their first moment: the latest one that those so far reach.
    reached: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Windows on the living timeline, with segments of one size.
#[derive(Debug)]
struct Ways {
    size: SegmentSize,
    /// By the segment that they end in, rising: the latest moment so far.
    ends: Vec<(SegmentNumber, DateTime<Utc>)>,
    /// By the segment that they begin with, falling: the earliest moment so far.
    begins: Vec<(SegmentNumber, DateTime<Utc>)>,
}

impl Loss {
    pub fn length(&self) -> Option<TimeDelta> {
        Some(self.until?.signed_duration_since(self.from?))
    }
}

impl Losses {
    /// Windows are those of the archive that the gaps are in.
    pub fn of(windows: &[RecoveryWindow]) -> Self {
        let own = windows.iter().filter(|it| !it.is_of_copy);
        let mut reached: Vec<_> = own.map(|it| (it.first.at, it.last.at)).collect();
        reached.sort_unstable();
        let mut ways: Vec<Ways> = Vec::new();
        for window in windows.iter().filter(|it| it.apart_from.is_none() && it.system.is_none()) {
            let size = window.segment_size;
            match ways.iter_mut().find(|it| it.size == size) {
                Some(known) => known.add(window),
                None => {
                    let mut new = Ways { size, ends: Vec::new(), begins: Vec::new() };
                    new.add(window);
                    ways.push(new);
                }
            }
        }
        for Ways { ends, begins, .. } in &mut ways {
            ends.sort_unstable();
            begins.sort_unstable_by(|a, b| b.cmp(a));
            accumulate(ends, DateTime::max);
            accumulate(begins, DateTime::min);
        }
        accumulate(&mut reached, DateTime::max);
        Self { ways, reached }
    }

    pub fn by(&self, gap: &Gap) -> Loss {
        let mut loss = Loss::default();
        for Ways { size, ends, begins } in &self.ways {
            let (Ok(first), Ok(last)) = (gap.first.number(*size), gap.last.number(*size)) else {
                continue;
            };
            loss.from = loss.from.max(up_to(ends, |end| *end < first));
            let until = up_to(begins, |begin| last < *begin);
            loss.until = [loss.until, until].into_iter().flatten().min();
        }
        // Another branch may lead past the gap, and clocks are set back: then nothing is claimed.
        let latest = up_to(&self.reached, |it| loss.until.is_none_or(|until| *it < until));
        let is_reached = latest.is_some_and(|latest| loss.from.is_none_or(|from| from < latest));
        let is_backwards = loss.length().is_some_and(|length| length <= TimeDelta::zero());
        if is_backwards || is_reached { Loss::default() } else { loss }
    }
}

impl Ways {
    fn add(&mut self, window: &RecoveryWindow) {
        let begin = window.path.first().and_then(|it| it.first.number(self.size).ok());
        self.begins.extend(begin.map(|begin| (begin, window.first.at)));
        let end = window.last.segment.number(self.size).ok();
        self.ends.extend(end.map(|end| (end, window.last.at)));
    }
}

/// Lets each know what is best of it and all before.
fn accumulate<K>(
    sorted: &mut [(K, DateTime<Utc>)],
    better: impl Fn(DateTime<Utc>, DateTime<Utc>) -> DateTime<Utc>,
) {
    let mut best = None;
    for (_, at) in sorted {
        *at = best.map_or(*at, |best| better(best, *at));
        best = Some(*at);
    }
}

/// What the last of the first ones knows of which this holds.
fn up_to<K>(sorted: &[(K, DateTime<Utc>)], holds: impl Fn(&K) -> bool) -> Option<DateTime<Utc>> {
    let count = sorted.partition_point(|(key, _)| holds(key));
    sorted.get(count.checked_sub(1)?).map(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assessment::FirstPoint;
    use crate::assessment::GapEffect;
    use crate::assessment::LastPoint;
    use crate::assessment::TimeSource;
    use crate::assessment::WalStretch;
    use crate::domain::backup::BackupId;
    use crate::domain::lsn::Lsn;
    use crate::domain::timeline::TimelineId;

    const SIZE: SegmentSize = SegmentSize::DEFAULT;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// From one segment to another, and from one moment to another.
    fn window(segments: (u64, u64), moments: (i64, i64)) -> RecoveryWindow {
        let name = |number| SegmentNumber::new(number).name(TimelineId::FIRST, SIZE);
        let (first, last) = (name(segments.0), name(segments.1));
        RecoveryWindow {
            backup_id: BackupId::parse("20260101T000000").unwrap(),
            first: FirstPoint { at: at(moments.0), lsn: Lsn::new(0) },
            last: LastPoint {
                at: at(moments.1),
                source: TimeSource::Commit,
                lsn: Lsn::new(0),
                segment: last,
            },
            segment_size: SIZE,
            target_timeline: None,
            apart_from: None,
            is_of_copy: false,
            ends_at_misfit: false,
            system: None,
            read_until: None,
            unread_since: None,
            demands: None,
            path: vec![WalStretch { first, last, count: 1 }],
        }
    }

    fn gap(first: u64, last: u64) -> Gap {
        let name = |number| SegmentNumber::new(number).name(TimelineId::FIRST, SIZE);
        Gap {
            first: name(first),
            last: name(last),
            count: 1,
            effect: GapEffect::Hole,
            is_acknowledged: false,
        }
    }

    /// Held against every window.
    fn plainly(gap: &Gap, windows: &[RecoveryWindow]) -> Loss {
        let number = |name: crate::domain::segment::SegmentName| name.number(SIZE).unwrap();
        let living = || windows.iter().filter(|it| it.apart_from.is_none());
        let before = living().filter(|it| number(it.last.segment) < number(gap.first));
        let behind = living().filter(|it| number(gap.last) < number(it.path[0].first));
        let from = before.map(|it| it.last.at).max();
        let until = behind.map(|it| it.first.at).min();
        let is_between = |it: &RecoveryWindow| {
            until.is_none_or(|until| it.first.at < until)
                && from.is_none_or(|from| from < it.last.at)
        };
        let is_backwards = from.zip(until).is_some_and(|(from, until)| until <= from);
        if is_backwards || windows.iter().any(is_between) {
            return Loss::default();
        }
        Loss { from, until }
    }

    fn windows() -> impl Strategy<Value = Vec<RecoveryWindow>> {
        let one = (0..20_u64, 0..5_u64, 0..20_i64, 0..5_i64, prop::bool::weighted(0.1));
        let one = one.prop_map(|(begin, segments, first, seconds, is_apart)| {
            let apart_from = is_apart.then(|| at(first));
            RecoveryWindow {
                apart_from,
                ..window((begin, begin + segments), (first, first + seconds))
            }
        });
        prop::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn a_gap_costs_what_lies_between_the_windows(
            windows in windows(), first in 0..25_u64, count in 0..3_u64,
        ) {
            let gap = gap(first, first + count);
            prop_assert_eq!(Losses::of(&windows).by(&gap), plainly(&gap, &windows));
        }
    }

    #[test]
    fn a_gap_between_two_windows_costs_the_time_between_them() {
        let windows = [window((1, 4), (10, 40)), window((6, 9), (65, 90))];
        let lost = Losses::of(&windows).by(&gap(5, 5));
        assert_eq!(lost, Loss { from: Some(at(40)), until: Some(at(65)) });
        let past = RecoveryWindow { apart_from: Some(at(10)), ..window((1, 9), (10, 90)) };
        let past = [&windows[..], &[past]].concat();
        assert_eq!(Losses::of(&past).by(&gap(5, 5)), Loss::default());
    }
}
