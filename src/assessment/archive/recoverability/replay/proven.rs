//! What a server is known to have written that another one came after: what was opened, and what lies
//! between.

use std::iter;
use std::rc::Rc;

use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::replay::writers::PASSED_MAX;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;

impl Replay<'_> {
    /// Whether nobody came after this server, or all of it is known to be its own.
    pub(crate) fn is_own(&self, route: &Route, needed: SegmentRange) -> bool {
        let mut stretches = route.stretches(needed.first, needed.last);
        !self.writer.is_over || stretches.all(|it| self.first_unproven(it).is_none())
    }

    /// The last segment up to which that is so.
    pub(crate) fn proven_until(
        &self,
        route: &Route,
        first: SegmentNumber,
        last: SegmentNumber,
    ) -> SegmentNumber {
        if !self.writer.is_over {
            return last;
        }
        let unproven = route.stretches(first, last).find_map(|it| self.first_unproven(it));
        unproven.and_then(SegmentNumber::previous).map_or(last, |proven| proven.min(last))
    }

    /// The segment to open next, so that more of a route is known to be this server's.
    pub(crate) fn wanted_proof(&self, route: &Route, first: SegmentNumber) -> Option<SegmentId> {
        let unproven = route.stretches(first, SegmentNumber::LAST).find_map(|stretch| {
            let number = self.first_unproven(stretch)?;
            let segments = SegmentRange { first: number, last: stretch.segments.last };
            Some(Stretch { timeline: stretch.timeline, segments })
        })?;
        let number = self.wanted_in(unproven)?;
        Some(SegmentId { timeline: unproven.timeline, number })
    }

    /// Of a stretch that begins with a segment that is not known to be this server's: the last that may be,
    /// and where that one is another's, halfway between.
    fn wanted_in(&self, unproven: Stretch) -> Option<SegmentNumber> {
        let Stretch { timeline, segments } = unproven;
        let archive = self.inventory.timeline(timeline)?;
        // Those that are stored twice show something of each other only.
        let run = archive.twice().range_at(segments.first);
        let mut alike = SegmentSet::default();
        match run {
            Some(run) => alike.insert_range(run),
            None => alike = archive.segments().without(archive.twice()),
        }
        let probes = self.seen.probes.timeline(timeline);
        let known = probes.zip(self.writer.system).map(|(probes, ours)| {
            let foreign = probes.first_written(segments, |writer| writer != ours);
            (foreign.map(|(number, _)| number), probes.written_by_server(ours))
        });
        let (foreign, own) = known.unwrap_or_default();
        let until = foreign.map_or(Some(segments.last), SegmentNumber::previous)?;
        let within = SegmentRange::new(segments.first, until)?;
        let last = alike.newest_within(within)?;
        let within = SegmentRange::new(segments.first, last)?;
        let is_own =
            |range: SegmentRange| own.is_some_and(|own| own.overlapping(range).next().is_some());
        let mut between = alike.overlapping(within).filter_map(|range| range.intersection(&within));
        let middle = if between.any(is_own) {
            within.first
        } else if foreign.is_none() {
            last
        } else {
            let half = last.value().saturating_sub(within.first.value()) / 2;
            SegmentNumber::new(within.first.value().saturating_add(half))
        };
        let below = SegmentRange::new(within.first, middle)?;
        let below = iter::successors(alike.newest_within(below), |it| {
            alike.newest_within(SegmentRange::new(within.first, it.previous()?)?)
        });
        let above = SegmentRange::new(middle, last)?;
        let above = alike.overlapping(above).filter_map(|range| range.intersection(&above));
        let above = above.flat_map(|range| range.first.value()..=range.last.value());
        // A damaged one tells nothing: then the next.
        let below = below.take(PASSED_MAX);
        let mut nearest = below.chain(above.map(SegmentNumber::new).take(PASSED_MAX));
        nearest.find(|it| probes.is_none_or(|probes| !probes.has(*it)))
    }

    fn first_unproven(&self, Stretch { timeline, segments }: Stretch) -> Option<SegmentNumber> {
        let archive = self.inventory.timeline(timeline)?;
        let proven = self.proven(timeline);
        let stored = archive.segments().overlapping(segments);
        let mut stored = stored.filter_map(|range| range.intersection(&segments));
        stored.find_map(|range| proven.first_missing(range))
    }

    /// A server goes through the names without a hole. So what lies between two segments that its successor
    /// did not overwrite, was not overwritten either, unless one of that successor's lies there too. What is
    /// stored twice was written by both, and shows something of its like only: both kept to their compression
    /// from one to the next.
    pub(crate) fn proven(&self, timeline: TimelineId) -> Rc<SegmentSet> {
        if let Some(known) = self.proven.borrow().get(&timeline) {
            return Rc::clone(known);
        }
        let proven = Rc::new(self.find_proven(timeline).unwrap_or_default());
        self.proven.borrow_mut().insert(timeline, Rc::clone(&proven));
        proven
    }

    fn find_proven(&self, timeline: TimelineId) -> Option<SegmentSet> {
        let (archive, ours) = (self.inventory.timeline(timeline)?, self.writer.system?);
        let probes = self.seen.probes.timeline(timeline)?;
        let own = probes.written_by_server(ours)?;
        let twice = archive.twice();
        let mut proven = own.clone();
        let mut join = |alike: &SegmentSet, passed: &SegmentSet| {
            for (before, behind) in alike.ranges().iter().zip(alike.ranges().iter().skip(1)) {
                let between = behind.first.previous();
                let between = between.and_then(|last| SegmentRange::new(before.last.next(), last));
                let Some(between) = between else { continue };
                if probes.first_written(between, |writer| writer != ours).is_none() {
                    passed.gaps(between).into_iter().for_each(|it| proven.insert_range(it));
                }
            }
        };
        join(&own.without(twice), twice);
        for run in twice.ranges() {
            let mut alike = SegmentSet::default();
            let within = own.overlapping(*run).filter_map(|range| range.intersection(run));
            within.for_each(|range| alike.insert_range(range));
            join(&alike, &SegmentSet::default());
        }
        Some(proven)
    }
}
