//! Which file recovery takes for each segment on its way to the end of a timeline.
//!
//! PostgreSQL follows that timeline's history file, and takes each segment from the newest timeline on it
//! that had begun by then (`readTimeLineHistory` in `timeline.c`, `XLogFileReadAnyTLI` in `xlogrecovery.c`,
//! which is part of `xlog.c` before PostgreSQL 15).

use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;

/// A way through the log to the end of one timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) target: TimelineId,
    /// Invariant: rising timelines, neighbouring numbers from 0 on, none empty; only the last has
    /// no end.
    pub(super) legs: Vec<Leg>,
    /// Timelines that have segments from before the switch to them: the history file names
    /// another switch point than the one that happened.
    pub(super) contradicted: Vec<TimelineId>,
}

/// The segments that recovery takes from one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(super) timeline: TimelineId,
    pub(super) first: SegmentNumber,
    last: Option<SegmentNumber>,
}

/// A part of a route: segments of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) timeline: TimelineId,
    pub(crate) segments: SegmentRange,
}

impl Route {
    pub(super) fn new(history: &TimelineHistory, size: SegmentSize) -> Self {
        let mut legs = Vec::new();
        let mut first = SegmentNumber::new(0);
        for ancestor in history.ancestors() {
            // The segment with the switch point is taken from the child: it begins with a copy
            // of the parent's part.
            let next = SegmentNumber::containing(ancestor.switched_at, size);
            if let Some(last) = next.previous().filter(|last| first <= *last) {
                legs.push(Leg { timeline: ancestor.timeline, first, last: Some(last) });
            }
            first = first.max(next);
        }
        legs.push(Leg { timeline: history.timeline, first, last: None });
        Self { target: history.timeline, legs, contradicted: Vec::new() }
    }

    /// The stretches from one segment to another, both included.
    pub(crate) fn stretches(
        &self,
        first: SegmentNumber,
        last: SegmentNumber,
    ) -> impl ExactSizeIterator<Item = Stretch> + '_ {
        let ended = self.legs_begun_by(first).len().saturating_sub(1);
        let begun = if first <= last { self.legs_begun_by(last) } else { &[] };
        begun.get(ended..).unwrap_or_default().iter().map(move |leg| {
            let end = leg.last.map_or(last, |leg_last| leg_last.min(last));
            let segments = SegmentRange { first: leg.first.max(first), last: end };
            Stretch { timeline: leg.timeline, segments }
        })
    }

    /// The newest segment up to a number that the archive holds on this route.
    pub(crate) fn newest(&self, until: SegmentNumber, inventory: &Inventory) -> Option<SegmentId> {
        self.legs_begun_by(until).iter().rev().find_map(|leg| {
            let archive = inventory.timeline(leg.timeline)?;
            let last = leg.last.map_or(until, |last| last.min(until));
            let newest = archive.segments().newest_within(SegmentRange::new(leg.first, last)?)?;
            Some(SegmentId { timeline: leg.timeline, number: newest })
        })
    }

    /// The timeline that a segment is taken from.
    pub(crate) fn timeline_at(&self, number: SegmentNumber) -> Option<TimelineId> {
        self.legs_begun_by(number).last().map(|leg| leg.timeline)
    }

    /// Those that had begun by then, newest first.
    pub(crate) fn timelines_until(
        &self,
        number: SegmentNumber,
    ) -> impl Iterator<Item = TimelineId> + '_ {
        self.legs_begun_by(number).iter().rev().map(|leg| leg.timeline)
    }

    pub(crate) fn passes(&self, id: SegmentId) -> bool {
        self.timeline_at(id.number) == Some(id.timeline)
    }

    /// The segments that recovery would take from a timeline.
    pub(crate) fn taken_from(&self, timeline: TimelineId) -> Option<SegmentRange> {
        let at = self.legs.binary_search_by_key(&timeline, |leg| leg.timeline).ok()?;
        let leg = self.legs.get(at)?;
        SegmentRange::new(leg.first, leg.last.unwrap_or(SegmentNumber::LAST))
    }

    fn legs_begun_by(&self, number: SegmentNumber) -> &[Leg] {
        let begun = self.legs.partition_point(|leg| leg.first <= number);
        self.legs.get(..begun).unwrap_or_default()
    }

    /// Where it leaves an ancestor of its target.
    pub(super) fn begin_behind(&self, ancestor: TimelineId) -> Option<SegmentNumber> {
        let behind = self.legs.partition_point(|leg| leg.timeline <= ancestor);
        self.legs.get(behind).map(|leg| leg.first)
    }

    /// The first segment that the two take from different timelines.
    pub(crate) fn parts_from(&self, other: &Self) -> Option<SegmentNumber> {
        let is_shared = |(own, others): &(&Leg, &Leg)| {
            (own.timeline, own.first) == (others.timeline, others.first)
        };
        let shared = self.legs.iter().zip(&other.legs).take_while(is_shared).count();
        let parted = self.legs.iter().skip(shared).chain(other.legs.iter().skip(shared));
        let mut begins: Vec<SegmentNumber> = parted.map(|leg| leg.first).collect();
        begins.sort_unstable();
        begins.into_iter().find(|it| self.timeline_at(*it) != other.timeline_at(*it))
    }

    /// The timeline before the one that begins in this segment.
    pub(crate) fn parent_at(&self, number: SegmentNumber) -> Option<TimelineId> {
        let at = self.legs.binary_search_by_key(&number, |leg| leg.first).ok()?;
        self.legs.get(at.checked_sub(1)?).map(|leg| leg.timeline)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    fn history(switches: &[u64]) -> TimelineHistory {
        let mut lines = String::new();
        for (timeline, segment) in (1..).zip(switches) {
            writeln!(lines, "{timeline}\t0/{segment:X}000028\tno recovery target specified")
                .unwrap();
        }
        let timeline = TimelineId::new(u32::try_from(switches.len()).unwrap() + 1).unwrap();
        let parsed = TimelineHistory::parse(timeline, lines.as_bytes());
        parsed.unwrap_or(TimelineHistory::without_ancestors(timeline))
    }

    proptest! {
        /// Also where several switches lie in one segment, and where one lies before an earlier one.
        #[test]
        fn a_route_leaves_an_ancestor_where_that_ones_own_route_parts(
            switches in proptest::collection::vec(0_u64..6, 1..8),
        ) {
            let size = SegmentSize::DEFAULT;
            let route = Route::new(&history(&switches), size);
            for ancestors in 0..switches.len() {
                let older = history(&switches[..ancestors]);
                let own = Route::new(&older, size);
                prop_assert!(history(&switches).continues(&older));
                prop_assert_eq!(route.begin_behind(older.timeline), own.parts_from(&route));
            }
        }
    }
}
