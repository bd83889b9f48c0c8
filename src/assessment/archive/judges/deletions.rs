//! Was something deleted that nobody ordered to delete, or is it about to be?

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::domain::backup::BackupId;
use crate::domain::moment::after;
use crate::domain::moment::before;
use crate::domain::timeline::TimelineId;
use crate::observation::content::Gone;
use crate::observation::content::GoneObject;

/// The plugin deletes by the primary's clock.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::hours(1);

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let Some(retention) = case.expected.retention else { return Vec::new() };
    let found = [deleted_early(case, retention), rule_conflict(case, retention)];
    found.into_iter().flatten().collect()
}

fn deleted_early(case: &ArchiveCase<'_>, retention: TimeDelta) -> Option<Finding> {
    let accepted_before = case.expected.acknowledge_gap_before;
    let gone = case.seen.content.gone.iter();
    let lost: Vec<&GoneObject> = gone
        .filter(|it| accepted_before.is_none_or(|accepted| accepted <= it.last_seen_at))
        .filter(|it| is_kept(case, it, retention))
        .collect();
    let backups: Vec<BackupId> = lost.iter().filter_map(|it| it.what.backup().cloned()).collect();
    let histories: Vec<TimelineId> = lost.iter().filter_map(|it| it.what.history()).collect();
    let last_seen_at = lost.iter().map(|it| it.last_seen_at).max()?;
    let problem = BrokenPromise::DeletedEarly { backups, histories, last_seen_at, retention };
    Some(Finding::new(Weight::Risk, problem))
}

/// Rules of the bucket that delete what retention still keeps. The window's first moments need a backup
/// from before it, which such a rule does not know.
fn rule_conflict(case: &ArchiveCase<'_>, retention: TimeDelta) -> Option<Finding> {
    let folder = case.subject.address.as_ref()?.folder();
    let rules = case.seen.expiry_rules.iter().flatten();
    let rules: Vec<(String, u32)> = rules
        .filter(|rule| {
            rule.touches(folder.as_str()) && TimeDelta::days(rule.days.into()) <= retention
        })
        .map(|rule| (rule.id.clone(), rule.days))
        .collect();
    let problem = BrokenPromise::LifecycleRuleConflict { rules: rules.clone(), retention };
    (!rules.is_empty()).then(|| Finding::new(Weight::Risk, problem))
}

/// Whether retention does not delete it. It leaves alone what ended within its window, and the newest
/// backup from before: the window's first moments are restored from it (`_backup_status` of
/// `RecoveryWindowRetentionPolicy` in `barman/retention_policies.py`).
fn is_kept(case: &ArchiveCase<'_>, gone: &GoneObject, retention: TimeDelta) -> bool {
    let deadline = before(case.now, retention);
    match &gone.what {
        Gone::Backup(_) => {
            let stored = case.backups.iter().filter_map(|backup| backup.ended_at);
            let others = case.seen.content.gone.iter();
            let others = others.filter(|it| it.what.backup().is_some()).map(|it| it.dated);
            let covers = |ended_at: DateTime<Utc>| {
                gone.dated < ended_at && ended_at <= after(deadline, CLOCKS_APART_MAX)
            };
            !stored.chain(others).any(covers)
        }
        // Retention deletes no history file of WAL that is there.
        Gone::History(timeline) => {
            case.inventory.timeline(*timeline).is_some_and(|it| !it.segments().is_empty())
        }
    }
}

impl Gone {
    const fn backup(&self) -> Option<&BackupId> {
        match self {
            Self::Backup(id) => Some(id),
            Self::History(_) => None,
        }
    }

    const fn history(&self) -> Option<TimelineId> {
        match self {
            Self::Backup(_) => None,
            Self::History(timeline) => Some(*timeline),
        }
    }
}
