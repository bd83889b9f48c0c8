//! Which timelines recovery follows from a backup, and which file it takes for each segment.
//!
//! PostgreSQL aims for the newest timeline unless told otherwise, follows that timeline's history
//! file, and takes each segment from the newest timeline on it that had begun by then
//! (`findNewestTimeLine`, `readTimeLineHistory` in `timeline.c`, `XLogFileReadAnyTLI` in
//! `xlogrecovery.c`, PostgreSQL 13 to 18).

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup_info::BackupWal;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::TimelineArchive;

/// A way through the log to the end of one timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) target: TimelineId,
    /// Invariant: neighbouring numbers, oldest first, none empty; only the last has no end.
    legs: Vec<Leg>,
}

/// The segments that recovery takes from one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    timeline: TimelineId,
    first: SegmentNumber,
    last: Option<SegmentNumber>,
}

/// A part of a route: segments of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) timeline: TimelineId,
    pub(super) segments: SegmentRange,
}

/// Why recovery cannot aim for a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// The history file stops PostgreSQL from starting, or contradicts the archive.
    Damaged(TimelineId),
    /// The history file could not be read.
    Unread(TimelineId),
    /// The timeline does not descend from the backup.
    NotAChild(TimelineId),
}

impl Route {
    fn new(history: &TimelineHistory, size: SegmentSize) -> Self {
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
        Self { target: history.timeline, legs }
    }

    /// The stretches from one segment to another, both included.
    pub(super) fn stretches(
        &self,
        first: SegmentNumber,
        last: SegmentNumber,
    ) -> impl Iterator<Item = Stretch> + '_ {
        self.legs.iter().filter_map(move |leg| {
            let end = leg.last.map_or(last, |leg_last| leg_last.min(last));
            let segments = SegmentRange::new(leg.first.max(first), end)?;
            Some(Stretch { timeline: leg.timeline, segments })
        })
    }

    /// The newest segment up to a number that the archive holds on this route.
    pub(super) fn newest(&self, until: SegmentNumber, inventory: &Inventory) -> Option<SegmentId> {
        self.legs.iter().rev().find_map(|leg| {
            let archive = inventory.timeline(leg.timeline)?;
            let last = leg.last.map_or(until, |last| last.min(until));
            let newest = archive.segments().newest_within(SegmentRange::new(leg.first, last)?)?;
            Some(SegmentId { timeline: leg.timeline, number: newest })
        })
    }

    /// The timeline that a segment is taken from.
    pub(super) fn timeline_at(&self, number: SegmentNumber) -> Option<TimelineId> {
        let holds = |leg: &&Leg| leg.first <= number && leg.last.is_none_or(|last| number <= last);
        self.legs.iter().find(holds).map(|leg| leg.timeline)
    }

    pub(super) fn passes(&self, id: SegmentId) -> bool {
        self.timeline_at(id.number) == Some(id.timeline)
    }

    /// The timeline before the one that begins in this segment.
    pub(super) fn parent_at(&self, number: SegmentNumber) -> Option<TimelineId> {
        let at = self.legs.iter().position(|leg| leg.first == number)?;
        self.legs.get(at.checked_sub(1)?).map(|leg| leg.timeline)
    }
}

/// The timelines of an archive as recovery sees them.
pub(super) struct Timelines<'a> {
    seen: &'a Observation,
    inventory: &'a Inventory,
    /// What was uploaded before is another server's.
    since: Option<DateTime<Utc>>,
}

impl<'a> Timelines<'a> {
    pub(super) const fn new(seen: &'a Observation, inventory: &'a Inventory) -> Self {
        Self { seen, inventory, since: None }
    }

    /// Leaves out timelines that an earlier server of the same archive left behind.
    pub(super) const fn since(mut self, since: Option<DateTime<Utc>>) -> Self {
        self.since = since;
        self
    }

    /// The newest timeline that left any trace.
    pub(super) fn newest(&self) -> Option<TimelineId> {
        let with_partials = self
            .inventory
            .timelines
            .iter()
            .filter(|(_, archive)| !archive.partials().is_empty() && self.since.is_none());
        let with_partials = with_partials.map(|(timeline, _)| *timeline).max();
        with_partials.max(self.with_segments().max()).max(self.listed().max())
    }

    /// The timelines that have whole segments, oldest first.
    pub(super) fn with_segments(&self) -> impl Iterator<Item = TimelineId> + '_ {
        let is_own = |archive: &TimelineArchive| {
            let ranges = archive.segments().ranges().iter();
            let mut edges = ranges.flat_map(|range| [range.first, range.last]);
            edges.any(|edge| self.is_own(archive.uploaded_at(edge)))
        };
        let timelines = self.inventory.timelines.iter();
        timelines.filter(move |(_, archive)| is_own(archive)).map(|(timeline, _)| *timeline)
    }

    /// The timelines whose history file is listed, oldest first.
    pub(super) fn listed(&self) -> impl Iterator<Item = TimelineId> + '_ {
        let histories = self.inventory.histories.iter();
        let own = histories.filter(|(_, object)| self.is_own(Some(object.uploaded_at)));
        own.map(|(timeline, _)| *timeline)
    }

    fn is_own(&self, uploaded_at: Option<DateTime<Utc>>) -> bool {
        match (self.since, uploaded_at) {
            (Some(since), Some(uploaded_at)) => since <= uploaded_at,
            (None, _) | (_, None) => true,
        }
    }

    pub(super) const fn seen(&self) -> &Observation {
        self.seen
    }

    pub(super) const fn inventory(&self) -> &Inventory {
        self.inventory
    }

    /// The route to the newest state. Where the newest timeline's history is of no use, only its
    /// own segments are on it.
    pub(super) fn route_to_newest(&self, newest: TimelineId) -> Option<Route> {
        let alone = || {
            let history = TimelineHistory::without_ancestors(newest);
            Route::new(&history, self.inventory.segment_size)
        };
        Some(self.route_to(newest).unwrap_or_else(|_| alone()))
    }

    /// Where recovery of a backup on `start` aims unless told otherwise: one history file after
    /// the other, up to the first that is missing.
    pub(super) fn default_target(&self, start: TimelineId) -> TimelineId {
        let mut target = start;
        while self.is_deliverable(target.next()) {
            target = target.next();
        }
        target
    }

    /// Whether barman-cloud-wal-restore hands out a history file.
    pub(super) fn is_deliverable(&self, timeline: TimelineId) -> bool {
        match self.seen.histories.get(&timeline) {
            None | Some(Ok(Err(HistoryDamage::Undecodable(_)))) => false,
            Some(Err(_) | Ok(Ok(_) | Err(HistoryDamage::Malformed(_)))) => true,
        }
    }

    /// The route to the end of a timeline, if PostgreSQL would start on it.
    pub(super) fn route_to(&self, target: TimelineId) -> Result<Route, NoRoute> {
        let history = match self.seen.histories.get(&target) {
            // PostgreSQL does not ask for the history of timeline 1.
            _ if target == TimelineId::FIRST => TimelineHistory::without_ancestors(target),
            None | Some(Ok(Err(HistoryDamage::Undecodable(_)))) => {
                TimelineHistory::without_ancestors(target)
            }
            Some(Ok(Ok(history))) => history.clone(),
            Some(Ok(Err(HistoryDamage::Malformed(_)))) => return Err(NoRoute::Damaged(target)),
            Some(Err(_)) => return Err(NoRoute::Unread(target)),
        };
        Ok(Route::new(&history, self.inventory.segment_size))
    }

    /// The route of a backup: to the default target, or, where PostgreSQL would refuse that, to
    /// the newest timeline that it can be told to aim for.
    pub(super) fn route_of(&self, wal: &BackupWal) -> Result<Route, NoRoute> {
        let default = self.default_target(wal.end.timeline);
        let mut refusal = None;
        for target in (wal.end.timeline.value()..=default.value()).rev() {
            let Some(target) = TimelineId::new(target) else { continue };
            match self.route_for(target, wal) {
                Ok(route) => return Ok(route),
                Err(NoRoute::Unread(timeline)) => return Err(NoRoute::Unread(timeline)),
                Err(no_route) => {
                    refusal.get_or_insert(no_route);
                }
            }
        }
        Err(refusal.unwrap_or(NoRoute::NotAChild(default)))
    }

    fn route_for(&self, target: TimelineId, wal: &BackupWal) -> Result<Route, NoRoute> {
        let route = self.route_to(target)?;
        if !self.descends(target, wal) {
            return Err(NoRoute::NotAChild(target));
        }
        if let Some(timeline) = self.contradiction(&route, wal) {
            return Err(NoRoute::Damaged(timeline));
        }
        Ok(route)
    }

    /// PostgreSQL demands that the backup's start and its minimum recovery point lie on the
    /// history of the target.
    fn descends(&self, target: TimelineId, wal: &BackupWal) -> bool {
        let lies_on = |timeline, lsn| {
            timeline == target
                || match self.seen.histories.get(&target) {
                    Some(Ok(Ok(history))) => {
                        history.switched_at(timeline).is_some_and(|switched_at| lsn <= switched_at)
                    }
                    Some(Err(_) | Ok(Err(_))) | None => false,
                }
        };
        lies_on(wal.begin.timeline, wal.begin_lsn) && lies_on(wal.end.timeline, wal.end_lsn)
    }

    /// A timeline after the backup's that has segments from before the switch to it: the history
    /// file names another switch point than the one that happened.
    fn contradiction(&self, route: &Route, wal: &BackupWal) -> Option<TimelineId> {
        let later = route.legs.iter().filter(|leg| wal.end.timeline < leg.timeline);
        later
            .filter(|leg| {
                let archive = self.inventory.timeline(leg.timeline);
                let oldest = archive.and_then(|archive| archive.segments().first());
                oldest.is_some_and(|oldest| oldest < leg.first)
            })
            .map(|leg| leg.timeline)
            .next()
    }
}
