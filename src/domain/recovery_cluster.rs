//! The `Cluster` that CloudNativePG restores from an archive, with the fields that this needs
//! (`api/v1/cluster_types.go`).

use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;
use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;
use serde_json::Value;

use crate::domain::backup::BackupId;
use crate::domain::cluster::BARMAN_PLUGIN;
use crate::domain::cluster::Storage;
use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCluster {
    api_version: &'static str,
    kind: &'static str,
    pub metadata: Metadata,
    pub spec: Spec,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metadata {
    pub name: String,
    /// `None` is the one that whoever applies it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(flatten)]
    pub marks: Marks,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Marks {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    pub instances: u32,
    pub image_name: String,
    pub storage: Storage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_storage: Option<Storage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tablespaces: Vec<Tablespace>,
    #[serde(skip_serializing_if = "Postgresql::is_empty")]
    pub postgresql: Postgresql,
    pub bootstrap: Bootstrap,
    pub external_clusters: [ExternalCluster; 1],
    /// Empty for a cluster that archives nowhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<Plugin>,
    #[serde(flatten)]
    pub stay: Stay,
}

/// How a cluster that is gone again soon differs from one that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// What every object of the cluster is marked with.
    #[serde(skip_serializing_if = "Marks::is_empty")]
    pub inherited_metadata: Marks,
    /// Makes a Secret with a password for `postgres`, as which a restored database is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_superuser_access: Option<bool>,
    /// Nobody waits for it, and no node shall.
    #[serde(rename = "enablePDB", skip_serializing_if = "Option::is_none")]
    pub has_disruption_budget: Option<bool>,
    #[serde(flatten)]
    pub placement: Placement,
}

/// Where and how the pods of the source run, as it is written there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_name: Option<String>,
    /// With node selector and tolerations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Value>,
    /// Without the source's memory and processors the time that it takes says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Value>,
}

/// What PostgreSQL must be set to for the recovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Postgresql {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<&'static str, String>,
    #[serde(rename = "shared_preload_libraries", skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// Images with extensions, as they are written in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Value>,
}

/// One that the backup has: recovery needs a volume for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tablespace {
    pub name: String,
    pub storage: Storage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    pub recovery: Recovery,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// The name of the external cluster.
    pub source: String,
    pub recovery_target: RecoveryTarget,
}

/// The backup is always named: left to itself, CloudNativePG picks one by its end time, and a
/// failed backup can have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryTarget {
    #[serde(rename = "backupID", serialize_with = "text")]
    pub backup_id: BackupId,
    #[serde(
        rename = "targetTime",
        serialize_with = "time",
        skip_serializing_if = "Option::is_none"
    )]
    pub time: Option<DateTime<Utc>>,
    #[serde(
        rename = "targetLSN",
        serialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub lsn: Option<Lsn>,
    #[serde(rename = "targetName", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "targetImmediate", skip_serializing_if = "Option::is_none")]
    pub is_immediate: Option<bool>,
    #[serde(
        rename = "targetTLI",
        serialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeline: Option<TimelineId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalCluster {
    pub name: String,
    pub plugin: Plugin,
}

/// The Barman Cloud Plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    name: &'static str,
    #[serde(rename = "isWALArchiver", skip_serializing_if = "Option::is_none")]
    is_wal_archiver: Option<bool>,
    parameters: Parameters,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    barman_object_name: String,
    server_name: String,
}

impl RecoveryCluster {
    pub fn new(metadata: Metadata, spec: Spec) -> Self {
        Self { api_version: "postgresql.cnpg.io/v1", kind: "Cluster", metadata, spec }
    }
}

impl Marks {
    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

impl Postgresql {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Plugin {
    /// Reads the archive of this server name in the `ObjectStore`.
    pub fn reading(object_store: String, server_name: String) -> Self {
        let parameters = Parameters { barman_object_name: object_store, server_name };
        Self { name: BARMAN_PLUGIN, is_wal_archiver: None, parameters }
    }

    /// Archives under this server name.
    pub fn archiving(object_store: String, server_name: String) -> Self {
        Self { is_wal_archiver: Some(true), ..Self::reading(object_store, server_name) }
    }
}

fn text<S: Serializer>(value: impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&value)
}

/// The fields say that a timeline and a position are texts.
fn some<S: Serializer>(value: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

/// With a numeric offset: CloudNativePG hands the text on as it is in some versions, and
/// PostgreSQL refuses a `Z` in `recovery_target_time`.
fn time<S: Serializer>(value: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, false)).serialize(serializer)
}
