//! `spec` and `status` of each kind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::IgnoredAny;

use crate::domain::cluster::ANNOTATION_PREFIX;
use crate::domain::segment::SegmentName;
use crate::observation::cluster::BackupResource;
use crate::sources::kubernetes::resources::Kind;

const CNPG: &str = "postgresql.cnpg.io";

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
}

#[derive(Clone, Debug)]
pub(crate) enum Backup {}

impl Kind for Backup {
    const GROUP: &'static str = CNPG;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Backup";
    const PLURAL: &'static str = "backups";
    const KEPT: &'static [&'static str] = &["cnpg.io/scheduled-backup", "cnpg.io/immediateBackup"];
    type Spec = BackupSpec;
    type Status = BackupResourceStatus;
}

#[derive(Clone, Debug)]
pub(crate) enum ScheduledBackup {}

impl Kind for ScheduledBackup {
    const GROUP: &'static str = CNPG;
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ScheduledBackup";
    const PLURAL: &'static str = "scheduledbackups";
    const KEPT: &'static [&'static str] = &[];
    type Spec = ScheduledBackupSpec;
    type Status = ScheduledBackupStatus;
}

#[derive(Clone, Debug)]
pub(crate) enum ObjectStoreResource {}

impl Kind for ObjectStoreResource {
    const GROUP: &'static str = "barmancloud.cnpg.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ObjectStore";
    const PLURAL: &'static str = "objectstores";
    const KEPT: &'static [&'static str] = &[ANNOTATION_PREFIX];
    type Spec = ObjectStoreSpec;
    // Its recovery windows count failed backups as good, so they are not read.
    type Status = Ignored;
}

#[derive(Clone, Debug)]
pub(crate) enum Deployment {}

impl Kind for Deployment {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Deployment";
    const PLURAL: &'static str = "deployments";
    const KEPT: &'static [&'static str] = &["app"];
    type Spec = DeploymentSpec;
    type Status = DeploymentStatus;
}

#[derive(Clone, Debug)]
pub(crate) enum Pod {}

impl Kind for Pod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    const KEPT: &'static [&'static str] = &["cnpg.io/"];
    type Spec = PodSpec;
    type Status = PodStatus;
}

/// A `null` counts as absent, as it does in Go.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
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
pub(crate) struct EnvVar {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) value_from: Option<IgnoredAny>,
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

/// `configuration` of an `ObjectStore`, and `barmanObjectStore` of a `Cluster`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreConfiguration {
    pub(crate) destination_path: String,
    #[serde(rename = "endpointURL")]
    pub(crate) endpoint_url: Option<String>,
    /// Only in a `Cluster`; the plugin's schema forbids it.
    pub(crate) server_name: Option<String>,
    /// Who signed the certificate of the endpoint, in a Secret.
    #[serde(rename = "endpointCA")]
    pub(crate) endpoint_ca: Option<SecretKey>,
    pub(crate) s3_credentials: Option<S3Credentials>,
    pub(crate) azure_credentials: Option<IgnoredAny>,
    pub(crate) google_credentials: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct S3Credentials {
    pub(crate) access_key_id: Option<SecretKey>,
    pub(crate) secret_access_key: Option<SecretKey>,
    pub(crate) session_token: Option<SecretKey>,
    pub(crate) region: Option<SecretKey>,
    #[serde(rename = "inheritFromIAMRole")]
    pub(crate) inherit_from_iam_role: Option<bool>,
}

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) struct SecretKey {
    pub(crate) name: String,
    pub(crate) key: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectStoreSpec {
    pub(crate) configuration: StoreConfiguration,
    pub(crate) retention_policy: Option<String>,
    pub(crate) instance_sidecar_configuration: Option<SidecarConfiguration>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SidecarConfiguration {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) env: Vec<EnvVar>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Ignored {}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ClusterReference {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PluginReference {
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSpec {
    pub(crate) cluster: ClusterReference,
    pub(crate) method: Option<String>,
    pub(crate) plugin_configuration: Option<PluginReference>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupResourceStatus {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) phase: String,
    pub(crate) backup_id: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) error: Option<String>,
    #[serde(default, deserialize_with = "segment_name")]
    pub(crate) begin_wal: Option<SegmentName>,
    pub(crate) server_name: Option<Arc<str>>,
    pub(crate) plugin_metadata: Option<PluginMetadata>,
    /// What is made of the object, once: fleets have tens of thousands, and are resolved each minute.
    #[serde(skip)]
    pub(crate) observed: OnceLock<Arc<BackupResource>>,
}

/// What the Barman Cloud Plugin says of a backup that it made (`internal/cnpgi/instance/backup.go`).
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PluginMetadata {
    #[serde(rename = "clusterUID")]
    pub(crate) cluster_uid: Option<Arc<str>>,
}

/// A volume snapshot of another server than ours may tell something else there.
fn segment_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SegmentName>, D::Error> {
    let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| SegmentName::parse(&text).ok()))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduledBackupSpec {
    pub(crate) cluster: ClusterReference,
    pub(crate) schedule: String,
    pub(crate) suspend: Option<bool>,
    pub(crate) method: Option<String>,
    pub(crate) plugin_configuration: Option<PluginReference>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ScheduledBackupStatus {
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct DeploymentSpec {
    pub(crate) replicas: Option<i32>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) template: PodTemplate,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodTemplate {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) spec: PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentStatus {
    pub(crate) available_replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodSpec {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Container {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ports: Vec<ContainerPort>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerPort {
    pub(crate) name: Option<String>,
    pub(crate) container_port: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: Option<String>,
}
