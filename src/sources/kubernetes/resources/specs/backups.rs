//! A `Backup` and a `ScheduledBackup`.

use std::borrow::Cow;

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;
use serde::Deserializer;

use crate::domain::segment::SegmentName;
use crate::observation::cluster::BackupResource;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::CNPG;
use crate::sources::kubernetes::resources::specs::or_default;

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
    /// Fleets have tens of thousands of them.
    type Kept = BackupResource;
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
    type Kept = Kept<Self>;
}

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
    pub(crate) server_name: Option<String>,
    pub(crate) plugin_metadata: Option<PluginMetadata>,
}

/// What the Barman Cloud Plugin says of a backup that it made (`internal/cnpgi/instance/backup.go`).
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PluginMetadata {
    #[serde(rename = "clusterUID")]
    pub(crate) cluster_uid: Option<String>,
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
