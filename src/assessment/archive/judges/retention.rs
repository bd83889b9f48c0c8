//! Is the window as long as promised, and is what outlived the promise deleted?

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::BackupKind;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::domain::moment::before;
use crate::domain::moment::together;
use crate::observation::Reading;

/// An archive is as old as its first WAL, but its window begins with its first backup. This much
/// may lie between them: two daily backups, in case the first one failed.
const FIRST_BACKUP_MAX: TimeDelta = TimeDelta::hours(48);

/// Retention runs every half hour on the primary; a day covers a primary that was away.
const DELETION_GRACE: TimeDelta = TimeDelta::hours(24);

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    judge_window(case).into_iter().chain(judge_deletion(case)).collect()
}

fn judge_window(case: &ArchiveCase<'_>) -> Option<Finding> {
    let retention = case.expected.retention?;
    let reaches_back = case.now.signed_duration_since(oldest_moment(case)?);
    let oldest_backup = case.backups.iter().filter_map(|backup| backup.began_at).min();
    let archive_age = [case.inventory.oldest_upload_at, oldest_backup].into_iter().flatten().min();
    let young_max = together(retention, FIRST_BACKUP_MAX);
    let is_young =
        archive_age.is_none_or(|oldest| case.now.signed_duration_since(oldest) < young_max);
    (reaches_back < retention && !is_young)
        .then(|| Finding::new(Weight::Risk, BrokenPromise::WindowShort { reaches_back, retention }))
}

/// Since when moments can be restored. A backup that is kept standalone restores its own end and
/// none of the moments after it.
fn oldest_moment(case: &ArchiveCase<'_>) -> Option<DateTime<Utc>> {
    let standalone = kept(case, |keep| matches!(keep, Ok(Some(Keep::Standalone))));
    let windows = case.recoverability.windows.iter();
    windows
        .filter(|it| it.first.at < it.last.at || !standalone.contains(&it.backup_id))
        .map(|window| window.first.at)
        .min()
}

fn kept<'a>(
    case: &ArchiveCase<'a>,
    is_kept: fn(&Reading<Option<Keep>>) -> bool,
) -> BTreeSet<&'a BackupId> {
    let backups = case.catalogue.backups.iter().map(|(backup, _)| *backup);
    backups.filter(|backup| is_kept(&backup.keep)).map(|backup| &backup.id).collect()
}

/// One finished backup older than the window is needed, since the window's oldest moments are
/// restored from it; barman deletes those before it (`barman/retention_policies.py`).
fn judge_deletion(case: &ArchiveCase<'_>) -> Option<Finding> {
    let retention = case.expected.retention?;
    let deadline = before(case.now, together(retention, DELETION_GRACE));
    let kept = kept(case, |keep| matches!(keep, Ok(Some(Keep::Full | Keep::Standalone)) | Err(_)));
    let finished = |backup: &&AssessedBackup| {
        matches!(backup.kind, BackupKind::Usable | BackupKind::Unusable)
            && backup.ended_at.is_some_and(|ended_at| ended_at < deadline)
    };
    let mut outlived: Vec<&AssessedBackup> = case.backups.iter().filter(finished).collect();
    outlived.sort_unstable_by_key(|backup| backup.ended_at);
    outlived.pop();
    let mut obsolete: Vec<BackupId> =
        outlived.into_iter().map(|backup| backup.id.clone()).collect();
    obsolete.retain(|id| !kept.contains(id));
    // Nobody ever deletes what did not finish.
    obsolete.extend(
        case.backups
            .iter()
            .filter(|backup| {
                backup.kind == BackupKind::Failed
                    && backup.began_at.is_some_and(|began_at| began_at < deadline)
            })
            .map(|backup| backup.id.clone()),
    );
    obsolete.sort_unstable();
    (!obsolete.is_empty()).then(|| {
        Finding::new(Weight::Notice, BrokenPromise::RetentionNotEnforced { obsolete, retention })
    })
}
