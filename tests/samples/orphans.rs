//! A fleet beside which orphaned archives lie.

use std::sync::Arc;

use cnpg_backup_verifier::assessment::Subject;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::cluster::ClusterId;
use cnpg_backup_verifier::domain::orphan::Orphan;
use cnpg_backup_verifier::publication::snapshot::OrphanSearch;
use cnpg_backup_verifier::publication::snapshot::Snapshot;

/// The same, of which these have lost their clusters.
pub(crate) fn orphaning(fleet: &Snapshot, indices: &[usize]) -> Snapshot {
    let mut archives = fleet.archives.clone();
    for index in indices {
        let assessment = &mut archives[*index].assessment;
        let archive = &assessment.archive;
        let orphan = Orphan {
            object_store: Some("minio".to_owned()),
            left_by: Some(ClusterId {
                namespace: archive.namespace.clone(),
                name: archive.cluster.clone(),
            }),
        };
        let subject = Subject {
            archive: ArchiveId { cluster: String::new(), ..archive.clone() },
            address: assessment.address.clone(),
        };
        *assessment = Arc::new(assessment.left_behind(&subject, &orphan));
    }
    let unread = vec!["list s3://elsewhere/: AccessDenied".to_owned()];
    Snapshot::new(fleet.generated_at, archives).searched(Some(OrphanSearch { unread }))
}
