//! Which timelines recovery follows from a backup.
//!
//! PostgreSQL aims for the newest timeline unless told otherwise (`findNewestTimeLine` in `timeline.c`).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::identity::Era;
use crate::assessment::archive::recoverability::route::Leg;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::unusable::NoRoute;
use crate::domain::backup::BackupStatus;
use crate::domain::backup_info::BackupWal;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::HistoryError;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::TimelineArchive;

/// The first segment of each of two timelines that is not the other's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    pub(crate) older: SegmentNumber,
    pub(crate) newer: SegmentNumber,
}

/// The timelines of an archive as recovery sees them.
pub(crate) struct Timelines<'a> {
    seen: &'a Observation,
    inventory: &'a Inventory,
    clock: Clock,
    /// `None` where no backup tells.
    system: Option<u64>,
    /// What was uploaded at other times is another server's.
    era: Era,
    /// The other servers that backed up here.
    others: BTreeSet<u64>,
    strays: BTreeSet<TimelineId>,
    /// For each timeline whose history file is handed out, the last of those that follow it
    /// without a hole.
    runs: BTreeMap<TimelineId, TimelineId>,
    /// Many backups take the same few routes.
    routes: RefCell<BTreeMap<TimelineId, Rc<Route>>>,
}

impl<'a> Timelines<'a> {
    /// Leaves out timelines that other servers of the same archive left behind.
    pub(crate) fn new(
        seen: &'a Observation,
        inventory: &'a Inventory,
        clock: Clock,
        system: Option<u64>,
        era: Era,
    ) -> Self {
        let mut runs: BTreeMap<TimelineId, TimelineId> = BTreeMap::new();
        let mut last = None;
        for &timeline in seen.histories.keys().rev().filter(|it| is_deliverable(seen, **it)) {
            let next = runs.first_key_value().map(|(next, _)| *next);
            let end = last.filter(|_| next == Some(timeline.next())).unwrap_or(timeline);
            runs.insert(timeline, end);
            last = Some(end);
        }
        let strays = inventory.stray_timelines(seen.backups.iter().flatten());
        let infos = seen.backups.iter().flatten().filter_map(ObservedBackup::parsed_info);
        let others = infos
            .filter(|info| info.status == BackupStatus::Done)
            .filter_map(|info| info.system_identifier)
            .filter(|it| system.is_some_and(|system| system != *it))
            .collect();
        let routes = RefCell::default();
        Self { seen, inventory, clock, system, era, others, strays, runs, routes }
    }

    /// The newest timeline that left WAL and is no stray, or the newest that recovery finds from
    /// there: a history file comes before the first segment, and one that nobody asks for leads
    /// nowhere.
    pub(crate) fn newest(&self) -> Option<TimelineId> {
        let with_wal = self.with_wal().filter(|it| !self.is_stray(*it)).max()?;
        let found = self.listed().filter(|it| *it <= self.default_target(with_wal));
        found.max().max(Some(with_wal))
    }

    /// The timelines that have segments or a `.partial`, oldest first.
    pub(crate) fn with_wal(&self) -> impl Iterator<Item = TimelineId> + '_ {
        let is_own = |timeline: TimelineId, archive: &TimelineArchive| {
            edges(archive).any(|edge| self.is_own_segment(timeline, archive, edge))
                || self.era.since.is_none() && !archive.partials().is_empty()
        };
        let timelines = self.inventory.timelines.iter();
        timelines
            .filter(move |(timeline, archive)| {
                is_own(**timeline, archive) || self.has_own_backup(**timeline)
            })
            .filter(move |(timeline, archive)| !self.is_new(**timeline, archive))
            .map(|(timeline, _)| *timeline)
    }

    /// Whether this server backed up there. Its WAL may have grown together with what an earlier server left
    /// under the higher names: then neither end of the range was uploaded in its time.
    fn has_own_backup(&self, timeline: TimelineId) -> bool {
        let mut wals = self.own_backups().filter_map(|it| it.parsed_info()?.wal);
        self.era.since.is_some() && wals.any(|wal| wal.begin.timeline == timeline)
    }

    /// Whether no server of this archive can have come to this timeline.
    pub(crate) fn is_stray(&self, timeline: TimelineId) -> bool {
        self.strays.contains(&timeline)
    }

    /// Whether a timeline's first segments overtook its history file: uploads run in parallel, and
    /// so do the parts of a listing.
    fn is_new(&self, timeline: TimelineId, archive: &TimelineArchive) -> bool {
        let is_young = || {
            let mut edges = edges(archive).peekable();
            edges.peek().is_some()
                && edges.all(|edge| {
                    let at = archive.uploaded_at(edge);
                    self.clock.is_within_grace(at) || self.clock.is_undated(at)
                })
        };
        let has_backup = || {
            let infos = self.seen.backups.iter().flatten().filter_map(ObservedBackup::parsed_info);
            let mut wal = infos.filter_map(|info| info.wal);
            wal.any(|wal| wal.begin.timeline == timeline || wal.end.timeline == timeline)
        };
        TimelineId::FIRST < timeline
            && !self.inventory.histories.contains_key(&timeline)
            && is_young()
            && !has_backup()
    }

    /// Whether a timeline was left out as new that may be old: nobody knows when it came.
    pub(crate) fn has_undated(&self) -> bool {
        self.inventory.timelines.iter().any(|(timeline, archive)| {
            self.clock.is_undated(archive.latest_upload()) && self.is_new(*timeline, archive)
        })
    }

    /// The timelines whose history file is listed, oldest first.
    pub(crate) fn listed(&self) -> impl Iterator<Item = TimelineId> + '_ {
        let histories = self.inventory.histories.iter();
        let own = histories.filter(|(_, object)| self.is_own(Some(object.uploaded_at)));
        own.map(|(timeline, _)| *timeline)
    }

    /// Whether this server may have uploaded it.
    pub(crate) fn is_own(&self, uploaded_at: Option<DateTime<Utc>>) -> bool {
        uploaded_at.is_none_or(|uploaded_at| self.era.has(uploaded_at))
    }

    /// Whether this server may have stored a segment, by its time and by what opening it showed.
    pub(crate) fn is_own_segment(
        &self,
        timeline: TimelineId,
        archive: &TimelineArchive,
        number: SegmentNumber,
    ) -> bool {
        let is_of_other = || {
            let probes = self.seen.probes.timeline(timeline);
            let is_meant = |writer: u64| self.others.contains(&writer);
            probes.and_then(|it| it.first_written(SegmentRange::only(number), is_meant)).is_some()
        };
        self.is_own(archive.uploaded_at(number)) && (self.others.is_empty() || !is_of_other())
    }

    /// The segments to open to know whose a timeline is on which this server has no backup: an old primary
    /// may archive its last segments long after the next server came.
    pub(crate) fn contested(&self) -> impl Iterator<Item = SegmentId> + '_ {
        let timelines = self.inventory.timelines.iter().rev();
        let timelines = timelines
            .filter(|(timeline, _)| self.era.since.is_some() && !self.has_own_backup(**timeline));
        let newest = timelines.filter_map(|(&timeline, archive)| {
            let is_own = |edge: &SegmentNumber| self.is_own_segment(timeline, archive, *edge);
            let number = edges(archive).filter(is_own).last()?;
            Some(SegmentId { timeline, number })
        });
        newest.filter(|id| !self.seen.probes.has(*id)).take(CONTESTED_MAX)
    }

    pub(crate) const fn seen(&self) -> &Observation {
        self.seen
    }

    /// When the next server came, if this one is not the last.
    pub(crate) const fn until(&self) -> Option<DateTime<Utc>> {
        self.era.until
    }

    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The backups of this server.
    pub(crate) fn own_backups(&self) -> impl Iterator<Item = &ObservedBackup> {
        let backups = self.seen.backups.iter().flatten();
        backups.filter(|it| it.parsed_info().is_some_and(|it| it.system_identifier == self.system))
    }

    /// The timeline that Kubernetes tells. One above the newest history file is of the server before
    /// an upgrade: CloudNativePG before 1.28.1 did not begin anew with it.
    pub(crate) fn told(&self) -> Option<TimelineId> {
        if self.era.until.is_some() {
            return None;
        }
        let told = TimelineId::new(self.seen.cluster.as_ref()?.timeline?)?;
        let newest = self.inventory.histories.keys().max().copied().unwrap_or(TimelineId::FIRST);
        Some(told).filter(|told| *told <= newest)
    }

    /// Where the ways to the ends of two timelines part, as segments of each.
    pub(crate) fn parting(&self, older: TimelineId, newer: TimelineId) -> Parting {
        let parting = self.route_to(newer).ok().and_then(|route| self.parts_from(older, &route));
        let is_lost = !matches!(self.seen.histories.get(&newer), Some(Ok(Ok(_))));
        match parting {
            Some(number) if !is_lost => Parting { older: number, newer: number },
            // Without its history file, the first of its segments is the one of the switch.
            _ => {
                let newer = self.oldest_own(newer).unwrap_or(SegmentNumber::new(0));
                Parting { older: newer, newer }
            }
        }
    }

    /// Where the way to the end of a timeline parts from a route.
    fn parts_from(&self, timeline: TimelineId, route: &Route) -> Option<SegmentNumber> {
        let (own, others) = (self.history(timeline).ok()?, self.history(route.target).ok()?);
        // Mostly the route leads through the timeline: then that one's own is not even made.
        if others.continues(&own) {
            return route.begin_behind(timeline);
        }
        self.route_to(timeline).ok()?.parts_from(route)
    }

    pub(crate) const fn inventory(&self) -> &Inventory {
        self.inventory
    }

    /// The route to the newest state. Where the newest timeline's history is of no use, only its
    /// own segments are on it.
    pub(crate) fn route_to_newest(&self, newest: TimelineId) -> Rc<Route> {
        let alone = || {
            let history = TimelineHistory::without_ancestors(newest);
            Rc::new(Route::new(&history, self.inventory.segment_size))
        };
        self.route_to(newest).unwrap_or_else(|_| alone())
    }

    /// Where recovery of a backup on `start` aims unless told otherwise: one history file after
    /// the other, up to the first that is missing.
    pub(crate) fn default_target(&self, start: TimelineId) -> TimelineId {
        let run_end = self.runs.get(&start.next()).copied();
        run_end.unwrap_or(start).max(start)
    }

    /// The route to the end of a timeline, if PostgreSQL would start on it.
    pub(crate) fn route_to(&self, target: TimelineId) -> Result<Rc<Route>, NoRoute> {
        if let Some(known) = self.routes.borrow().get(&target) {
            return Ok(Rc::clone(known));
        }
        let history = self.history(target)?;
        let mut route = Route::new(&history, self.inventory.segment_size);
        let begins_early =
            |leg: &&Leg| self.oldest_own(leg.timeline).is_some_and(|oldest| oldest < leg.first);
        route.contradicted =
            route.legs.iter().filter(begins_early).map(|leg| leg.timeline).collect();
        let route = Rc::new(route);
        self.routes.borrow_mut().insert(target, Rc::clone(&route));
        Ok(route)
    }

    /// What recovery takes for the history of a timeline.
    fn history(&self, target: TimelineId) -> Result<Cow<'a, TimelineHistory>, NoRoute> {
        let alone = || Ok(Cow::Owned(TimelineHistory::without_ancestors(target)));
        match self.seen.histories.get(&target) {
            // PostgreSQL does not ask for the history of timeline 1.
            _ if target == TimelineId::FIRST => alone(),
            None | Some(Ok(Err(HistoryDamage::Undecodable(_)))) => alone(),
            // `readTimeLineHistory` accepts a file without a line.
            Some(Ok(Err(HistoryDamage::Malformed(HistoryError::NoAncestor(_))))) => alone(),
            Some(Ok(Ok(history))) => Ok(Cow::Borrowed(history)),
            Some(Ok(Err(HistoryDamage::Malformed(_)))) => Err(NoRoute::Damaged(target)),
            Some(Err(_)) => Err(NoRoute::Unread(target)),
        }
    }

    /// The timelines that recovery of a backup may aim for: the living one, the one that it aims for
    /// by itself, and then all others that it can be told, the newest first.
    pub(crate) fn targets(
        &self,
        wal: &BackupWal,
        living: Option<TimelineId>,
    ) -> impl Iterator<Item = TimelineId> + '_ {
        let (own, default) = (wal.end.timeline, self.default_target(wal.end.timeline));
        let others = self.runs.keys().rev().copied().filter(move |it| own < *it);
        let others = others.take(TARGETS_MAX).chain([own]);
        let others = others.filter(move |it| *it != default && Some(*it) != living);
        living.into_iter().chain(Some(default).filter(|it| Some(*it) != living)).chain(others)
    }

    /// The route of a backup to a timeline, if PostgreSQL would start on it.
    pub(crate) fn route_for(
        &self,
        target: TimelineId,
        wal: &BackupWal,
    ) -> Result<Rc<Route>, NoRoute> {
        let is_told = target != self.default_target(wal.end.timeline);
        if is_told && TimelineId::FIRST < target && !self.runs.contains_key(&target) {
            return Err(NoRoute::Untold(target));
        }
        let route = self.route_to(target)?;
        if !self.descends(target, wal) {
            return Err(NoRoute::NotAChild(target));
        }
        let own = wal.end.timeline;
        match route.contradicted.iter().find(|timeline| own < **timeline) {
            Some(timeline) => Err(NoRoute::Damaged(*timeline)),
            None => Ok(route),
        }
    }

    /// PostgreSQL demands that the backup's start and its minimum recovery point lie on the
    /// history of the target (`tliOfPointInHistory` in `timeline.c`).
    fn descends(&self, target: TimelineId, wal: &BackupWal) -> bool {
        let history = match self.seen.histories.get(&target) {
            Some(Ok(Ok(history))) if TimelineId::FIRST < target => Some(history),
            _ => None,
        };
        let lies_on = |timeline, lsn| match history {
            None => timeline == target,
            Some(history) => history.has(timeline, lsn),
        };
        lies_on(wal.begin.timeline, wal.begin_lsn) && lies_on(wal.end.timeline, wal.end_lsn)
    }

    /// The oldest segment of a timeline that is not an earlier server's.
    pub(crate) fn oldest_own(&self, timeline: TimelineId) -> Option<SegmentNumber> {
        let archive = self.inventory.timeline(timeline)?;
        let mut ranges = archive.segments().ranges().iter();
        let is_own = |range: &&SegmentRange| {
            let mut edges = [range.first, range.last].into_iter();
            edges.any(|edge| self.is_own_segment(timeline, archive, edge))
        };
        ranges.find(is_own).map(|range| range.first)
    }
}

/// More timelines than this are not tried one by one.
const TARGETS_MAX: usize = 64;

/// A server has a backup on each of its timelines but the last few.
const CONTESTED_MAX: usize = 8;

/// The ends of a timeline's ranges, of which alone the uploads are known.
fn edges(archive: &TimelineArchive) -> impl Iterator<Item = SegmentNumber> + '_ {
    archive.segments().ranges().iter().flat_map(|range| [range.first, range.last])
}

/// Whether barman-cloud-wal-restore hands out a history file.
fn is_deliverable(seen: &Observation, timeline: TimelineId) -> bool {
    match seen.histories.get(&timeline) {
        None | Some(Ok(Err(HistoryDamage::Undecodable(_)))) => false,
        Some(Err(_) | Ok(Ok(_) | Err(HistoryDamage::Malformed(_)))) => true,
    }
}
