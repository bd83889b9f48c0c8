//! What a `Cluster` is to be, and how it is.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;

use crate::domain::cluster::ANNOTATION_PREFIX;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::CNPG;
use crate::sources::kubernetes::resources::specs::object_store::EnvVar;
use crate::sources::kubernetes::resources::specs::object_store::StoreConfiguration;
use crate::sources::kubernetes::resources::specs::or_default;

#[derive(Clone, Debug)]
pub(crate) enum Cluster {}

impl Kind for Cluster {
    const GROUP: &'static str = CNPG;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Cluster";
    const PLURAL: &'static str = "clusters";
    const KEPT: &'static [&'static str] = &["cnpg.io/", ANNOTATION_PREFIX];
    const KEEPS_UID: bool = true;
    type Spec = ClusterSpec;
    type Status = ClusterStatus;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterSpec {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) plugins: Vec<PluginEntry>,
    pub(crate) backup: Option<InTreeBackup>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) external_clusters: Vec<ExternalCluster>,
    pub(crate) replica: Option<Replica>,
    pub(crate) monitoring: Option<Monitoring>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) env: Vec<EnvVar>,
    pub(crate) image_name: Option<String>,
    pub(crate) storage: Option<StorageConfiguration>,
    pub(crate) wal_storage: Option<StorageConfiguration>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tablespaces: Vec<TablespaceConfiguration>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) postgresql: PostgresConfiguration,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct TablespaceConfiguration {
    pub(crate) name: String,
    pub(crate) storage: Option<StorageConfiguration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PostgresConfiguration {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) parameters: RecoveryParameters,
}

/// Those of many that recovery insists on.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RecoveryParameters {
    pub(crate) max_connections: Option<String>,
    pub(crate) max_worker_processes: Option<String>,
    pub(crate) max_wal_senders: Option<String>,
    pub(crate) max_prepared_transactions: Option<String>,
    pub(crate) max_locks_per_transaction: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StorageConfiguration {
    pub(crate) size: Option<String>,
    pub(crate) storage_class: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PluginEntry {
    pub(crate) name: String,
    pub(crate) enabled: Option<bool>,
    #[serde(rename = "isWALArchiver")]
    pub(crate) is_wal_archiver: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) parameters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InTreeBackup {
    pub(crate) barman_object_store: Option<StoreConfiguration>,
    pub(crate) retention_policy: Option<String>,
}

/// Where a cluster recovers from, or what it follows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalCluster {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name: String,
    pub(crate) plugin: Option<PluginEntry>,
    pub(crate) barman_object_store: Option<StoreConfiguration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replica {
    #[serde(rename = "self")]
    pub(crate) own_name: Option<String>,
    pub(crate) primary: Option<String>,
    pub(crate) enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Monitoring {
    pub(crate) tls: Option<MonitoringTls>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct MonitoringTls {
    pub(crate) enabled: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    pub(crate) phase: Option<String>,
    pub(crate) current_primary: Option<String>,
    #[serde(rename = "systemID")]
    pub(crate) system_id: Option<String>,
    #[serde(rename = "timelineID")]
    pub(crate) timeline_id: Option<i64>,
    #[serde(rename = "pgDataImageInfo")]
    pub(crate) data_image: Option<DataImage>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataImage {
    pub(crate) image: String,
    pub(crate) major_version: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) message: String,
    /// Required by the schema of conditions.
    pub(crate) last_transition_time: DateTime<Utc>,
}
