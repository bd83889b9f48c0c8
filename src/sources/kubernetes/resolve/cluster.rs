//! What a `Cluster` is doing.

use crate::domain::cluster::Image;
use crate::domain::cluster::Instance;
use crate::domain::cluster::RecoveryParameters;
use crate::domain::cluster::Storage;
use crate::domain::cluster::TablespaceVolume;
use crate::observation::cluster::Activity;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::Condition;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::RecoveryParameters as Declared;
use crate::sources::kubernetes::resources::Replica;
use crate::sources::kubernetes::resources::StorageConfiguration;

/// Annotation and condition have the same name (`pkg/utils/labels_annotations.go`).
const HIBERNATION: &str = "cnpg.io/hibernation";
const FENCED_INSTANCES: &str = "cnpg.io/fencedInstances";
const SKIP_WAL_ARCHIVING: &str = "cnpg.io/skipWalArchiving";
const SKIP_EMPTY_ARCHIVE_CHECK: &str = "cnpg.io/skipEmptyWalArchiveCheck";
const CONTINUOUS_ARCHIVING: &str = "ContinuousArchiving";

pub(super) fn instance(Kept { spec, status, .. }: &Kept<Cluster>) -> Instance {
    // Also where the image comes from a catalogue.
    let running = status.data_image.as_ref().map(|running| Image {
        name: running.image.clone(),
        postgres_major: Some(running.major_version),
    });
    let named = || Some(Image { name: spec.image_name.clone()?, postgres_major: None });
    Instance {
        image: running.or_else(named),
        storage: spec.storage.as_ref().and_then(storage),
        wal_storage: spec.wal_storage.as_ref().and_then(storage),
        tablespaces: spec
            .tablespaces
            .iter()
            .map(|it| TablespaceVolume {
                name: it.name.clone(),
                storage: it.storage.as_ref().and_then(storage),
            })
            .collect(),
        recovery_parameters: recovery_parameters(&spec.postgresql.parameters),
    }
}

fn recovery_parameters(declared: &Declared) -> RecoveryParameters {
    let all = [
        ("max_connections", &declared.max_connections),
        ("max_worker_processes", &declared.max_worker_processes),
        ("max_wal_senders", &declared.max_wal_senders),
        ("max_prepared_transactions", &declared.max_prepared_transactions),
        ("max_locks_per_transaction", &declared.max_locks_per_transaction),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// `None` where a template says the size.
fn storage(declared: &StorageConfiguration) -> Option<Storage> {
    let size = declared.size.clone().filter(|size| !size.is_empty())?;
    Some(Storage { size, storage_class: declared.storage_class.clone() })
}

pub(super) fn activity(name: &ObjectName, cluster: &Kept<Cluster>) -> Activity {
    let Kept { meta, spec, status } = cluster;
    let is_enabled = |key: &str| meta.annotation(key) == Some("enabled");
    let condition = |kind: &str| status.conditions.iter().find(|it| it.kind == kind);
    let is_true = |condition: &Condition| condition.status == "True";
    let failing = condition(CONTINUOUS_ARCHIVING).filter(|it| it.status == "False");
    Activity {
        phase: status.phase.clone().filter(|phase| !phase.is_empty()),
        is_hibernated: meta.annotation(HIBERNATION) == Some("on")
            || condition(HIBERNATION).is_some_and(is_true),
        is_fenced: is_fenced(meta.annotation(FENCED_INSTANCES), status.current_primary.as_deref()),
        is_replica: spec.replica.as_ref().is_some_and(|replica| is_replica(replica, &name.name)),
        skips_wal_archiving: is_enabled(SKIP_WAL_ARCHIVING),
        skips_empty_archive_check: is_enabled(SKIP_EMPTY_ARCHIVE_CHECK),
        archiving_fails: failing.map(|it| (it.last_transition_time, it.message.clone())),
    }
}

pub(super) fn system_identifier(cluster: &Kept<Cluster>) -> Option<u64> {
    cluster.status.system_id.as_deref().and_then(|id| id.parse().ok())
}

/// A `Cluster` that never ran says 0.
pub(super) fn timeline(cluster: &Kept<Cluster>) -> Option<u32> {
    cluster.status.timeline_id.and_then(|id| u32::try_from(id).ok()).filter(|id| *id != 0)
}

/// A JSON list of names (`pkg/utils/fencing.go`). One that is none fences nobody there, and
/// explains no silence here.
fn is_fenced(instances: Option<&str>, primary: Option<&str>) -> bool {
    let instances = instances.map(serde_json::from_str::<Vec<String>>);
    let Some(Ok(instances)) = instances else { return false };
    instances.iter().any(|it| it == "*" || Some(it.as_str()) == primary)
}

/// As `IsReplica` in `api/v1/cluster_funcs.go`.
fn is_replica(replica: &Replica, name: &str) -> bool {
    replica.enabled.unwrap_or_else(|| {
        let own = replica.own_name.as_deref().filter(|own| !own.is_empty()).unwrap_or(name);
        replica.primary.as_deref().unwrap_or_default() != own
    })
}
