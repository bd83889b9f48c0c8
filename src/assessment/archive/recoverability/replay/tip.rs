//! Where a route ends for now: what may still be uploading is no end behind a gap.

use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::TimelineArchive;

/// The newest segment of a route, without a tail that is still being uploaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tip {
    at: SegmentId,
    /// Whether it is known that what lies behind came just now. Stamped in the future, it may have
    /// come at any time, and the hole before it may be a gap.
    is_certain: bool,
}

/// With this many later segments a missing one is no late upload: the archiver uploads out of
/// order only what waits beside it, `wal.maxParallel` segments, of which 8 is the most seen in use.
const LATER_SEGMENTS_OF_A_GAP: u64 = 32;

/// More segments than this that are missing in a row are no late uploads either. The plugin uploads
/// the oldest `wal.maxParallel` that wait, in the order of their names (`GatherReadyWALFiles` in
/// `pkg/fileutils/wals/wals.go` of `cloudnative-pg/machinery`), so one that arrives has at most
/// that many before it.
const UPLOADING_SEGMENTS_MAX: u64 = LATER_SEGMENTS_OF_A_GAP;

/// Holes in the tail that may be uploading at once; each is at least one segment of those above.
const UPLOADING_HOLES_MAX: usize = 32;

impl Replay<'_> {
    /// The newest segment on a route, without a tail that is still being uploaded: segments after
    /// a hole that is too young to be a gap.
    pub(crate) fn settled_tip(&self, route: &Route) -> Option<SegmentId> {
        self.tip(route).map(|tip| tip.at)
    }

    /// Whether that is all there is, as far as can be told.
    pub(crate) fn is_tip_certain(&self, route: &Route) -> bool {
        self.tip(route).is_none_or(|tip| tip.is_certain)
    }

    fn tip(&self, route: &Route) -> Option<Tip> {
        if let Some(known) = self.tips.borrow().get(&route.target) {
            return *known;
        }
        let tip = self.find_tip(route);
        self.tips.borrow_mut().insert(route.target, tip);
        tip
    }

    fn find_tip(&self, route: &Route) -> Option<Tip> {
        if self.writer.is_over {
            let own = route.stretches(SegmentNumber::new(0), SegmentNumber::LAST);
            let own = own.filter_map(|stretch| self.known_own(stretch));
            return own.max_by_key(|it| it.number).map(|at| Tip { at, is_certain: true });
        }
        let mut newest = route.newest(SegmentNumber::LAST, self.inventory)?;
        // One that is stored twice may hide what this server stored there: then it stops recovery.
        let leftover = self.first_leftover(route).filter(|it| !self.is_twice(route, *it));
        if let Some(leftover) = leftover {
            newest = route.newest(leftover.previous()?, self.inventory)?;
        }
        if let Some(lost) = self.lost_before_a_fork(route, newest) {
            return Some(Tip { at: lost, is_certain: true });
        }
        let mut tip = Tip { at: newest, is_certain: true };
        for _ in 0..UPLOADING_HOLES_MAX {
            let Some(before) = self.before_uploading_hole(route, tip.at, newest) else { break };
            tip = Tip { is_certain: tip.is_certain && before.is_certain, ..before };
        }
        Some(tip)
    }

    /// The last segment before a fork, if it is lost and none of those that follow on the route is stored yet:
    /// what the old server stored behind it long ago shows that it was there.
    fn lost_before_a_fork(&self, route: &Route, newest: SegmentId) -> Option<SegmentId> {
        let timeline = newest.timeline;
        let last = route.taken_from(timeline).filter(|_| timeline != route.target)?.last;
        let archive = self.inventory.timeline(timeline)?;
        let behind = SegmentRange { first: last.next(), last: SegmentNumber::LAST };
        let behind = archive.segments().overlapping(behind).next()?;
        let is_old = self.clock.is_beyond_grace(archive.uploaded_at(behind.first));
        (newest.number < last && is_old).then_some(SegmentId { timeline, number: last })
    }

    /// The last segment before the hole nearest to `tip`, if that hole may still be filled.
    fn before_uploading_hole(
        &self,
        route: &Route,
        tip: SegmentId,
        newest: SegmentId,
    ) -> Option<Tip> {
        let (archive, range, before) = self.before_range(route, tip)?;
        let hole_last = range.first.previous()?;
        let hole = SegmentRange::new(before.number.next(), hole_last)?;
        let uploaded_at = archive.uploaded_at(range.first);
        let is_certain = !self.clock.is_undated(uploaded_at);
        let is_young = !is_certain || self.clock.is_within_grace(uploaded_at);
        let later = newest.number.value().saturating_sub(hole_last.value());
        let timeline = route.timeline_at(hole.first)?;
        let is_small = hole.count() <= UPLOADING_SEGMENTS_MAX && later < LATER_SEGMENTS_OF_A_GAP;
        let is_late_only = is_young
            && is_small
            && !self.is_confirmed(timeline, hole)
            && !self.has_old(route, range.first, newest.number);
        is_late_only.then_some(Tip { at: before, is_certain })
    }

    /// Whether something from here on was uploaded long ago. Then a hole before it is old, even if
    /// the segment behind the hole was uploaded again just now.
    fn has_old(&self, route: &Route, from: SegmentNumber, until: SegmentNumber) -> bool {
        route.stretches(from, until).any(|Stretch { timeline, segments }| {
            let archive = self.inventory.timeline(timeline);
            archive.is_some_and(|archive| {
                let ranges = archive.segments().overlapping(segments);
                let mut edges = ranges.flat_map(|range| [range.first, range.last]);
                edges.any(|edge| {
                    segments.contains(edge) && self.clock.is_beyond_grace(archive.uploaded_at(edge))
                })
            })
        })
    }

    /// The range after the hole nearest to `tip`, with its timeline, and the segment before the
    /// hole. One range may follow another without a hole at each fork.
    fn before_range(
        &self,
        route: &Route,
        mut tip: SegmentId,
    ) -> Option<(&TimelineArchive, SegmentRange, SegmentId)> {
        loop {
            let archive = self.inventory.timeline(tip.timeline)?;
            let range = archive.segments().range_at(tip.number)?;
            // A child timeline's segments may go on below the switch; those are not on the route.
            let first = range.first.max(route.taken_from(tip.timeline)?.first);
            let before = route.newest(first.previous()?, self.inventory)?;
            if before.number.next() < first {
                return Some((archive, SegmentRange { first, last: range.last }, before));
            }
            tip = before;
        }
    }

    /// Whether the segments are known to have been archived once.
    fn is_confirmed(&self, timeline: TimelineId, hole: SegmentRange) -> bool {
        let vanished = self
            .inventory
            .timeline(timeline)
            .is_some_and(|archive| archive.vanished().overlapping(hole).next().is_some());
        let id = SegmentId { timeline, number: hole.first };
        vanished
            || self.confirmed.iter().any(|it| it.timeline == timeline && id.number <= it.number)
    }
}
