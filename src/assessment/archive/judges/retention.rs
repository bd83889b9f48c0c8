//! Is the window as long as promised, and is what outlived the promise deleted?

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::BackupKind;
use crate::assessment::RecoveryWindow;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;

/// An archive is as old as its first WAL, but its window begins with its first backup. This much
/// may lie between them: two daily backups, in case the first one failed.
const FIRST_BACKUP_MAX: TimeDelta = TimeDelta::hours(48);

/// Retention runs every half hour on the primary; a day covers a primary that was away.
const DELETION_GRACE: TimeDelta = TimeDelta::hours(24);

/// Since when moments can be restored. A backup that is kept standalone restores its own end and
/// none of the moments after it.
pub(crate) fn oldest_moment(
    windows: &[RecoveryWindow],
    observed: &[ObservedBackup],
) -> Option<DateTime<Utc>> {
    let standalone: BTreeSet<&BackupId> = observed
        .iter()
        .filter(|backup| matches!(backup.keep, Ok(Some(Keep::Standalone))))
        .map(|backup| &backup.id)
        .collect();
    windows
        .iter()
        .filter(|it| it.first.at < it.last.at || !standalone.contains(&it.backup_id))
        .map(|window| window.first.at)
        .min()
}

pub(crate) fn judge_window(
    oldest_moment: Option<DateTime<Utc>>,
    backups: &[AssessedBackup],
    inventory: &Inventory,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let retention = expected.retention?;
    let reaches_back = now - oldest_moment?;
    let oldest_backup = backups.iter().filter_map(|backup| backup.began_at).min();
    let archive_age = [inventory.oldest_upload_at, oldest_backup].into_iter().flatten().min();
    let is_young = archive_age.is_none_or(|oldest| now - oldest < retention + FIRST_BACKUP_MAX);
    (reaches_back < retention && !is_young)
        .then(|| Finding::new(Weight::Risk, Problem::WindowShort { reaches_back, retention }))
}

/// One finished backup older than the window is needed, since the window's oldest moments are
/// restored from it; barman deletes those before it (`barman/retention_policies.py`).
pub(crate) fn judge_deletion(
    observed: &[ObservedBackup],
    assessed: &[AssessedBackup],
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let retention = expected.retention?;
    let deadline = now - retention - DELETION_GRACE;
    let is_kept = |backup: &&ObservedBackup| {
        matches!(backup.keep, Ok(Some(Keep::Full | Keep::Standalone)) | Err(_))
    };
    let kept: BTreeSet<&BackupId> =
        observed.iter().filter(is_kept).map(|backup| &backup.id).collect();
    let finished = |backup: &&AssessedBackup| {
        matches!(backup.kind, BackupKind::Usable | BackupKind::Unusable)
            && backup.ended_at.is_some_and(|ended_at| ended_at < deadline)
    };
    let mut outlived: Vec<&AssessedBackup> = assessed.iter().filter(finished).collect();
    outlived.sort_unstable_by_key(|backup| backup.ended_at);
    outlived.pop();
    let mut obsolete: Vec<BackupId> =
        outlived.into_iter().map(|backup| backup.id.clone()).collect();
    obsolete.retain(|id| !kept.contains(id));
    // Nobody ever deletes what did not finish.
    obsolete.extend(
        assessed
            .iter()
            .filter(|backup| {
                backup.kind == BackupKind::Failed
                    && backup.began_at.is_some_and(|began_at| began_at < deadline)
            })
            .map(|backup| backup.id.clone()),
    );
    obsolete.sort_unstable();
    (!obsolete.is_empty()).then(|| {
        Finding::new(Weight::Notice, Problem::RetentionNotEnforced { obsolete, retention })
    })
}
