//! How far recovery gets through the archive.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::assessment::archive::catalogue::Complete;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::identity::Writer;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::finding::SegmentFault;
use crate::domain::codec::Codec;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::TimelineArchive;

/// The archive as recovery meets it, with what is needed to tell a gap from a late upload.
pub(crate) struct Replay<'a> {
    pub(crate) inventory: &'a Inventory,
    seen: &'a Observation,
    writer: Writer,
    /// The last segment that a backup of this server needed.
    own_until: Option<SegmentNumber>,
    pub(crate) clock: Clock,
    /// Up to here, per backup from a primary, the archiver has confirmed every segment: such a
    /// backup ends only when its last segment is archived.
    confirmed: Vec<SegmentId>,
    /// For each route that was asked for, by its target.
    tips: RefCell<BTreeMap<TimelineId, Option<Tip>>>,
    /// The same, the first obstacle of each timeline on it, in the order of the route.
    obstacles: RefCell<BTreeMap<TimelineId, Rc<[Obstacle]>>>,
}

/// The newest segment of a route, without a tail that is still being uploaded.
#[derive(Clone, Copy, Debug)]
struct Tip {
    at: SegmentId,
    /// Whether it is known that what lies behind came just now. Stamped in the future, it may have
    /// come at any time, and the hole before it may be a gap.
    is_certain: bool,
}

/// A segment that recovery cannot pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) at: SegmentId,
    pub(crate) kind: ObstacleKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ObstacleKind {
    Missing,
    Shadowed,
    Damaged(SegmentFault),
}

/// How far recovery gets from one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The last segment that is replayed; `None` if not even the first is.
    pub(crate) last: Option<SegmentId>,
    pub(crate) stopped_by: Option<Obstacle>,
}

impl Reach {
    /// Whether the last segment is replayed in part only.
    pub(crate) fn is_cut(&self) -> bool {
        self.stopped_by.as_ref().zip(self.last).is_some_and(|(by, last)| by.at == last)
    }
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

impl<'a> Replay<'a> {
    pub(crate) fn new(
        seen: &'a Observation,
        inventory: &'a Inventory,
        clock: Clock,
        writer: Writer,
        complete: &[Complete<'_>],
    ) -> Self {
        let from_primary = complete.iter().filter(|it| !it.info.is_from_standby);
        Self {
            inventory,
            seen,
            writer,
            own_until: complete.iter().map(|it| it.wal.last_required).max(),
            clock,
            confirmed: from_primary
                .map(|it| SegmentId { timeline: it.wal.end.timeline, number: it.wal.last_required })
                .collect(),
            tips: RefCell::default(),
            obstacles: RefCell::default(),
        }
    }

    /// Replays a route from one segment to another, both included.
    pub(crate) fn reach(&self, route: &Route, first: SegmentNumber, last: SegmentNumber) -> Reach {
        let mut stretches = route.stretches(first, last);
        let Some(begin) = stretches.next() else { return Reach { last: None, stopped_by: None } };
        let stopped_by = self.first_obstacle(begin).or_else(|| {
            // From the second timeline on, all is walked from its begin, whoever asks.
            let next = stretches.next()?.segments.first;
            let obstacles = self.first_obstacles(route);
            let at = obstacles.partition_point(|it| it.at.number < next);
            obstacles.get(at).filter(|it| it.at.number <= last).cloned()
        });
        let reached = match &stopped_by {
            None => Some(last),
            Some(obstacle) => obstacle.at.number.previous().filter(|it| first <= *it),
        };
        let last = reached
            .and_then(|number| Some(SegmentId { timeline: route.timeline_at(number)?, number }));
        Reach { last, stopped_by }
    }

    fn first_obstacles(&self, route: &Route) -> Rc<[Obstacle]> {
        if let Some(known) = self.obstacles.borrow().get(&route.target) {
            return Rc::clone(known);
        }
        let stretches = route.stretches(SegmentNumber::new(0), SegmentNumber::LAST);
        let found: Rc<[Obstacle]> =
            stretches.filter_map(|stretch| self.first_obstacle(stretch)).collect();
        self.obstacles.borrow_mut().insert(route.target, Rc::clone(&found));
        found
    }

    /// Every obstacle on a route between two segments, missing ones left out.
    pub(crate) fn present_obstacles(
        &self,
        route: &Route,
        first: SegmentNumber,
        last: SegmentNumber,
    ) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        for stretch in route.stretches(first, last) {
            let mut rest = Some(stretch.segments);
            while let Some(segments) = rest {
                if obstacles.len() == OBSTACLES_MAX {
                    return obstacles;
                }
                let timeline = stretch.timeline;
                let found = self.first_present_obstacle(Stretch { timeline, segments });
                rest = found
                    .as_ref()
                    .and_then(|it| SegmentRange::new(it.at.number.next(), segments.last));
                obstacles.extend(found);
            }
        }
        obstacles
    }

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
        if let Some(leftover) = self.first_leftover(route) {
            newest = route.newest(leftover.previous()?, self.inventory)?;
        }
        let mut tip = Tip { at: newest, is_certain: true };
        for _ in 0..UPLOADING_HOLES_MAX {
            let Some(before) = self.before_uploading_hole(route, tip.at, newest) else { break };
            tip = Tip { is_certain: tip.is_certain && before.is_certain, ..before };
        }
        Some(tip)
    }

    /// The last segment of a stretch that this server is known to have written.
    fn known_own(&self, stretch: Stretch) -> Option<SegmentId> {
        let probes = self.seen.probes.timeline(stretch.timeline)?;
        let number = probes.last_written(stretch.segments, self.writer.system?)?;
        Some(SegmentId { timeline: stretch.timeline, number })
    }

    /// Whether nobody came after this server, or all of it lies between segments that it wrote.
    pub(crate) fn is_own(&self, route: &Route, needed: SegmentRange) -> bool {
        let is_between = |stretch: Stretch| {
            let Stretch { timeline, segments: SegmentRange { first, last } } = stretch;
            let before = SegmentRange { first: SegmentNumber::new(0), last: first };
            let behind = SegmentRange { first: last, last: SegmentNumber::LAST };
            let (before, behind) =
                (Stretch { timeline, segments: before }, Stretch { timeline, segments: behind });
            self.known_own(before).is_some() && self.known_own(behind).is_some()
        };
        !self.writer.is_over || route.stretches(needed.first, needed.last).all(is_between)
    }

    /// Whether the damaged segment of an obstacle is replayed up to this position at least.
    pub(crate) fn is_replayed_until(&self, obstacle: &Obstacle, position: Lsn) -> bool {
        let is_damaged = matches!(obstacle.kind, ObstacleKind::Damaged(SegmentFault::Damaged(_)));
        let probes = self.seen.probes.timeline(obstacle.at.timeline).filter(|_| is_damaged);
        let part = probes.and_then(|probes| probes.replayed_part(obstacle.at.number));
        part.is_some_and(|part| position <= part.until)
    }

    /// Whether barman hands out an object of the wrong size, which stops PostgreSQL.
    pub(crate) fn is_misfit(&self, id: SegmentId) -> bool {
        let Some(archive) = self.inventory.timeline(id.timeline) else { return false };
        let is_short = archive.newest_codec().is_some_and(Codec::delivers_cut_as_short);
        let damage = self.seen.probes.timeline(id.timeline).and_then(|probes| {
            let mut damaged = probes.damaged(SegmentRange::only(id.number));
            damaged.next().map(|(_, damage)| damage)
        });
        let was_opened = match damage {
            Some(SegmentDamage::Length { .. }) => true,
            Some(SegmentDamage::Truncated) => is_short,
            Some(_) | None => false,
        };
        archive.misfits().contains(id.number)
            || was_opened && archive.segments().contains(id.number)
    }

    /// Whether a segment was opened, and this server wrote it.
    pub(crate) fn wrote(&self, id: SegmentId) -> bool {
        let segments = SegmentRange::only(id.number);
        self.known_own(Stretch { timeline: id.timeline, segments }).is_some()
    }

    /// The first segment known to be a predecessor's, from which on the route is not ours.
    fn first_leftover(&self, route: &Route) -> Option<SegmentNumber> {
        let from = self.own_until.map_or(SegmentNumber::new(0), SegmentNumber::next);
        self.first_written(route, from, |writer| self.writer.others.contains(&writer))
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

    /// The segment to open next to find where another server's WAL begins on a route: halfway
    /// between the last one known to be ours and the first one known to be foreign.
    ///
    /// Nothing is wanted while nothing foreign is suspected.
    pub(crate) fn wanted_border(&self, route: &Route) -> Option<SegmentId> {
        let (ours, floor) = (self.writer.system?, self.own_until?);
        let newest = route.newest(SegmentNumber::LAST, self.inventory)?;
        let Some(foreign) = self.first_written(route, floor.next(), |writer| writer != ours) else {
            let is_opened = self.seen.probes.has(newest);
            return (!self.writer.others.is_empty() && !is_opened).then_some(newest);
        };
        let own = route.stretches(floor, SegmentNumber::LAST).filter_map(|stretch| {
            let probes = self.seen.probes.timeline(stretch.timeline)?;
            probes.last_written(stretch.segments, ours)
        });
        let own = own.max().unwrap_or(floor);
        let between = foreign.value().checked_sub(own.value())? / 2;
        let middle = SegmentNumber::new(own.value().saturating_add(between));
        let wanted = route.newest(middle, self.inventory).filter(|id| own < id.number)?;
        (!self.seen.probes.has(wanted)).then_some(wanted)
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

    fn first_obstacle(&self, stretch: Stretch) -> Option<Obstacle> {
        let Stretch { timeline, segments } = stretch;
        let missing = match self.inventory.timeline(timeline) {
            None => Some(segments.first),
            Some(archive) => archive.segments().first_missing(segments),
        };
        let missing = missing.map(|number| Obstacle {
            at: SegmentId { timeline, number },
            kind: ObstacleKind::Missing,
        });
        let present = self.first_present_obstacle(stretch);
        [missing, present].into_iter().flatten().min_by_key(|obstacle| obstacle.at)
    }

    fn first_present_obstacle(&self, stretch: Stretch) -> Option<Obstacle> {
        let Stretch { timeline, segments } = stretch;
        let archive = self.inventory.timeline(timeline)?;
        let obstacle = |number, kind| Obstacle { at: SegmentId { timeline, number }, kind };
        let first_of = |set: &SegmentSet| {
            set.overlapping(segments).next().map(|range| range.first.max(segments.first))
        };
        let faulty = |number, fault| obstacle(number, ObstacleKind::Damaged(fault));
        let shadowed = first_of(archive.shadowed()).map(|it| obstacle(it, ObstacleKind::Shadowed));
        let empty = first_of(archive.empty()).map(|it| {
            let is_delivered = archive.misfits().contains(it);
            faulty(it, SegmentFault::Empty { is_delivered })
        });
        let size = self.inventory.segment_size;
        let misfit = first_of(archive.misfits()).map(|it| faulty(it, SegmentFault::Misfit(size)));
        let probes = self.seen.probes.timeline(timeline);
        let damaged = probes.and_then(|probes| {
            let mut damaged = probes.damaged(segments);
            let (number, damage) = damaged.find(|it| archive.segments().contains(it.0))?;
            Some(faulty(number, SegmentFault::Damaged(damage.clone())))
        });
        let foreign = probes.zip(self.writer.system).and_then(|(probes, ours)| {
            let (number, found) = probes.first_written(segments, |writer| writer != ours)?;
            Some(faulty(number, SegmentFault::ForeignSystem { found, expected: ours }))
        });
        let frozen = first_of(archive.frozen()).map(|it| faulty(it, SegmentFault::Frozen));
        let found = [shadowed, empty, misfit, frozen, damaged, foreign];
        found.into_iter().flatten().min_by_key(|obstacle| obstacle.at)
    }
}

/// More damaged segments than this are not listed one by one.
const OBSTACLES_MAX: usize = 1_000;
