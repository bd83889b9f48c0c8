//! Did every due backup arrive, and does WAL keep coming? Judged only where somebody expects it.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::archive::ArchiveCase;
use crate::assessment::cluster::Silence;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::assessment::finding::archive::promise::PrimaryMetrics;
use crate::domain::moment::together;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    judge_backups(case).into_iter().chain(judge_wal(case)).collect()
}

fn judge_backups(case: &ArchiveCase<'_>) -> Option<Finding> {
    let (expected, now) = (case.expected, case.now);
    // CloudNativePG makes no backup of a cluster that sleeps.
    if case.silence() == Some(&Silence::Hibernated) {
        return None;
    }
    let age_max = expected.base_backup_age_max?;
    let usable = case.backups.iter().filter(|backup| backup.is_usable());
    let newest = usable.filter_map(|backup| Some((backup.ended_at?, &backup.id))).max();
    if let Some((ended_at, id)) = newest {
        let age = now.signed_duration_since(ended_at);
        let newest = id.clone();
        if age <= age_max {
            return None;
        }
        // One run that failed is for the day; after two in a row nobody should wait for it.
        let interval = expected.schedule.as_ref().and_then(|it| it.interval_max(now));
        let is_second = interval.is_some_and(|interval| together(age_max, interval) < age);
        let weight = if is_second { Weight::Urgent } else { Weight::Risk };
        return Some(Finding::new(weight, BrokenPromise::BackupOverdue { newest, age, age_max }));
    }
    if case.elsewhere.is_some() {
        return None;
    }
    // A new cluster archives WAL before its first backup is due.
    let waited = age(case, case.inventory.oldest_upload_at?)?;
    (case.backups.is_empty() && age_max < waited)
        .then(|| Finding::new(Weight::Risk, BrokenPromise::BackupNeverRan { waited, age_max }))
}

fn judge_wal(case: &ArchiveCase<'_>) -> Option<Finding> {
    if case.silence().is_some() {
        return None;
    }
    let age_max = case.expected.wal_age_max?;
    let newest = case.recoverability.newest_segment?;
    let age = age(case, newest.uploaded_at)?;
    let is_not_heard = case.seen.cluster.as_ref().is_some_and(|it| it.wal_archiving.is_none());
    let primary = if is_not_heard { PrimaryMetrics::NotHeard } else { PrimaryMetrics::NoHelp };
    let newest = newest.name;
    (age_max < age).then(|| {
        Finding::new(Weight::Risk, BrokenPromise::WalStale { newest, age, age_max, primary })
    })
}

/// By the clock that stamped the upload. Where that is not believed nothing is stale, and nothing
/// fresh: the judge of the clock says so.
fn age(case: &ArchiveCase<'_>, uploaded_at: DateTime<Utc>) -> Option<TimeDelta> {
    case.clock.age(uploaded_at).filter(|_| case.doubt.is_none())
}
