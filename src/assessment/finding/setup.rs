//! What is wrong with how a cluster is set up in Kubernetes, whatever its archive holds.

use std::fmt;

use chrono::TimeDelta;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::duration;
use crate::domain::backup::BackupId;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::ClusterId;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::observation::cluster::PluginDeployment;

/// A mistake or an omission in the objects of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    NoObjectStore(NoStore),
    NoSchedule,
    Schedule {
        schedule: String,
        flaw: ScheduleFlaw,
    },
    WalArchiverNotEnabled,
    WalArchivingSkipped,
    EmptyArchiveCheckSkipped,
    LegacyInTreeBackup,
    NoRetentionPolicy {
        store: String,
    },
    PluginUnavailable(PluginDeployment),
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
    /// Declared, and not in the newest backup.
    TablespaceMissing {
        tablespaces: Vec<String>,
        backup: BackupId,
    },
    /// A recovery from the newest backup ends on its timeline.
    OperatorDropsTimelines {
        version: OperatorVersion,
        ends_on: TimelineId,
        goes_on_to: TimelineId,
    },
    /// Something in Kubernetes that says what was promised.
    KubernetesUnreadable(Unreadable),
}

/// Why a `ScheduledBackup` does not do what it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleFlaw {
    /// And so is every other one.
    Suspended,
    FiveFields {
        text: String,
        /// `None` if it is due at most once.
        interval: Option<TimeDelta>,
    },
    Invalid {
        text: String,
        why: String,
    },
    WrongMethod(BackupMethod),
}

/// Why a cluster has no archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStore {
    Undeclared,
    Unnamed,
    Missing(String),
    Unsupported { name: String, why: String },
}

impl Family for Setup {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::NoObjectStore(NoStore::Missing(name) | NoStore::Unsupported { name, .. }) => {
                (FindingCode::NoObjectStore, Topic::ObjectStore(name))
            }
            Self::NoObjectStore(_) => (FindingCode::NoObjectStore, Topic::Whole),
            Self::NoSchedule => (FindingCode::NoSchedule, Topic::Whole),
            Self::Schedule { schedule, flaw } => (flaw.code(), Topic::Schedule(schedule)),
            Self::WalArchiverNotEnabled => (FindingCode::WalArchiverNotEnabled, Topic::Whole),
            Self::WalArchivingSkipped => (FindingCode::WalArchivingSkipped, Topic::Whole),
            Self::EmptyArchiveCheckSkipped => (FindingCode::EmptyArchiveCheckSkipped, Topic::Whole),
            Self::LegacyInTreeBackup => (FindingCode::LegacyInTreeBackup, Topic::Whole),
            Self::NoRetentionPolicy { store } => {
                (FindingCode::NoRetentionPolicy, Topic::ObjectStore(store))
            }
            Self::PluginUnavailable(_) => (FindingCode::PluginUnavailable, Topic::Whole),
            Self::CredentialsIncomplete { .. } => {
                (FindingCode::CredentialsIncomplete, Topic::Whole)
            }
            Self::R2ChecksumEnvMissing { store } => {
                (FindingCode::R2ChecksumEnvMissing, Topic::ObjectStore(store))
            }
            Self::SharedServerName { .. } => (FindingCode::SharedServerName, Topic::Whole),
            Self::AnnotationInvalid { key, .. } => {
                (FindingCode::AnnotationInvalid, Topic::Annotation(key))
            }
            Self::TablespaceMissing { backup, .. } => {
                (FindingCode::TablespaceMissing, Topic::Backup(backup))
            }
            Self::OperatorDropsTimelines { .. } => {
                (FindingCode::OperatorDropsTimelines, Topic::Whole)
            }
            Self::KubernetesUnreadable(unread) => {
                (FindingCode::KubernetesUnreadable, Topic::Read(&unread.what))
            }
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::NoObjectStore(NoStore::Unsupported { .. }) => {
                "backups are read from S3 and compatible stores only"
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
            Self::Schedule { flaw, .. } => flaw.hint(),
            Self::WalArchiverNotEnabled => {
                "set isWALArchiver: true in spec.plugins; without it, archive_command can succeed \
                 while nothing is stored"
            }
            Self::WalArchivingSkipped => {
                "remove the annotation cnpg.io/skipWalArchiving, then take a base backup"
            }
            Self::EmptyArchiveCheckSkipped => {
                "remove the annotation cnpg.io/skipEmptyWalArchiveCheck once the cluster runs: the \
                 check protects the archive of another cluster under the same server name"
            }
            Self::LegacyInTreeBackup => {
                "migrate to the Barman Cloud Plugin: CloudNativePG is dropping barmanObjectStore"
            }
            Self::NoRetentionPolicy { .. } => {
                "set spec.retentionPolicy of the ObjectStore, for example to 30d; it goes beside \
                 spec.configuration, not inside"
            }
            Self::PluginUnavailable(_) => {
                "look at the plugin's Deployment in the operator's namespace; until it runs, no \
                 backup is made and new instances cannot start"
            }
            Self::CredentialsIncomplete { .. } => {
                "compare the Secret's keys with s3Credentials of the ObjectStore"
            }
            Self::R2ChecksumEnvMissing { .. } => {
                "set AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION to \
                 when_required in spec.instanceSidecarConfiguration.env of the ObjectStore"
            }
            Self::SharedServerName { .. } => {
                "give each cluster its own serverName in its plugin parameters, then take a base \
                 backup of each"
            }
            Self::AnnotationInvalid { .. } => "correct or remove the annotation on the Cluster",
            Self::TablespaceMissing { .. } => {
                "recovery from an older backup has no place for the tablespace, and fails where \
                 the WAL creates it; TAKE_A_BACKUP"
            }
            Self::OperatorDropsTimelines { .. } => {
                "before any restore, upgrade CloudNativePG to 1.28.4, 1.29.2, 1.30 or later; or, \
                 since a new backup starts on the present timeline, TAKE_A_BACKUP"
            }
            Self::KubernetesUnreadable(_) => {
                "check the ServiceAccount's roles, and that the custom resource is installed"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::Schedule { flaw, .. } => Vec::from_iter(flaw.evidence()),
            Self::SharedServerName { others } => vec![("clusters", names(others))],
            Self::AnnotationInvalid { value, .. } => vec![("value", value.clone())],
            Self::TablespaceMissing { tablespaces, .. } => {
                vec![("tablespaces", tablespaces.join(", "))]
            }
            Self::OperatorDropsTimelines { version, ends_on, goes_on_to } => vec![
                ("operator", version.to_string()),
                ("ends_on", ends_on.to_string()),
                ("goes_on_to", goes_on_to.to_string()),
            ],
            Self::KubernetesUnreadable(unread) => {
                vec![("reason", unread.reason.code().to_owned())]
            }
            Self::NoObjectStore(_)
            | Self::NoSchedule
            | Self::WalArchiverNotEnabled
            | Self::WalArchivingSkipped
            | Self::EmptyArchiveCheckSkipped
            | Self::LegacyInTreeBackup
            | Self::NoRetentionPolicy { .. }
            | Self::PluginUnavailable(_)
            | Self::CredentialsIncomplete { .. }
            | Self::R2ChecksumEnvMissing { .. } => Vec::new(),
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
            Self::Schedule { schedule, flaw } => {
                write!(f, "ScheduledBackup {schedule} {flaw}")
            }
            Self::WalArchiverNotEnabled => {
                f.write_str("the plugin is not the WAL archiver: isWALArchiver is not true")
            }
            Self::WalArchivingSkipped => f.write_str(
                "WAL is thrown away instead of archived, because of the annotation \
                 cnpg.io/skipWalArchiving",
            ),
            Self::EmptyArchiveCheckSkipped => f.write_str(
                "this cluster may write into an archive that is not empty, because of the \
                 annotation cnpg.io/skipEmptyWalArchiveCheck",
            ),
            Self::LegacyInTreeBackup => {
                f.write_str("backups go through the deprecated spec.backup.barmanObjectStore")
            }
            Self::NoRetentionPolicy { store } => {
                write!(f, "no retentionPolicy{}: nothing is ever deleted", of_store(store))
            }
            Self::PluginUnavailable(deployment) => {
                f.write_str("the Barman Cloud Plugin is not available: ")?;
                match deployment {
                    PluginDeployment::Missing { namespace } => {
                        write!(f, "it has no Deployment in namespace {namespace}")
                    }
                    PluginDeployment::Found { name, desired, available } => write!(
                        f,
                        "Deployment {name} has {available} of {desired} replicas available"
                    ),
                }
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
            Self::TablespaceMissing { tablespaces, backup } => write!(
                f,
                "the newest usable backup, {backup}, is older than {}",
                tablespace_names(tablespaces)
            ),
            Self::OperatorDropsTimelines { version, ends_on, goes_on_to } => write!(
                f,
                "CloudNativePG {version} refuses history files during recovery: from the newest \
                 backup it ends on timeline {ends_on}, without anything from timeline {goes_on_to}"
            ),
            Self::KubernetesUnreadable(unreadable) => unreadable.fmt(f),
        }
    }
}

impl ScheduleFlaw {
    const fn code(&self) -> FindingCode {
        match self {
            Self::Suspended => FindingCode::ScheduleSuspended,
            Self::FiveFields { .. } => FindingCode::ScheduleFiveFields,
            Self::Invalid { .. } => FindingCode::ScheduleInvalid,
            Self::WrongMethod(_) => FindingCode::ScheduleWrongMethod,
        }
    }

    const fn hint(&self) -> &'static str {
        match self {
            Self::Suspended => "set spec.suspend to false once the reason for it is gone",
            Self::FiveFields { .. } => {
                "write six fields, seconds first: daily at midnight is \"0 0 0 * * *\""
            }
            Self::Invalid { .. } => "write six fields, seconds first, or a descriptor like @daily",
            Self::WrongMethod(_) => {
                "set spec.method to plugin and spec.pluginConfiguration.name to \
                 barman-cloud.cloudnative-pg.io"
            }
        }
    }

    fn evidence(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Suspended => None,
            Self::FiveFields { text, .. } | Self::Invalid { text, .. } => {
                Some(("text", text.clone()))
            }
            Self::WrongMethod(method) => Some(("method", method.to_string())),
        }
    }
}

impl fmt::Display for ScheduleFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended => f.write_str("is suspended, and no other one is active"),
            Self::FiveFields { text, interval } => {
                write!(f, "has five fields, {text:?}: the first is the second, not the minute")?;
                match interval.map(|interval| (interval.num_seconds(), interval)) {
                    None => Ok(()),
                    Some((60, _)) => f.write_str(", so it runs every minute"),
                    Some((3_600, _)) => f.write_str(", so it runs hourly"),
                    Some((86_400, _)) => f.write_str(", so it runs daily"),
                    Some((_, interval)) => {
                        write!(f, ", so it runs every {} at most", duration(interval))
                    }
                }
            }
            Self::Invalid { why, .. } => write!(f, "never runs: {why}"),
            Self::WrongMethod(method) => write!(
                f,
                "asks for method {method}, not for the one that archives this cluster's WAL"
            ),
        }
    }
}

impl fmt::Display for NoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared => f.write_str(
                "the cluster is not backed up: it has no plugin and no \
                                             store",
            ),
            Self::Unnamed => {
                f.write_str("the plugin's parameter barmanObjectName is missing from spec.plugins")
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

fn tablespace_names(tablespaces: &[String]) -> String {
    let word = if tablespaces.len() == 1 { "tablespace" } else { "tablespaces" };
    format!("{word} {}", tablespaces.join(", "))
}

fn names(clusters: &[ClusterId]) -> String {
    clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
