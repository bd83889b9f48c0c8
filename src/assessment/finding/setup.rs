//! What is wrong with how a cluster is set up in Kubernetes, whatever its archive holds.

use std::fmt;

use crate::assessment::finding::FindingCode;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::ClusterId;
use crate::domain::unreadable::Unreadable;

/// A mistake or an omission in the objects of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    NoObjectStore(NoStore),
    NoSchedule,
    ScheduleSuspended {
        schedule: String,
    },
    ScheduleFiveFields {
        schedule: String,
        text: String,
        /// Such as `every 1 h`; `None` if it is due at most once.
        means: Option<String>,
    },
    ScheduleInvalid {
        schedule: String,
        text: String,
        why: String,
    },
    ScheduleWrongMethod {
        schedule: String,
        method: BackupMethod,
    },
    WalArchiverNotEnabled,
    WalArchivingSkipped,
    EmptyArchiveCheckSkipped,
    LegacyInTreeBackup,
    NoRetentionPolicy {
        store: String,
    },
    PluginUnavailable {
        why: String,
    },
    CredentialsIncomplete {
        why: String,
    },
    R2ChecksumEnvMissing {
        store: String,
    },
    SharedServerName {
        others: Vec<ClusterId>,
    },
    AnnotationInvalid {
        key: String,
        value: String,
        expected: String,
    },
    /// Something in Kubernetes that says what was promised.
    KubernetesUnreadable(Unreadable),
}

/// Why a cluster has no archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStore {
    Undeclared,
    /// Not in an object store, but there are volume snapshots, which are not looked at.
    OnlySnapshots,
    Unnamed,
    Missing(String),
    Unsupported {
        name: String,
        why: String,
    },
}

impl Setup {
    pub(super) const fn code(&self) -> FindingCode {
        match self {
            Self::NoObjectStore(_) => FindingCode::NoObjectStore,
            Self::NoSchedule => FindingCode::NoSchedule,
            Self::ScheduleSuspended { .. } => FindingCode::ScheduleSuspended,
            Self::ScheduleFiveFields { .. } => FindingCode::ScheduleFiveFields,
            Self::ScheduleInvalid { .. } => FindingCode::ScheduleInvalid,
            Self::ScheduleWrongMethod { .. } => FindingCode::ScheduleWrongMethod,
            Self::WalArchiverNotEnabled => FindingCode::WalArchiverNotEnabled,
            Self::WalArchivingSkipped => FindingCode::WalArchivingSkipped,
            Self::EmptyArchiveCheckSkipped => FindingCode::EmptyArchiveCheckSkipped,
            Self::LegacyInTreeBackup => FindingCode::LegacyInTreeBackup,
            Self::NoRetentionPolicy { .. } => FindingCode::NoRetentionPolicy,
            Self::PluginUnavailable { .. } => FindingCode::PluginUnavailable,
            Self::CredentialsIncomplete { .. } => FindingCode::CredentialsIncomplete,
            Self::R2ChecksumEnvMissing { .. } => FindingCode::R2ChecksumEnvMissing,
            Self::SharedServerName { .. } => FindingCode::SharedServerName,
            Self::AnnotationInvalid { .. } => FindingCode::AnnotationInvalid,
            Self::KubernetesUnreadable(_) => FindingCode::KubernetesUnreadable,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoObjectStore(NoStore::Unsupported { .. }) => {
                "backups are read from S3 and compatible stores only"
            }
            Self::NoObjectStore(NoStore::OnlySnapshots) => {
                "volume snapshots hold no moments in between; add the Barman Cloud Plugin, or set \
                 the annotation backup-verifier.monosense.dev/ignore"
            }
            Self::NoObjectStore(NoStore::Missing(_)) => {
                "create the ObjectStore in the cluster's namespace, or correct barmanObjectName"
            }
            Self::NoObjectStore(_) => {
                "add the Barman Cloud Plugin with an ObjectStore to the Cluster, or set the \
                 annotation backup-verifier.monosense.dev/ignore to \"true\" if it needs no backup"
            }
            Self::NoSchedule => {
                "create a ScheduledBackup with method: plugin and schedule: \"0 0 0 * * *\""
            }
            Self::ScheduleSuspended { .. } => "set spec.suspend to false when the reason is gone",
            Self::ScheduleFiveFields { .. } => {
                "write six fields, seconds first: daily at midnight is \"0 0 0 * * *\""
            }
            Self::ScheduleInvalid { .. } => {
                "write six fields, seconds first, or a descriptor like @daily"
            }
            Self::ScheduleWrongMethod { .. } => {
                "set spec.method to plugin and spec.pluginConfiguration.name to \
                 barman-cloud.cloudnative-pg.io"
            }
            Self::WalArchiverNotEnabled => {
                "set isWALArchiver: true in spec.plugins; without it a missing sidecar makes \
                 archive_command succeed with nothing stored"
            }
            Self::WalArchivingSkipped => {
                "remove the annotation cnpg.io/skipWalArchiving, then take a base backup"
            }
            Self::EmptyArchiveCheckSkipped => {
                "remove the annotation cnpg.io/skipEmptyWalArchiveCheck once the cluster runs: it \
                 protects the archive of another cluster under the same server name"
            }
            Self::LegacyInTreeBackup => {
                "move to the Barman Cloud Plugin: CloudNativePG drops barmanObjectStore"
            }
            Self::NoRetentionPolicy { .. } => {
                "set spec.retentionPolicy of the ObjectStore, such as 30d; it stands beside \
                 spec.configuration"
            }
            Self::PluginUnavailable { .. } => {
                "look at the plugin's Deployment in the operator's namespace; until it runs, no \
                 backup is made and new instances do not start"
            }
            Self::CredentialsIncomplete { .. } => {
                "compare the Secret's keys with s3Credentials of the ObjectStore"
            }
            Self::R2ChecksumEnvMissing { .. } => {
                "set AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION to \
                 when_required in spec.instanceSidecarConfiguration.env of the ObjectStore"
            }
            Self::SharedServerName { .. } => {
                "give each cluster a serverName of its own in its plugin parameters, then take a \
                 base backup of each"
            }
            Self::AnnotationInvalid { .. } => "correct or remove the annotation on the Cluster",
            Self::KubernetesUnreadable(_) => {
                "check the ServiceAccount's roles and that the custom resource is installed"
            }
        }
        .to_owned()
    }

    pub(super) fn evidence(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoObjectStore(NoStore::Missing(name))
            | Self::NoObjectStore(NoStore::Unsupported { name, .. }) => {
                vec![("object_store", name.clone())]
            }
            Self::NoObjectStore(
                NoStore::Undeclared | NoStore::OnlySnapshots | NoStore::Unnamed,
            )
            | Self::NoSchedule
            | Self::WalArchiverNotEnabled
            | Self::WalArchivingSkipped
            | Self::EmptyArchiveCheckSkipped
            | Self::LegacyInTreeBackup
            | Self::PluginUnavailable { .. }
            | Self::CredentialsIncomplete { .. } => Vec::new(),
            Self::ScheduleSuspended { schedule } => vec![("schedule", schedule.clone())],
            Self::ScheduleFiveFields { schedule, text, .. }
            | Self::ScheduleInvalid { schedule, text, .. } => {
                vec![("schedule", schedule.clone()), ("text", text.clone())]
            }
            Self::ScheduleWrongMethod { schedule, method } => {
                vec![("schedule", schedule.clone()), ("method", method.to_string())]
            }
            Self::NoRetentionPolicy { store } | Self::R2ChecksumEnvMissing { store } => {
                vec![("object_store", store.clone())]
            }
            Self::SharedServerName { others } => vec![("clusters", names(others))],
            Self::AnnotationInvalid { key, value, .. } => {
                vec![("annotation", key.clone()), ("value", value.clone())]
            }
            Self::KubernetesUnreadable(unreadable) => vec![
                ("what", unreadable.what.clone()),
                ("reason", unreadable.reason.code().to_owned()),
            ],
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObjectStore(why) => why.fmt(f),
            Self::NoSchedule => {
                f.write_str("no ScheduledBackup makes base backups of this cluster")
            }
            Self::ScheduleSuspended { schedule } => {
                write!(f, "ScheduledBackup {schedule} is suspended, and no other one runs")
            }
            Self::ScheduleFiveFields { schedule, text, means } => {
                write!(
                    f,
                    "ScheduledBackup {schedule} has five fields, {text:?}: the first is the "
                )?;
                f.write_str("second, not the minute")?;
                match means {
                    Some(means) => write!(f, ", so it runs {means}"),
                    None => Ok(()),
                }
            }
            Self::ScheduleInvalid { schedule, why, .. } => {
                write!(f, "ScheduledBackup {schedule} never runs: {why}")
            }
            Self::ScheduleWrongMethod { schedule, method } => write!(
                f,
                "ScheduledBackup {schedule} asks for method {method}, not for the one that archives \
                 this cluster's WAL"
            ),
            Self::WalArchiverNotEnabled => {
                f.write_str("the plugin is not the WAL archiver: isWALArchiver is not true")
            }
            Self::WalArchivingSkipped => f.write_str(
                "WAL is thrown away instead of archived: annotation cnpg.io/skipWalArchiving",
            ),
            Self::EmptyArchiveCheckSkipped => f.write_str(
                "this cluster may write into an archive that is not empty: annotation \
                 cnpg.io/skipEmptyWalArchiveCheck",
            ),
            Self::LegacyInTreeBackup => {
                f.write_str("backups go through the deprecated spec.backup.barmanObjectStore")
            }
            Self::NoRetentionPolicy { store } => {
                write!(f, "no retentionPolicy{}: nothing is ever deleted", of_store(store))
            }
            Self::PluginUnavailable { why } => {
                write!(f, "the Barman Cloud Plugin is not available: {why}")
            }
            Self::CredentialsIncomplete { why } => {
                write!(f, "the credentials of the ObjectStore are incomplete: {why}")
            }
            Self::R2ChecksumEnvMissing { store } => write!(
                f,
                "ObjectStore {store} is on R2 without the checksum settings that R2 needs"
            ),
            Self::SharedServerName { others } => {
                write!(f, "another cluster writes into this archive: {}", names(others))
            }
            Self::AnnotationInvalid { key, value, expected } => {
                write!(f, "annotation {key} is {value:?}, expected {expected}")
            }
            Self::KubernetesUnreadable(unreadable) => unreadable.fmt(f),
        }
    }
}

impl fmt::Display for NoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared => f.write_str("the cluster is not backed up: no plugin, no store"),
            Self::OnlySnapshots => f.write_str(
                "the cluster has volume snapshots only, which are not looked at, and no archive",
            ),
            Self::Unnamed => {
                f.write_str("the plugin's parameter barmanObjectName is missing in spec.plugins")
            }
            Self::Missing(name) => write!(f, "there is no ObjectStore {name} in this namespace"),
            Self::Unsupported { name, why } => {
                write!(f, "the archive{} cannot be read: {why}", of_store(name))
            }
        }
    }
}

fn of_store(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" in ObjectStore {name}") }
}

fn names(clusters: &[ClusterId]) -> String {
    clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
