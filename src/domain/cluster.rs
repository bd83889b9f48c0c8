//! What a CloudNativePG `Cluster` declares about its backups.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use serde::Deserialize;
use serde::Serialize;

/// The name of the Barman Cloud Plugin in `spec.plugins` (`internal/cnpgi/metadata/constants.go`).
pub const BARMAN_PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

/// How the keys of our annotations on a `Cluster` begin.
pub const ANNOTATION_PREFIX: &str = "backup-verifier.monosense.dev/";

/// A `Cluster` in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    pub namespace: String,
    pub name: String,
}

/// The clusters of a namespace, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterScope {
    pub namespace: String,
    /// `None` means all.
    pub cluster: Option<String>,
}

impl ClusterScope {
    pub fn holds(&self, namespace: &str, cluster: &str) -> bool {
        self.namespace == namespace && self.cluster.as_deref().is_none_or(|it| it == cluster)
    }
}

impl fmt::Display for ClusterScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            Some(cluster) => write!(f, "{}/{cluster}", self.namespace),
            None => f.write_str(&self.namespace),
        }
    }
}

/// Who stores the WAL of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Archiver {
    /// The Barman Cloud Plugin, enabled in `spec.plugins`.
    Plugin {
        /// Without it, an absent sidecar makes `archive_command` succeed with nothing stored
        /// (`pkg/management/postgres/archiver/archiver.go`).
        is_wal_archiver: bool,
    },
    /// `spec.backup.barmanObjectStore`, which CloudNativePG is about to drop.
    InTree,
    /// Another plugin, such as one for pgBackRest: there is no archive of Barman's.
    OtherPlugin(String),
    /// Nobody: there is no archive.
    Nobody,
}

/// What each instance of a cluster runs, and what it stores on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    pub image: Option<Image>,
    pub storage: Option<Storage>,
    /// `None` where WAL lies on the volume of the data.
    pub wal_storage: Option<Storage>,
    /// Each on a volume of its own.
    pub tablespaces: Vec<TablespaceVolume>,
    pub recovery_parameters: RecoveryParameters,
}

/// `spec.tablespaces`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablespaceVolume {
    pub name: String,
    /// `None` where a template says the size.
    pub storage: Option<Storage>,
}

/// Parameters that recovery must not have lower than the server had them (`CheckRequiredParameterValues`
/// in `xlog.c`), by name and as written in `spec.postgresql.parameters`.
pub type RecoveryParameters = BTreeMap<&'static str, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub name: String,
    /// The major version of PostgreSQL; not known before CloudNativePG 1.26.
    pub postgres_major: Option<u32>,
}

/// A volume, as `spec.storage` and `spec.walStorage` ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// A quantity of Kubernetes, such as `20Gi`.
    pub size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// `spec.method` of a `Backup` or `ScheduledBackup` (`api/v1/backup_types.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupMethod {
    BarmanObjectStore,
    VolumeSnapshot,
    /// With the plugin's name, where one is given; the webhook of `Backup` demands it.
    Plugin(Option<Arc<str>>),
    /// A word that CloudNativePG did not have when this was written.
    Other(String),
}

/// `status.phase` of a `Backup` (`api/v1/backup_types.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupPhase {
    /// Not looked at by the operator yet.
    New,
    Pending,
    Started,
    Running,
    Finalizing,
    Completed,
    Failed,
    WalArchivingFailing,
    Invalid,
    Other(String),
}

/// What a restore drill restores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillKind {
    /// A new cluster at some moment of the past.
    Pitr,
    /// A new cluster at the newest state, as after the loss of everything.
    Full,
}

impl Instance {
    /// The image, unless it is known to start with data of another major version only.
    pub fn image_of(&self, postgres_major: Option<u32>) -> Option<&str> {
        let Image { name, postgres_major: own } = self.image.as_ref()?;
        let differs = own.zip(postgres_major).is_some_and(|(own, needed)| own != needed);
        (!differs).then_some(name)
    }
}

impl BackupMethod {
    /// Whether the Barman Cloud Plugin is asked.
    pub fn is_barman_plugin(&self) -> bool {
        matches!(self, Self::Plugin(Some(name)) if **name == *BARMAN_PLUGIN)
    }
}

impl fmt::Display for BackupMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BarmanObjectStore => f.write_str("barmanObjectStore"),
            Self::VolumeSnapshot => f.write_str("volumeSnapshot"),
            Self::Plugin(Some(name)) => write!(f, "plugin {name}"),
            Self::Plugin(None) => f.write_str("plugin without a name"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl BackupPhase {
    pub fn parse(text: &str) -> Self {
        match text {
            "" => Self::New,
            "pending" => Self::Pending,
            "started" => Self::Started,
            "running" => Self::Running,
            "finalizing" => Self::Finalizing,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "walArchivingFailing" => Self::WalArchivingFailing,
            "invalid backup definition" => Self::Invalid,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Until all children have ended, a `ScheduledBackup` creates no other one
    /// (`internal/controller/scheduledbackup_controller.go`).
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for BackupPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Running => "running",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::WalArchivingFailing => "walArchivingFailing",
            Self::Invalid => "invalid backup definition",
            Self::Other(other) => other,
        })
    }
}

impl DrillKind {
    pub const ALL: [Self; 2] = [Self::Pitr, Self::Full];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Pitr => "pitr",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A restore that somebody tried and wrote down on the `Cluster`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreDrill {
    pub kind: DrillKind,
    pub at: DateTime<Utc>,
    pub is_success: bool,
    pub duration: Option<TimeDelta>,
}
