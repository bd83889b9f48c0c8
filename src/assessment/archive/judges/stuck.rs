//! Are base backups read where they are to be read?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::domain::backup::BackupId;
use crate::observation::content::StuckCause;
use crate::observation::content::StuckReading;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let is_stored =
        |id: &BackupId| case.catalogue.backups.iter().any(|(backup, _)| backup.id == *id);
    let stuck = case.seen.content.stuck.iter().filter(|it| is_stored(&it.backup));
    let found = stuck.map(|StuckReading { backup, cause }| {
        let weight = match cause {
            // Whoever is late is told of what is overdue; what the process reads is read.
            StuckCause::Pending { .. } | StuckCause::Refused { .. } => Weight::Notice,
            StuckCause::Failing { .. } | StuckCause::OutOfMemory { .. } => Weight::Risk,
        };
        let (backup, cause) = (backup.clone(), cause.clone());
        Finding::new(weight, BrokenPromise::VerificationStuck { backup, cause })
    });
    found.collect()
}
