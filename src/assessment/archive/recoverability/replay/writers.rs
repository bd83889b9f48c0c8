//! Which server wrote a segment, as far as opened ones tell.

use std::iter;

use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::observation::probe::SegmentId;

/// More segments in a row that show nothing of their writer are not passed.
pub(super) const PASSED_MAX: usize = 16;

impl Replay<'_> {
    pub(crate) fn is_opened(&self, id: SegmentId) -> bool {
        self.seen.probes.has(id)
    }

    /// Whether a segment was opened, and this server wrote it.
    pub(crate) fn wrote(&self, id: SegmentId) -> bool {
        let segments = SegmentRange::only(id.number);
        self.known_own(Stretch { timeline: id.timeline, segments }).is_some()
    }

    /// The segment to open next to find where another server's WAL begins on a route: halfway
    /// between the last one known to be ours and the first one known to be foreign.
    ///
    /// Nothing is wanted while nothing foreign is suspected.
    pub(crate) fn wanted_border(&self, route: &Route) -> Option<SegmentId> {
        let (ours, floor) = (self.writer.system?, self.own_until?);
        let Some(foreign) = self.first_written(route, floor.next(), |writer| writer != ours) else {
            let newest = self.newest_that_tells(route, floor);
            let newest = newest.filter(|it| !self.seen.probes.has(*it));
            let is_suspected = !self.writer.others.is_empty() || self.is_of_before(route);
            return newest.filter(|_| is_suspected);
        };
        let own = route.stretches(floor, SegmentNumber::LAST).filter_map(|stretch| {
            let probes = self.seen.probes.timeline(stretch.timeline)?;
            probes.last_written(stretch.segments, ours)
        });
        let own = own.max().unwrap_or(floor);
        let between = foreign.value().checked_sub(own.value())? / 2;
        let middle = SegmentNumber::new(own.value().saturating_add(between));
        let below = iter::successors(route.newest(middle, self.inventory), |it| {
            route.newest(it.number.previous()?, self.inventory)
        });
        let below = below.take(PASSED_MAX).take_while(|it| own < it.number);
        // A hole may lie between the two: the present server has not come to the old numbers yet.
        let above = iter::successors(self.first_present(route, middle.next(), foreign), |it| {
            self.first_present(route, it.number.next(), foreign)
        });
        let above = above.take(PASSED_MAX).take_while(|it| it.number < foreign);
        below.chain(above).find(|it| !self.seen.probes.has(*it))
    }

    /// The newest segment that shows who wrote it, or may when it is opened: a damaged one does not.
    fn newest_that_tells(&self, route: &Route, floor: SegmentNumber) -> Option<SegmentId> {
        let newest = route.newest(SegmentNumber::LAST, self.inventory);
        let stored =
            iter::successors(newest, |it| route.newest(it.number.previous()?, self.inventory));
        let mut stored = stored.take(PASSED_MAX).take_while(|it| floor < it.number);
        stored.find(|id| {
            let probes = self.seen.probes.timeline(id.timeline);
            !probes.is_some_and(|it| it.has(id.number) && !it.is_whole(id.number))
        })
    }

    pub(super) fn is_twice(&self, route: &Route, number: SegmentNumber) -> bool {
        let archive = route.timeline_at(number).and_then(|it| self.inventory.timeline(it));
        archive.is_some_and(|archive| archive.twice().contains(number))
    }

    /// The first stored segment of a route from one number to another.
    fn first_present(
        &self,
        route: &Route,
        from: SegmentNumber,
        until: SegmentNumber,
    ) -> Option<SegmentId> {
        route.stretches(from, until).find_map(|Stretch { timeline, segments }| {
            let archive = self.inventory.timeline(timeline)?;
            let first = archive.segments().overlapping(segments).next()?.first;
            Some(SegmentId { timeline, number: first.max(segments.first) })
        })
    }

    /// The last segment of a stretch that this server is known to have written.
    pub(super) fn known_own(&self, stretch: Stretch) -> Option<SegmentId> {
        let probes = self.seen.probes.timeline(stretch.timeline)?;
        let number = probes.last_written(stretch.segments, self.writer.system?)?;
        Some(SegmentId { timeline: stretch.timeline, number })
    }

    /// The first segment known to be a predecessor's, from which on the route is not ours.
    pub(super) fn first_leftover(&self, route: &Route) -> Option<SegmentNumber> {
        let from = self.own_until.map_or(SegmentNumber::new(0), SegmentNumber::next);
        let ours = self.writer.system?;
        // Whose backups are gone is known by the time of its newest segment, or as Kubernetes runs this server.
        let is_of_before = self.is_of_before(route) || self.is_running();
        self.first_written(route, from, |writer| {
            writer != ours && (is_of_before || self.writer.others.contains(&writer))
        })
    }

    /// Whether Kubernetes shows that it is this server that the cluster runs.
    fn is_running(&self) -> bool {
        let running = self.seen.cluster.as_ref().and_then(|cluster| cluster.system_identifier);
        running.is_some() && running == self.writer.system
    }

    /// Whether the newest segment of a route was uploaded before this server's first backup began.
    fn is_of_before(&self, route: &Route) -> bool {
        let uploaded_at = route.newest(SegmentNumber::LAST, self.inventory).and_then(|newest| {
            self.inventory.timeline(newest.timeline)?.uploaded_at(newest.number)
        });
        uploaded_at.zip(self.own_since).is_some_and(|(uploaded, since)| uploaded < since)
    }

    /// The first opened segment of a route by such a writer.
    fn first_written(
        &self,
        route: &Route,
        from: SegmentNumber,
        is_meant: impl Fn(u64) -> bool,
    ) -> Option<SegmentNumber> {
        route.stretches(from, SegmentNumber::LAST).find_map(|stretch| {
            let probes = self.seen.probes.timeline(stretch.timeline)?;
            Some(probes.first_written(stretch.segments, &is_meant)?.0)
        })
    }
}
