//! The `Cluster` that a drill creates, and what it must not be.

mod refusal;

use std::collections::BTreeMap;

use crate::assessment::Assessment;
use crate::assessment::plan::Restore;
use crate::domain::cluster::Storage;
use crate::domain::drill_id::DrillId;
use crate::domain::drill_id::ID_LABEL;
use crate::domain::drill_id::IGNORE_ANNOTATION;
use crate::domain::drill_source::DrillStore;
use crate::domain::drill_source::SourceCluster;
use crate::domain::recovery_cluster::Bootstrap;
use crate::domain::recovery_cluster::ExternalCluster;
use crate::domain::recovery_cluster::Marks;
use crate::domain::recovery_cluster::Metadata;
use crate::domain::recovery_cluster::Plugin;
use crate::domain::recovery_cluster::Postgresql;
use crate::domain::recovery_cluster::Recovery;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::domain::recovery_cluster::Spec;
use crate::domain::recovery_cluster::Stay;
use crate::domain::recovery_cluster::Tablespace;
use crate::publication::restore_plan::raised;
use crate::publication::restore_plan::target;
use crate::publication::restore_plan::yaml;

pub use crate::publication::drill_manifest::refusal::DrillRefusal;

/// Everything that a drill's manifest is made of.
#[derive(Clone, Copy, Debug)]
pub struct DrillOrder<'a> {
    pub id: &'a DrillId,
    /// The namespace of drills.
    pub namespace: &'a str,
    /// Its own, with credentials that read only.
    pub stores: &'a [DrillStore],
    pub source: &'a SourceCluster,
    pub assessment: &'a Assessment,
    pub restore: &'a Restore,
}

/// A restored database must not reach for others: an enabled subscription would take rows from the
/// publisher's slot that its real subscriber waits for. CloudNativePG neither sets nor forbids it.
const NO_SUBSCRIPTIONS: (&str, &str) = ("max_logical_replication_workers", "0");

const ORIGIN: &str = "origin";

impl DrillOrder<'_> {
    /// The manifest, or why there must be no drill.
    pub fn manifest(&self) -> Result<RecoveryCluster, DrillRefusal> {
        refusal::of_namespace(self)?;
        let store = refusal::store_of_archive(self)?;
        let cluster = RecoveryCluster::new(self.metadata(), self.spec(store)?);
        refusal::of_manifest(&cluster)?;
        Ok(cluster)
    }

    /// As people read it.
    pub fn yaml(&self) -> Result<String, DrillRefusal> {
        Ok(yaml(&self.manifest()?))
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            name: self.id.object_name(),
            namespace: Some(self.namespace.to_owned()),
            marks: self.marks(),
        }
    }

    fn marks(&self) -> Marks {
        let pair = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Marks {
            labels: pair(ID_LABEL, self.id.as_str()),
            annotations: pair(IGNORE_ANNOTATION, "true"),
        }
    }

    fn spec(&self, store: &DrillStore) -> Result<Spec, DrillRefusal> {
        let Self { source, assessment, restore, .. } = self;
        let image = source.image().ok_or(DrillRefusal::NoImage)?;
        let storage = source.storage().ok_or(DrillRefusal::NoStorage)?;
        let mut parameters = raised(source.recovery_parameters(), restore);
        let (name, value) = NO_SUBSCRIPTIONS;
        parameters.insert(name, value.to_owned());
        let plugin = Plugin::reading(store.name.clone(), assessment.archive.server_name.clone());
        let recovery_target = target(restore);
        Ok(Spec {
            instances: 1,
            image_name: image.to_owned(),
            wal_storage: source.wal_storage(),
            tablespaces: self.tablespaces(&storage),
            storage,
            postgresql: Postgresql {
                parameters,
                libraries: source.libraries(),
                extensions: source.extensions().cloned(),
            },
            bootstrap: Bootstrap {
                recovery: Recovery { source: ORIGIN.to_owned(), recovery_target },
            },
            external_clusters: [ExternalCluster { name: ORIGIN.to_owned(), plugin }],
            plugins: Vec::new(),
            stay: Stay {
                inherited_metadata: self.marks(),
                enable_superuser_access: Some(true),
                has_disruption_budget: Some(false),
                placement: source.placement().clone(),
            },
        })
    }

    /// Exactly those of the backup. One that the source does not have any more gets a volume as large
    /// as that of the data.
    fn tablespaces(&self, data: &Storage) -> Vec<Tablespace> {
        let id = self.restore.backup_id();
        let backup = self.assessment.backups.iter().find(|it| it.id == *id);
        let names = backup.into_iter().flat_map(|it| it.tablespaces.iter());
        let tablespace = |name: &str| Tablespace {
            name: name.to_owned(),
            storage: self.source.tablespace(name).unwrap_or_else(|| data.clone()),
        };
        names.map(|name| tablespace(name)).collect()
    }
}

#[cfg(test)]
mod tests;
