//! Which base backups are to be read now.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::ledger::BackupRecord;
use crate::observation::backup::ObservedBackup;
use crate::service::verified::sum_of;

/// The newest backup, each time the cadence has passed, and one that was never read or longest ago.
/// A backup after one that is damaged is what is hoped for, and waits for nothing.
pub(super) fn due(
    backups: &[&ObservedBackup],
    read: &BTreeMap<BackupId, BackupRecord>,
    every: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<ObservedBackup> {
    let mut finished: Vec<&ObservedBackup> =
        backups.iter().copied().filter(|it| is_readable(it)).collect();
    finished.sort_by_key(|it| it.parsed_info().and_then(|info| info.ended_at));
    let Some((newest, older)) = finished.split_last() else { return Vec::new() };
    let record = |backup: &ObservedBackup| {
        read.get(&backup.id).filter(|record| sum_of(backup) == Some(record.sum))
    };
    let last_read = read.values().max_by_key(|record| record.read_at);
    let is_due = |read_at: DateTime<Utc>| every <= now.signed_duration_since(read_at);
    let is_newest_due = match record(newest) {
        Some(record) => is_due(record.read_at),
        None => last_read.is_none_or(|last| is_due(last.read_at) || !last.is_whole),
    };
    if !is_newest_due {
        return Vec::new();
    }
    let longest_ago = older.iter().rev().min_by_key(|it| record(it).map(|it| it.read_at));
    let longest_ago = longest_ago.filter(|it| record(it).is_none_or(|it| is_due(it.read_at)));
    [Some(newest), longest_ago].into_iter().flatten().map(|it| (*it).clone()).collect()
}

pub(super) fn is_readable(backup: &ObservedBackup) -> bool {
    backup.parsed_info().is_some_and(|info| info.status == BackupStatus::Done && !info.is_snapshot)
        && sum_of(backup).is_some()
}
