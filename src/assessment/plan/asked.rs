//! The search for the way to what somebody asks for.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::Latest;
use crate::assessment::RecoveryWindow;
use crate::assessment::TimeSource;
use crate::assessment::plan::Left;
use crate::assessment::plan::Restore;
use crate::assessment::plan::RestorePlan;
use crate::assessment::plan::Stop;
use crate::assessment::plan::refusal::Doubt;
use crate::assessment::plan::refusal::Obstruction;
use crate::assessment::plan::refusal::Why;
use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::recovery_target::Question;
use crate::domain::timeline::TimelineId;

/// `recovery_prefetch` came with this major version.
const PREFETCHING: u32 = 15;

/// A question to an assessment.
pub(super) struct Asked<'a> {
    pub(super) assessment: &'a Assessment,
    pub(super) question: &'a Question,
}

impl<'a> Asked<'a> {
    /// The windows that come into question, oldest first.
    pub(super) fn windows(&self) -> impl DoubleEndedIterator<Item = &'a RecoveryWindow> {
        let Question { backup, timeline, .. } = self.question;
        let id = backup.as_deref().and_then(|name| self.backup(name)).map(|it| &it.id);
        self.assessment.windows.iter().filter(move |window| {
            id.is_none_or(|id| window.backup_id == *id)
                && timeline.is_none_or(|it| window.last.segment.timeline == it)
        })
    }

    fn backup(&self, name: &str) -> Option<&'a AssessedBackup> {
        self.assessment.backups.iter().find(|backup| backup.is_called(name))
    }

    /// What is to be said of a named backup that cannot be restored.
    pub(super) fn refusal_of_backup(&self) -> Option<RestorePlan> {
        let name = self.question.backup.as_deref()?;
        let Some(backup) = self.backup(name) else {
            let is_known = self.assessment.observed_at.is_some();
            return Some(if is_known {
                Self::not_reachable(Why::NoSuchBackup(name.to_owned()), None, None)
            } else {
                self.unknown()
            });
        };
        let unusable = backup.unusable.as_deref()?;
        let why = Why::BackupUnusable(backup.id.clone(), unusable.to_string());
        Some(Self::not_reachable(why, None, None))
    }

    pub(super) fn latest(&self) -> RestorePlan {
        let newest = self.assessment.newest_segment.map(|newest| newest.name);
        let mut windows = self.windows().rev();
        let reaching = windows.find(|window| Some(window.last.segment) == newest);
        match (self.assessment.latest, reaching) {
            (Latest::Reached, Some(window)) => self.restore(window, Stop::Never, Vec::new()),
            // The end of a branch that was named is its newest state.
            (Latest::Reached | Latest::NotReached, None) if self.question.timeline.is_some() => {
                match self.windows().max_by_key(|window| window.last.lsn) {
                    Some(window) => self.restore(window, Stop::Never, Vec::new()),
                    None => Self::not_reachable(Why::NoUsableBackup, None, None),
                }
            }
            (Latest::Unknown, _) => self.unknown(),
            (Latest::Reached | Latest::NotReached, _) => {
                let nearest = self.windows().filter_map(RecoveryWindow::last_target).max();
                let is_any = self.windows().next().is_some();
                let why = if is_any { Why::NewestNotReached } else { Why::NoUsableBackup };
                Self::not_reachable(why, nearest, None)
            }
        }
    }

    pub(super) fn moment(&self, at: DateTime<Utc>) -> RestorePlan {
        let is_newest_commit = |window: &&RecoveryWindow| {
            window.last.at == at && window.last.source == TimeSource::Commit
        };
        if self.windows().any(|window| is_newest_commit(&window)) {
            // Nothing later tells recovery to stop here; without a target it ends here by itself.
            if let RestorePlan::Reachable(restore) = self.latest()
                && restore.window.last.at == at
            {
                return RestorePlan::Reachable(restore);
            }
        }
        // From the newest backup there is the least WAL to replay; one that takes no explicit target
        // timeline lies on the current one.
        let best = self.windows().filter(|window| window.contains(at)).max_by_key(|window| {
            let is_proven = window.last.source == TimeSource::Commit;
            (window.is_of_living(at), is_proven, window.target_timeline.is_none(), window.first.at)
        });
        match best {
            Some(window)
                if window.last.source == TimeSource::Commit || self.has_proof(window, at) =>
            {
                self.restore(window, Stop::At(at), self.elsewhere(window, at))
            }
            Some(_) => RestorePlan::Unknown(Doubt::NoCommitFound),
            None if self.assessment.observed_at.is_none() && self.assessment.windows.is_empty() => {
                self.unknown()
            }
            None => self.no_such_moment(at),
        }
    }

    /// Another window with a known commit after the target on the same segments proves this one too.
    fn has_proof(&self, window: &RecoveryWindow, at: DateTime<Utc>) -> bool {
        self.assessment.windows.iter().any(|other| {
            other.last.source == TimeSource::Commit
                && at < other.last.at
                && other.last.segment <= window.last.segment
                && other.last.segment.timeline == window.last.segment.timeline
        })
    }

    /// Other branches that have the position as well, behind the fork where they part.
    fn elsewhere_at(&self, best: &RecoveryWindow, lsn: Lsn) -> Vec<(TimelineId, BackupId)> {
        let others = self.windows().rev().filter(|window| {
            window.first.lsn <= lsn
                && lsn < window.last.lsn
                && window.timeline_at(lsn) != best.timeline_at(lsn)
        });
        one_of_each_timeline(others)
    }

    /// Other branches that have the moment as well, and mean another state by it.
    fn elsewhere(&self, best: &RecoveryWindow, at: DateTime<Utc>) -> Vec<(TimelineId, BackupId)> {
        let timeline = |window: &RecoveryWindow| window.last.segment.timeline;
        let others = self.windows().rev().filter(|window| {
            window.contains(at)
                && timeline(window) != timeline(best)
                && (!window.is_of_living(at) || !best.is_of_living(at))
        });
        one_of_each_timeline(others)
    }

    fn no_such_moment(&self, at: DateTime<Utc>) -> RestorePlan {
        // A window without a later commit can be restored to its end only, not to a moment.
        let before = self.windows().filter_map(RecoveryWindow::last_target);
        let before = before.filter(|last| *last < at).max();
        let after = self.windows().filter(|window| window.last_target().is_some());
        let after = after.map(|window| window.first.at).filter(|first| at < *first).min();
        let is_newest_state = self.assessment.latest == Latest::Reached
            && self.windows().filter(|it| it.apart_from.is_none()).all(|it| it.last.at <= at);
        let why = match (before, after) {
            _ if self.windows().next().is_none() => Why::NoUsableBackup,
            (_, None) if is_newest_state => Why::NothingFollows,
            (None, _) => Why::BeforeTheOldest,
            (Some(_), None) => Why::NothingFollowsBeforeTheEnd,
            (Some(_), Some(_)) => Why::Missing,
        };
        Self::not_reachable(why, before, after)
    }

    pub(super) fn lsn(&self, lsn: Lsn) -> RestorePlan {
        let holding = self.windows().filter(|it| it.first.lsn <= lsn && lsn < it.last.lsn);
        let best = holding.max_by_key(|it| {
            (
                it.apart_from.is_none(),
                it.system.is_none(),
                it.target_timeline.is_none(),
                it.first.at,
            )
        });
        match best {
            // How far the log goes in the last segment was not read.
            Some(window) if window.begins_last_segment_after(lsn) => {
                self.restore(window, Stop::Lsn(lsn), self.elsewhere_at(window, lsn))
            }
            Some(_) => RestorePlan::Unknown(Doubt::EndOfLogNotRead),
            None if self.assessment.observed_at.is_none() => self.unknown(),
            None => Self::not_reachable(Why::NoSuchPosition, None, None),
        }
    }

    pub(super) fn backup_itself(&self) -> RestorePlan {
        let best = self.windows().max_by_key(|window| {
            (window.apart_from.is_none(), window.target_timeline.is_none(), window.first.at)
        });
        match best {
            Some(window) => self.restore(window, Stop::Consistent, Vec::new()),
            None if self.assessment.observed_at.is_none() => self.unknown(),
            None => Self::not_reachable(Why::NoUsableBackup, None, None),
        }
    }

    pub(super) fn restore(
        &self,
        window: &RecoveryWindow,
        stop: Stop,
        elsewhere: Vec<(TimelineId, BackupId)>,
    ) -> RestorePlan {
        let assessment = self.assessment;
        let backup = assessment.backups.iter().find(|backup| backup.id == window.backup_id);
        let totals = &assessment.totals;
        let mean = totals.wal_bytes.checked_div(totals.wal_objects).unwrap_or(0);
        let segments: u64 = window.path.iter().map(|stretch| stretch.count).sum();
        let is_prefetching = totals.postgres_major.is_none_or(|major| PREFETCHING <= major);
        RestorePlan::Reachable(Restore {
            window: Box::new(window.clone()),
            elsewhere,
            base_bytes: backup.map_or(0, |backup| backup.size_bytes),
            wal_bytes_max: segments.saturating_mul(mean),
            dropped_by: self.dropped_by(window, &stop),
            left: self.left(window, &stop),
            needs_prefetch_off: window.ends_at_misfit && is_prefetching,
            stop,
        })
    }

    fn left(&self, window: &RecoveryWindow, stop: &Stop) -> Option<Left> {
        let timeline = window.last.segment.timeline;
        let is_left = match stop {
            Stop::At(at) => !window.is_of_living(*at),
            Stop::Lsn(lsn) => window.timeline_at(*lsn) == Some(timeline),
            Stop::Never | Stop::RestorePoint(_) => true,
            // What a backup holds is older than any parting.
            Stop::Consistent => false,
        };
        let living = self.assessment.timelines.iter().find(|it| it.is_living);
        let living = living.map(|it| it.timeline).filter(|_| window.system.is_none());
        (is_left && window.apart_from.is_some()).then_some(Left { timeline, living })
    }

    fn dropped_by(&self, window: &RecoveryWindow, stop: &Stop) -> Option<OperatorVersion> {
        let mut timelines = window.path.iter().map(|stretch| stretch.first.timeline);
        let first = timelines.next()?;
        let is_over_several = timelines.any(|it| it != first) && *stop != Stop::Consistent;
        let operator = self.assessment.cluster.as_ref()?.operator;
        operator.filter(|version| is_over_several && version.drops_histories())
    }

    pub(super) fn unknown(&self) -> RestorePlan {
        let finding = self.assessment.findings.first();
        RestorePlan::Unknown(
            finding.map_or(Doubt::NotReadYet, |finding| Doubt::Finding(finding.to_string())),
        )
    }

    pub(super) const fn not_reachable(
        why: Why,
        nearest_before: Option<DateTime<Utc>>,
        nearest_after: Option<DateTime<Utc>>,
    ) -> RestorePlan {
        RestorePlan::NotReachable(Obstruction { why, nearest_before, nearest_after })
    }
}

impl AssessedBackup {
    /// Whether somebody means it by this.
    fn is_called(&self, name: &str) -> bool {
        self.id.as_str() == name || self.name.as_deref() == Some(name)
    }
}

/// The first window that ends on each timeline.
fn one_of_each_timeline<'a>(
    windows: impl Iterator<Item = &'a RecoveryWindow>,
) -> Vec<(TimelineId, BackupId)> {
    let mut found: Vec<(TimelineId, BackupId)> = Vec::new();
    for window in windows {
        let timeline = window.last.segment.timeline;
        if found.iter().all(|(known, _)| *known != timeline) {
            found.push((timeline, window.backup_id.clone()));
        }
    }
    found
}
