//! What is kept of a `Backup`: no more than what it is judged by.

use std::sync::Arc;

use crate::domain::backup::BackupId;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::observation::cluster::BackupResource;
use crate::sources::kubernetes::resources::Backup;
use crate::sources::kubernetes::resources::BackupResourceStatus;
use crate::sources::kubernetes::resources::BackupSpec;
use crate::sources::kubernetes::resources::Keep;
use crate::sources::kubernetes::resources::Meta;
use crate::sources::kubernetes::resources::Object;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::PluginReference;
use crate::sources::kubernetes::resources::Words;

impl Keep<Backup> for BackupResource {
    fn keep(name: &ObjectName, object: Object<Backup>, words: &mut Words) -> Self {
        let Object { metadata, spec, status } = object;
        let meta = Meta::keep::<Backup>(metadata);
        let BackupSpec { cluster, method, plugin_configuration } = spec;
        let BackupResourceStatus { phase, backup_id, plugin_metadata, .. } = status;
        let cluster_uid = plugin_metadata.and_then(|it| it.cluster_uid);
        Self {
            name: Arc::clone(&name.name),
            cluster: words.share(&cluster.name),
            created_at: meta.created_at,
            method: backup_method(method.as_deref(), plugin_configuration.as_ref(), |name| {
                words.share(name)
            }),
            phase: BackupPhase::parse(&phase),
            // A volume snapshot has a backup id of another form, and no folder in a bucket.
            backup_id: backup_id.and_then(|id| BackupId::parse(&id).ok()),
            started_at: status.started_at,
            stopped_at: status.stopped_at,
            begin_wal: status.begin_wal,
            error: status.error.filter(|text| !text.is_empty()).map(String::into_boxed_str),
            schedule: meta.label("cnpg.io/scheduled-backup").map(|it| words.share(it)),
            is_immediate: meta.label("cnpg.io/immediateBackup") == Some("true"),
            cluster_uid: shared(cluster_uid, words),
            server_name: shared(status.server_name, words),
        }
    }
}

fn shared(text: Option<String>, words: &mut Words) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(|text| words.share(&text))
}

/// `method` is `barmanObjectStore` where nothing is said (`api/v1/backup_types.go`).
pub(crate) fn backup_method(
    method: Option<&str>,
    plugin: Option<&PluginReference>,
    share: impl FnOnce(&str) -> Arc<str>,
) -> BackupMethod {
    match method {
        None | Some("" | "barmanObjectStore") => BackupMethod::BarmanObjectStore,
        Some("volumeSnapshot") => BackupMethod::VolumeSnapshot,
        Some("plugin") => {
            let name = plugin.and_then(|plugin| plugin.name.as_deref());
            let name = name.filter(|name| !name.is_empty());
            BackupMethod::Plugin(name.map(share))
        }
        Some(other) => BackupMethod::Other(other.to_owned()),
    }
}
