//! What the picture of an archive shows, and where. Draws nothing.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::Latest;
use crate::assessment::RecoveryWindow;
use crate::assessment::WalStretch;
use crate::assessment::standing::Standing;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;
use crate::publication::span::reachable_spans;

/// Everything is between `first_at` and `last_at`, but for what is said to lie before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub(super) first_at: DateTime<Utc>,
    /// Now.
    pub(super) last_at: DateTime<Utc>,
    /// Oldest first.
    pub(super) reachable: Vec<Bar>,
    /// Between them, and behind them where the newest state cannot be reached.
    pub(super) lost: Vec<Bar>,
    /// Nobody has read the archive since.
    pub(super) unread_since: Option<DateTime<Utc>>,
    pub(super) backups: Vec<Tick>,
    pub(super) switches: Vec<Switch>,
    pub(super) retention: Option<RetentionTarget>,
}

/// Moments, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) first_at: DateTime<Utc>,
    pub(super) last_at: DateTime<Utc>,
}

/// The end of a base backup, or its beginning while it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) at: DateTime<Utc>,
    pub(super) kind: BackupKind,
}

/// When the server was promoted is not stored; it was between these moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) timeline: TimelineId,
    pub(super) first_segment: SegmentName,
    pub(super) between: Bar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetentionTarget {
    pub(super) at: DateTime<Utc>,
    /// The archive is much younger than the retention: drawn to scale, it would be a line.
    pub(super) is_before: bool,
}

impl Chart {
    /// `None` if nothing that has a time is known.
    pub(super) fn new(
        assessment: &Assessment,
        standing: &Standing,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let reachable: Vec<Bar> = reachable_spans(&assessment.windows)
            .iter()
            .map(|span| Bar { first_at: span.first_at, last_at: span.last.at })
            .collect();
        let backups: Vec<Tick> = assessment.backups.iter().filter_map(Tick::new).collect();
        let oldest = reachable.iter().map(|span| span.first_at);
        let oldest = oldest.chain(backups.iter().map(|tick| tick.at)).min()?;
        let last_at = now.max(oldest + WIDTH_MIN);
        let retention = assessment.promises.retention;
        let target = retention.and_then(|retention| now.checked_sub_signed(retention));
        let (first_at, retention) = begin(oldest, last_at, target);
        Some(Self {
            first_at,
            last_at,
            lost: lost(assessment, &reachable, oldest),
            reachable,
            unread_since: standing.is_old().then_some(assessment.observed_at).flatten(),
            backups,
            switches: switches(assessment),
            retention,
        })
    }

    /// What is said of the moments that some backup reaches, and of the others.
    pub(super) const fn words(&self) -> (&'static str, &'static str) {
        match self.unread_since {
            None => ("can be restored", "cannot be restored"),
            Some(_) => ("could be restored then", "could not be restored then"),
        }
    }

    /// Whether something before the oldest moment or behind the newest one is neither.
    pub(super) fn has_uncovered(&self) -> bool {
        let bars = || self.reachable.iter().chain(&self.lost);
        let begins = bars().map(|bar| bar.first_at).min();
        let ends =
            bars().map(|bar| bar.last_at).chain(self.unread_since.map(|_| self.last_at)).max();
        begins.is_none_or(|at| self.first_at < at) || ends.is_none_or(|at| at < self.last_at)
    }

    /// In hundredths of a percent from the left; what lies outside is at the edge.
    pub(super) fn position(&self, at: DateTime<Utc>) -> i64 {
        let width = (self.last_at - self.first_at).num_milliseconds().max(1);
        let offset = (at - self.first_at).num_milliseconds().clamp(0, width);
        i64::try_from(i128::from(offset) * 10_000 / i128::from(width)).unwrap_or(10_000)
    }
}

impl Tick {
    fn new(backup: &AssessedBackup) -> Option<Self> {
        Some(Self { at: backup.ended_at.or(backup.began_at)?, kind: backup.kind })
    }
}

/// A picture of no time at all would have no width.
const WIDTH_MIN: TimeDelta = TimeDelta::minutes(1);

/// Where the picture begins: with the oldest thing or the promise, as long as what is there takes
/// a fifth of the width.
fn begin(
    oldest: DateTime<Utc>,
    last_at: DateTime<Utc>,
    target: Option<DateTime<Utc>>,
) -> (DateTime<Utc>, Option<RetentionTarget>) {
    let known = last_at - oldest;
    let before = |at: DateTime<Utc>, margin| at.checked_sub_signed(margin).unwrap_or(at);
    let margin = known / 50;
    match target {
        Some(at) if last_at - at <= known * 5 => {
            (before(oldest.min(at), margin), Some(RetentionTarget { at, is_before: false }))
        }
        Some(at) => (before(oldest, known / 8), Some(RetentionTarget { at, is_before: true })),
        None => (before(oldest, margin), None),
    }
}

fn lost(assessment: &Assessment, reachable: &[Bar], oldest: DateTime<Utc>) -> Vec<Bar> {
    let mut lost: Vec<Bar> = reachable
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => Some(Bar { first_at: before.last_at, last_at: after.first_at }),
            _ => None,
        })
        .collect();
    let newest = assessment.newest_segment.map(|newest| newest.uploaded_at);
    if let (Latest::NotReached, Some(last_at)) = (assessment.latest, newest) {
        let first_at = reachable.iter().map(|span| span.last_at).max().unwrap_or(oldest);
        if first_at < last_at {
            lost.push(Bar { first_at, last_at });
        }
    }
    lost
}

/// Where some way through the WAL goes from one timeline to the next, each once.
fn switches(assessment: &Assessment) -> Vec<Switch> {
    let mut switches: Vec<Switch> = Vec::new();
    for window in assessment.windows.iter() {
        for pair in window.path.windows(2) {
            let [before, after] = pair else { continue };
            let is_known = switches.iter().any(|known| known.first_segment == after.first);
            if is_known {
                continue;
            }
            if let Some(between) = between(assessment, window, before, after) {
                let timeline = after.first.timeline;
                switches.push(Switch { timeline, first_segment: after.first, between });
            }
        }
    }
    switches.sort_by_key(|switch| switch.first_segment);
    switches
}

/// The last known moment on the timeline before, and the first on the one after.
fn between(
    assessment: &Assessment,
    window: &RecoveryWindow,
    before: &WalStretch,
    after: &WalStretch,
) -> Option<Bar> {
    let holds = |stretch: &WalStretch, segment: SegmentName| {
        stretch.first <= segment && segment <= stretch.last
    };
    let known = assessment.backups.iter().flat_map(|backup| {
        [backup.begin_wal.zip(backup.began_at), backup.end_wal.zip(backup.ended_at)]
    });
    let newest = assessment.newest_segment.map(|newest| (newest.name, newest.uploaded_at));
    let last = [Some((window.last.segment, window.last.at)), newest];
    let known: Vec<(SegmentName, DateTime<Utc>)> = known.chain(last).flatten().collect();
    let of = |stretch| {
        let moments = known.iter().filter(move |(segment, _)| holds(stretch, *segment));
        moments.map(|(_, at)| *at)
    };
    let first_at = of(before).max()?;
    let last_at = of(after).filter(|at| first_at <= *at).min()?;
    Some(Bar { first_at, last_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    fn chart(assessment: &Assessment, now: DateTime<Utc>) -> Chart {
        Chart::new(assessment, &assessment.standing(now), now).unwrap()
    }

    #[test]
    fn nothing_is_drawn_of_what_nobody_knows() {
        for kind in [samples::NEVER_READ, samples::EMPTY] {
            let snapshot = samples::only(kind);
            let (assessment, now) = (&snapshot.archives[0].assessment, snapshot.generated_at);
            assert_eq!(Chart::new(assessment, &assessment.standing(now), now), None);
        }
    }

    #[test]
    fn what_cannot_be_reached_lies_between_and_behind() {
        let snapshot = samples::only(samples::AT_RISK);
        let between = chart(&snapshot.archives[0].assessment, snapshot.generated_at);
        let [older, newer] = between.reachable.as_slice() else { panic!("{between:?}") };
        let lost = Bar { first_at: older.last_at, last_at: newer.first_at };
        assert_eq!(between.lost, [lost]);

        let snapshot = samples::only(samples::UNRECOVERABLE);
        let behind = chart(&snapshot.archives[0].assessment, snapshot.generated_at);
        let newest = snapshot.archives[0].assessment.newest_segment.unwrap();
        assert_eq!(behind.lost.last().unwrap().last_at, newest.uploaded_at);
    }

    #[test]
    fn old_readings_leave_the_rest_open() {
        let snapshot = samples::only(samples::UNREAD_SINCE);
        let assessment = &snapshot.archives[0].assessment;
        let old = chart(assessment, snapshot.generated_at);
        assert_eq!(old.unread_since, assessment.observed_at);
        let snapshot = samples::only(samples::HEALTHY);
        let assessment = &snapshot.archives[0].assessment;
        assert_eq!(chart(assessment, snapshot.generated_at).unread_since, None);
        let later = snapshot.generated_at + TimeDelta::hours(1);
        assert_eq!(chart(assessment, later).unread_since, assessment.observed_at);
    }

    #[test]
    fn a_promotion_was_between_two_known_moments() {
        let snapshot = samples::long_history();
        let assessment = &snapshot.archives[0].assessment;
        let chart = chart(assessment, snapshot.generated_at);
        let [switch] = chart.switches.as_slice() else { panic!("{chart:?}") };
        assert_eq!(switch.timeline.value(), 2);
        assert!(switch.between.first_at < switch.between.last_at);
        let on = |timeline| {
            assessment.backups.iter().filter(move |backup| {
                backup.begin_wal.is_some_and(|wal| wal.timeline.value() == timeline)
            })
        };
        assert_eq!(switch.between.first_at, on(1).next_back().unwrap().ended_at.unwrap());
        assert_eq!(switch.between.last_at, on(2).next().unwrap().began_at.unwrap());
    }

    #[test]
    fn a_young_archive_is_not_drawn_as_a_line() {
        let snapshot = samples::only(samples::HEALTHY);
        let young = chart(&snapshot.archives[0].assessment, snapshot.generated_at);
        assert!(young.retention.unwrap().is_before);
        assert!(young.position(young.reachable[0].first_at) < 2_000);
        let snapshot = samples::long_history();
        let grown = chart(&snapshot.archives[0].assessment, snapshot.generated_at);
        assert!(!grown.retention.unwrap().is_before);
    }

    #[test]
    fn times_that_cannot_be_true_break_nothing() {
        let snapshot = samples::long_history();
        let mut assessment = (*snapshot.archives[0].assessment).clone();
        assessment.promises.retention = Some(TimeDelta::MAX);
        assessment.promises.check_interval = Some(TimeDelta::MAX);
        assert_eq!(chart(&assessment, snapshot.generated_at).retention, None);
        assessment.backups[0].ended_at = Some(DateTime::<Utc>::MIN_UTC);
        let chart = chart(&assessment, DateTime::<Utc>::MAX_UTC);
        assert_eq!(chart.position(chart.last_at), 10_000);
    }

    #[test]
    fn every_position_is_inside_the_picture() {
        let snapshot = samples::long_history();
        let chart = chart(&snapshot.archives[0].assessment, snapshot.generated_at);
        assert_eq!(chart.position(chart.first_at), 0);
        assert_eq!(chart.position(chart.last_at), 10_000);
        assert_eq!(chart.position(DateTime::<Utc>::MIN_UTC), 0);
        assert_eq!(chart.position(DateTime::<Utc>::MAX_UTC), 10_000);
    }
}
