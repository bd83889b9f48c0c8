//! Did every due backup arrive, and does WAL keep coming? Judged only where somebody expects it.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::NewestSegment;
use crate::assessment::cluster::Silence;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::observation::inventory::Inventory;

pub(crate) fn judge_backups(
    backups: &[AssessedBackup],
    inventory: &Inventory,
    expected: &Expectations,
    silence: Option<&Silence>,
    now: DateTime<Utc>,
) -> Option<Finding> {
    // CloudNativePG makes no backup of a cluster that sleeps.
    if silence == Some(&Silence::Hibernated) {
        return None;
    }
    let age_max = expected.base_backup_age_max?;
    let usable = backups.iter().filter(|backup| backup.is_usable());
    let newest = usable.filter_map(|backup| Some((backup.ended_at?, &backup.id))).max();
    if let Some((ended_at, id)) = newest {
        let age = now - ended_at;
        let newest = id.clone();
        if age <= age_max {
            return None;
        }
        // One run that failed is for the day; after two in a row nobody should wait for it.
        let interval = expected.schedule.as_ref().and_then(|it| it.interval_max(now));
        let is_second = interval.is_some_and(|interval| age_max + interval < age);
        let weight = if is_second { Weight::Urgent } else { Weight::Risk };
        return Some(Finding::new(weight, Problem::BackupOverdue { newest, age, age_max }));
    }
    // A new cluster archives WAL before its first backup is due.
    let waited = now - inventory.oldest_upload_at?;
    (backups.is_empty() && age_max < waited)
        .then(|| Finding::new(Weight::Risk, Problem::BackupNeverRan { waited, age_max }))
}

pub(crate) fn judge_wal(
    newest: Option<NewestSegment>,
    expected: &Expectations,
    silence: Option<&Silence>,
    store_now: DateTime<Utc>,
) -> Option<Finding> {
    if silence.is_some() {
        return None;
    }
    let age_max = expected.wal_age_max?;
    let newest = newest?;
    let age = store_now - newest.uploaded_at;
    (age_max < age).then(|| {
        Finding::new(Weight::Risk, Problem::WalStale { newest: newest.name, age, age_max })
    })
}
