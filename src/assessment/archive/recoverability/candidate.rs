//! Backups whose objects are complete, and what their WAL makes of them.

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::archive::catalogue::Complete;
use crate::assessment::archive::recoverability::replay::Obstacle;
use crate::assessment::archive::recoverability::replay::ObstacleKind;
use crate::assessment::archive::recoverability::replay::Reach;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::finding::archive::backup::MissingWal;
use crate::assessment::unusable::NoRoute;
use crate::assessment::unusable::UnusableReason;
use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupWal;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::observation::backup::ObservedBackup;
use crate::observation::probe::SegmentId;

/// A finished backup with all its objects, and what its WAL makes of it.
pub(crate) struct Candidate<'a> {
    pub(crate) backup: &'a ObservedBackup,
    pub(crate) info: &'a BackupInfo,
    pub(crate) wal: BackupWal,
    /// The first segment of it that must be whole.
    pub(crate) first_needed: SegmentNumber,
    pub(crate) route: Result<Rc<Route>, NoRoute>,
    /// How far recovery gets, if it gets to a consistent state.
    pub(crate) reach: Result<Reach, UnusableReason>,
    /// The way to the newest state, where the backup can be restored by another one only.
    pub(crate) barred: Option<Barred>,
    /// No complete backup of the archive is newer.
    is_newest: bool,
}

/// A way on which a backup never becomes consistent.
pub(crate) struct Barred {
    pub(crate) route: Rc<Route>,
    pub(crate) by: Obstacle,
}

impl<'a> Candidate<'a> {
    pub(crate) const fn complete(&self) -> Complete<'a> {
        Complete { backup: self.backup, info: self.info, wal: self.wal }
    }

    pub(crate) fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref().ok()
    }

    /// Whether the WAL after the backup's own may be deleted. Deletion stops at the begin of the
    /// next backup, so after the newest one nothing is (`_remove_wals_for_backup` in
    /// `barman/clients/cloud_backup_delete.py`).
    fn is_standalone(&self) -> bool {
        matches!(self.backup.keep, Ok(Some(Keep::Standalone))) && !self.is_newest
    }

    /// Whether the backup is standalone and reaches its own end and nothing else.
    pub(crate) fn is_confined(&self) -> bool {
        let last = self.reach().and_then(|reach| reach.last);
        self.is_standalone() && last.is_none_or(|last| last.number == self.wal.last_required)
    }

    /// The last segment that the backup asks the archive to keep.
    fn needs_until(&self, route: &Route, replay: &Replay<'_>) -> SegmentNumber {
        if self.is_standalone() {
            return self.wal.last_required;
        }
        let tip = replay.settled_tip(route);
        tip.map_or(self.wal.last_required, |tip| tip.number)
    }
}

impl Complete<'_> {
    /// How far recovery gets on a route, if it gets to a consistent state.
    pub(crate) fn reach(
        &self,
        route: &Route,
        replay: &Replay<'_>,
    ) -> Result<Reach, UnusableReason> {
        let BackupWal { first_required, last_required, .. } = self.wal;
        let required = replay.reach_of(route, &self.wal, last_required);
        let (cut, obstacle) = match required.stopped_by {
            // Damaged behind the end of the backup: recovery ends there, and is consistent.
            Some(obstacle)
                if obstacle.at.number == last_required
                    && replay.is_replayed_until(&obstacle, self.wal.end_lsn) =>
            {
                (Some(obstacle), None)
            }
            other => (None, other),
        };
        if let Some(obstacle) = obstacle {
            return Err(self.unusable(route, replay, obstacle));
        }
        let needed = SegmentRange { first: first_required, last: last_required };
        if !replay.is_own(route, needed) {
            return Err(UnusableReason::WalNotKnown { system: self.info.system_identifier });
        }
        if let Some(obstacle) = cut {
            return Ok(Reach { last: Some(obstacle.at), stopped_by: Some(obstacle) });
        }
        let tip = replay.settled_tip(route).map_or(last_required, |tip| tip.number);
        // A hole that may still be filled can lie before the backup, and then is not in its way.
        let tip = replay.proven_until(route, first_required, tip.max(last_required));
        // What follows a standalone backup can be replayed as long as it is there.
        let reach = replay.reach_of(route, &self.wal, tip);
        // Read ahead, it stops recovery before it is consistent, and without that at once after. Whose it is
        // does not matter.
        let misfit = |number| replay.handed_out(route, number).filter(|it| replay.is_misfit(it.at));
        if let Some(obstacle) = misfit(last_required.next()) {
            return Err(self.unusable(route, replay, obstacle));
        }
        // Behind the end as well: a timeline that has stored nothing yet gets its parent's.
        let behind = reach.last.filter(|_| reach.is_through());
        let behind = behind.and_then(|last| misfit(last.number.next()));
        Ok(Reach { stopped_by: reach.stopped_by.or(behind), ..reach })
    }

    fn unusable(&self, route: &Route, replay: &Replay<'_>, obstacle: Obstacle) -> UnusableReason {
        let at = obstacle.at;
        let segment = at.number.name(at.timeline, self.wal.segment_size);
        match obstacle.kind {
            ObstacleKind::Damaged(fault) => UnusableReason::SegmentDamaged { segment, fault },
            ObstacleKind::Shadowed => UnusableReason::SegmentShadowed(segment),
            ObstacleKind::Missing => {
                let tip = replay.settled_tip(route);
                let is_awaited = tip.is_none_or(|tip| tip.number < at.number)
                    && replay.clock.is_within_grace(self.completed_at());
                if is_awaited {
                    UnusableReason::SegmentAwaited(segment)
                } else {
                    UnusableReason::WalMissing(self.missing_wal(route, replay, at))
                }
            }
        }
    }

    /// The missing ones among the required segments, of which the first is known.
    fn missing_wal(&self, route: &Route, replay: &Replay<'_>, first: SegmentId) -> MissingWal {
        let (mut last, mut count) = (first, 0);
        for stretch in route.stretches(first.number, self.wal.last_required) {
            let gaps = match replay.inventory.timeline(stretch.timeline) {
                Some(timeline) => timeline.segments().gaps(stretch.segments),
                None => vec![stretch.segments],
            };
            for gap in gaps {
                last = SegmentId { timeline: stretch.timeline, number: gap.last };
                count = gap.count().saturating_add(count);
            }
        }
        let name = |id: SegmentId| id.number.name(id.timeline, self.wal.segment_size);
        MissingWal { first: name(first), last: name(last), count }
    }

    /// When the backup was really finished: the upload of `backup.info` is its last act.
    fn completed_at(&self) -> Option<DateTime<Utc>> {
        let info = self.backup.info.as_ref().ok()?.as_ref()?;
        Some(info.uploaded_at)
    }
}

/// All complete backups, judged.
pub(crate) fn all<'a>(
    complete: &[Complete<'a>],
    timelines: &Timelines<'_>,
    living: Option<TimelineId>,
    replay: &Replay<'_>,
) -> Vec<Candidate<'a>> {
    let newest = complete.iter().map(Complete::ended).max();
    let judge = |it: &Complete<'a>| {
        let is_newest = Some(it.ended()) == newest;
        Candidate { is_newest, ..it.judge(timelines, living, replay) }
    };
    complete.iter().map(judge).collect()
}

impl<'a> Complete<'a> {
    const fn ended(&self) -> (Option<DateTime<Utc>>, &'a BackupId) {
        (self.info.ended_at, &self.backup.id)
    }

    /// By the first of its targets that brings it back.
    fn judge(
        &self,
        timelines: &Timelines<'_>,
        living: Option<TimelineId>,
        replay: &Replay<'_>,
    ) -> Candidate<'a> {
        let Self { backup, info, wal } = *self;
        let (mut refusal, mut failure, mut barred) = (None, None, None);
        let mut is_unread = None;
        let mut found = None;
        for target in timelines.targets(&wal, living) {
            let route = match timelines.route_for(target, &wal) {
                Ok(route) => route,
                Err(NoRoute::Unread(timeline)) => {
                    is_unread.get_or_insert(NoRoute::Unread(timeline));
                    continue;
                }
                // The way to the newest state is no way of a backup that was left behind.
                Err(NoRoute::NotAChild(_) | NoRoute::Untold(_)) if Some(target) == living => {
                    continue;
                }
                Err(no_route) => {
                    refusal.get_or_insert(no_route);
                    continue;
                }
            };
            match self.reach(&route, replay) {
                Ok(reach) => {
                    found = Some((route, reach));
                    break;
                }
                Err(reason) => {
                    let by = replay.reach_of(&route, &wal, wal.last_required).stopped_by;
                    if Some(target) == living {
                        barred = by.map(|by| Barred { route: Rc::clone(&route), by });
                    }
                    failure.get_or_insert((route, reason));
                }
            }
        }
        let (route, reach) = match (found, is_unread, failure) {
            (Some((route, reach)), ..) => (Ok(route), Ok(reach)),
            (None, Some(unread), _) => (Err(unread), Err(UnusableReason::NoRoute(unread))),
            (None, None, Some((route, reason))) => (Ok(route), Err(reason)),
            (None, None, None) => {
                let default = timelines.default_target(wal.end.timeline);
                let no_route = refusal.unwrap_or(NoRoute::NotAChild(default));
                (Err(no_route), Err(UnusableReason::NoRoute(no_route)))
            }
        };
        let barred = barred.filter(|_| reach.is_ok());
        let first_needed = match &route {
            Ok(route) => replay.first_needed(route, &wal),
            Err(_) => wal.first_required,
        };
        Candidate { backup, info, wal, first_needed, route, reach, barred, is_newest: false }
    }
}

/// Segments of a route that backups ask the archive to keep.
pub(crate) struct Need {
    pub(crate) route: Rc<Route>,
    pub(crate) segments: SegmentRange,
}

/// Backups with the same route and the same end are one need, from the oldest of them on.
pub(crate) fn needs(replay: &Replay<'_>, candidates: &[Candidate<'_>]) -> Vec<Need> {
    let mut needs: BTreeMap<(TimelineId, SegmentNumber), (&Rc<Route>, SegmentNumber)> =
        BTreeMap::new();
    for candidate in candidates {
        let barred = candidate.barred.as_ref().map(|it| &it.route);
        for route in candidate.route.iter().chain(barred) {
            let (first, until) = (candidate.first_needed, candidate.needs_until(route, replay));
            let need = needs.entry((route.target, until)).or_insert((route, first));
            need.1 = need.1.min(first);
        }
    }
    let needs = needs.into_iter().filter_map(|((_, until), (route, first))| {
        Some(Need { route: Rc::clone(route), segments: SegmentRange::new(first, until)? })
    });
    needs.collect()
}
