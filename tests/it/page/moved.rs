//! Snapshots with other times.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;

/// As if the same had been seen at another time.
pub(super) fn moved(snapshot: &Snapshot, generated_at: DateTime<Utc>) -> Snapshot {
    let by = generated_at - snapshot.generated_at;
    let archives = snapshot.archives.iter().map(|archive| {
        let mut assessment = (*archive.assessment).clone();
        assessment.checked_at += by;
        assessment.observed_at = assessment.observed_at.map(|at| at + by);
        let due_at = &mut assessment.promises.next_backup_due_at;
        *due_at = due_at.map(|at| at + by);
        for window in assessment.windows.iter_mut() {
            window.first.at += by;
            window.last.at += by;
        }
        for backup in assessment.backups.iter_mut() {
            backup.began_at = backup.began_at.map(|at| at + by);
            backup.ended_at = backup.ended_at.map(|at| at + by);
        }
        if let Some(newest) = &mut assessment.newest_segment {
            newest.uploaded_at += by;
        }
        WatchedArchive { assessment: Arc::new(assessment), ..archive.clone() }
    });
    Snapshot::new(generated_at, archives.collect())
}
