//! How far recovery gets through the archive.

mod proven;
mod tip;
mod writers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::archive::catalogue::Complete;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::identity::Writer;
use crate::assessment::archive::recoverability::replay::tip::Tip;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::finding::SegmentFault;
use crate::domain::backup_info::BackupWal;
use crate::domain::codec::Codec;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;

/// The archive as recovery meets it, with what is needed to tell a gap from a late upload.
pub(crate) struct Replay<'a> {
    pub(crate) inventory: &'a Inventory,
    seen: &'a Observation,
    writer: Writer,
    /// The last segment that a backup of this server needed.
    own_until: Option<SegmentNumber>,
    /// When the first backup of this server that is still there began.
    own_since: Option<DateTime<Utc>>,
    pub(crate) clock: Clock,
    /// Up to here, per backup from a primary, the archiver has confirmed every segment: such a
    /// backup ends only when its last segment is archived.
    confirmed: Vec<SegmentId>,
    /// For each route that was asked for, by its target.
    tips: RefCell<BTreeMap<TimelineId, Option<Tip>>>,
    /// The same, the first obstacle of each timeline on it, in the order of the route.
    obstacles: RefCell<BTreeMap<TimelineId, Rc<[Obstacle]>>>,
    /// Of a server that another came after, what is known to be its own.
    proven: RefCell<BTreeMap<TimelineId, Rc<SegmentSet>>>,
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

    /// Whether recovery ends behind its last segment, and as it should.
    pub(crate) const fn is_through(&self) -> bool {
        self.stopped_by.is_none()
    }
}

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
            own_since: complete.iter().filter_map(|it| it.info.began_at).min(),
            clock,
            confirmed: from_primary
                .map(|it| SegmentId { timeline: it.wal.end.timeline, number: it.wal.last_required })
                .collect(),
            tips: RefCell::default(),
            obstacles: RefCell::default(),
            proven: RefCell::default(),
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

    /// The same for a backup, recovery of which begins inside its first segment.
    pub(crate) fn reach_of(&self, route: &Route, wal: &BackupWal, last: SegmentNumber) -> Reach {
        let first = self.first_needed(route, wal);
        if first == wal.first_required {
            return self.reach(route, first, last);
        }
        let number = wal.first_required;
        let begin = route.timeline_at(number).map(|timeline| SegmentId { timeline, number });
        if last < first {
            return Reach { last: begin, stopped_by: None };
        }
        let reach = self.reach(route, first, last);
        Reach { last: reach.last.or(begin), ..reach }
    }

    /// The first segment that a backup needs as a whole: not its own first one, if what is damaged in that lies
    /// before the record with which recovery begins.
    pub(crate) fn first_needed(&self, route: &Route, wal: &BackupWal) -> SegmentNumber {
        let number = wal.first_required;
        let is_sound = || {
            let timeline = route.timeline_at(number)?;
            let segments = SegmentRange::only(number);
            let obstacle = self.first_present_obstacle(Stretch { timeline, segments })?;
            let is_damaged =
                matches!(obstacle.kind, ObstacleKind::Damaged(SegmentFault::Damaged(_)));
            let part = self.seen.probes.timeline(timeline)?.sound_part(number)?;
            let is_own =
                self.writer.system.is_none_or(|ours| ours == part.content.system_identifier);
            Some(is_damaged && is_own && part.from <= wal.begin_lsn)
        };
        if is_sound() == Some(true) { number.next() } else { number }
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

    /// Whether the damaged segment of an obstacle is replayed up to this position at least.
    pub(crate) fn is_replayed_until(&self, obstacle: &Obstacle, position: Lsn) -> bool {
        let is_damaged = matches!(obstacle.kind, ObstacleKind::Damaged(SegmentFault::Damaged(_)));
        let probes = self.seen.probes.timeline(obstacle.at.timeline).filter(|_| is_damaged);
        let part = probes.and_then(|probes| probes.replayed_part(obstacle.at.number));
        part.is_some_and(|part| position <= part.until)
    }

    /// What is wrong with the segment that PostgreSQL gets for a number: that of the newest timeline on the
    /// route which has one, and of none older than the one that it read last (`XLogFileReadAnyTLI` in
    /// `xlogrecovery.c`).
    pub(crate) fn handed_out(&self, route: &Route, number: SegmentNumber) -> Option<Obstacle> {
        let current = number.previous().and_then(|it| route.timeline_at(it));
        for timeline in route.timelines_until(number).take_while(|it| current <= Some(*it)) {
            let segments = SegmentRange::only(number);
            let found = self.first_present_obstacle(Stretch { timeline, segments });
            let archive = self.inventory.timeline(timeline);
            if found.is_some() || archive.is_some_and(|it| it.segments().contains(number)) {
                return found;
            }
        }
        None
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
            // Of one without a byte the listing tells whether it is handed out.
            || was_opened
                && archive.segments().contains(id.number)
                && !archive.empty().contains(id.number)
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
        let probes = self.seen.probes.timeline(timeline);
        // Its size says nothing of one that is encrypted.
        let is_encrypted = |number| {
            let unread = probes.and_then(|probes| probes.why_unread(number));
            unread.is_some_and(|unread| unread.reason == UnreadableReason::Parse)
        };
        let mut misfits = archive.misfits().overlapping(segments).flat_map(|range| {
            let first = range.first.max(segments.first).value();
            (first..=range.last.min(segments.last).value()).map(SegmentNumber::new)
        });
        let misfit = misfits.find(|number| !is_encrypted(*number));
        let misfit = misfit.map(|it| faulty(it, SegmentFault::Misfit(size)));
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
