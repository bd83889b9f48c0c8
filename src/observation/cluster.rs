//! What Kubernetes showed of one cluster, once.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::domain::cluster::ClusterId;
use crate::domain::cluster::Instance;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillReport;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::schedule::Schedule;
use crate::domain::segment::SegmentName;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;

/// A `Cluster` and everything in Kubernetes that belongs to its backups.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedCluster {
    pub id: ClusterId,
    /// Differs from that of an earlier cluster of the same name.
    pub uid: String,
    pub created_at: Option<DateTime<Utc>>,
    /// `status.systemID`: that of its `pg_control`; `None` also while it cannot be read, as an upgrade
    /// changes it.
    pub system_identifier: Option<u64>,
    /// `status.timelineID`; `None` where it says 0, which is not known yet, and while it cannot be read:
    /// a failover may have come since. After a
    /// major upgrade, CloudNativePG before 1.28.1 leaves that of the old server here.
    pub timeline: Option<u32>,
    /// The operator's, where its image tells.
    pub operator: Option<OperatorVersion>,
    pub archiver: Archiver,
    pub instance: Instance,
    pub store: Reading<DeclaredStore>,
    pub activity: Activity,
    /// Its `ScheduledBackup`s, of every method.
    pub schedules: Reading<Vec<ObservedSchedule>>,
    /// Its `Backup`s, of every method.
    pub backups: Reading<Vec<Arc<BackupResource>>>,
    /// What was last seen of base backups that are not looked at, also while it cannot be read now.
    pub elsewhere: Reading<Elsewhere>,
    /// `None` where the cluster does not use the plugin.
    pub plugin: Option<Reading<PluginDeployment>>,
    /// Other clusters that write into the same archive.
    pub sharers: Vec<ClusterId>,
    /// What the primary says of its archiver; `None` unless instance metrics are asked for.
    pub wal_archiving: Option<Reading<WalArchiving>>,
    /// Written down by hand, in annotations.
    pub drills: Vec<RestoreDrill>,
    /// What was left by drills that ran by themselves, newest first.
    pub drill_reports: Reading<Vec<Arc<DrillReport>>>,
    /// The same as last seen, where it cannot be read now.
    pub known_drill_reports: Vec<Arc<DrillReport>>,
    /// Annotations of ours that could not be understood.
    pub bad_annotations: Vec<BadAnnotation>,
}

/// Where the cluster's backups should go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredStore {
    Found(StoreFacts),
    /// No plugin and no `barmanObjectStore`.
    Undeclared,
    /// The plugin has no parameter `barmanObjectName`.
    Unnamed,
    /// There is no `ObjectStore` of this name in the cluster's namespace.
    Missing(String),
    /// One of a kind that is not read, such as Azure's.
    Elsewhere {
        name: String,
        why: String,
    },
    /// Its address or its environment is not understood.
    Unsupported {
        name: String,
        why: String,
    },
}

/// What an `ObjectStore` declares, or an in-tree `barmanObjectStore`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// Empty for an in-tree one.
    pub name: String,
    /// As `ArchiveAddress::destination_path` writes it.
    pub destination_path: String,
    /// Whether `retentionPolicy` is set; without it nothing is ever deleted.
    pub has_retention_policy: bool,
    /// Cloudflare R2, by its endpoint.
    pub is_r2: bool,
    /// Both checksum variables are `when_required` in `instanceSidecarConfiguration.env`.
    pub has_checksum_env: bool,
    /// What is wrong with the Secret it names; `None` if it was not looked at or is whole.
    pub credentials_problem: Option<String>,
}

/// What the cluster is doing, as far as it explains silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// `status.phase`, CloudNativePG's words.
    pub phase: Option<String>,
    pub is_hibernated: bool,
    /// The primary is fenced, by itself or with all instances.
    pub is_fenced: bool,
    /// It replays another cluster's WAL and archives only as fast as that comes.
    pub is_replica: bool,
    /// Annotation `cnpg.io/skipWalArchiving`: WAL is thrown away.
    pub skips_wal_archiving: bool,
    /// Annotation `cnpg.io/skipEmptyWalArchiveCheck`.
    pub skips_empty_archive_check: bool,
    /// Since when condition `ContinuousArchiving` is false, and its message.
    pub archiving_fails: Option<(DateTime<Utc>, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ObservedSchedule {
    pub name: String,
    pub created_at: Option<DateTime<Utc>>,
    /// As written.
    pub text: String,
    /// Or why CloudNativePG cannot read it.
    pub schedule: Result<Schedule, String>,
    pub is_suspended: bool,
    pub method: BackupMethod,
    /// `status.error`, since CloudNativePG 1.30.
    pub error: Option<String>,
}

/// One `Backup`. Fleets have tens of thousands, so what many have in common is in memory once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupResource {
    pub name: Arc<str>,
    /// The `Cluster` in its namespace that it is of.
    pub cluster: Arc<str>,
    pub created_at: Option<DateTime<Utc>>,
    pub method: BackupMethod,
    pub phase: BackupPhase,
    /// `status.backupId`: the folder in the bucket.
    pub backup_id: Option<BackupId>,
    pub started_at: Option<DateTime<Utc>>,
    pub stopped_at: Option<DateTime<Utc>>,
    /// `status.beginWal`, of whatever server it is.
    pub begin_wal: Option<SegmentName>,
    pub error: Option<Box<str>>,
    /// The `ScheduledBackup` that made it, by label `cnpg.io/scheduled-backup`.
    pub schedule: Option<Arc<str>>,
    /// Made at once because its `ScheduledBackup` says `immediate`: it fills no slot.
    pub is_immediate: bool,
    /// `status.pluginMetadata.clusterUID`: of which cluster it was made, whatever it was called.
    pub cluster_uid: Option<Arc<str>>,
    /// `status.serverName`: the folder of one that was made in-tree.
    pub server_name: Option<Arc<str>>,
}

/// Base backups that Kubernetes tells of and that lie in no object store that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    pub schedules_snapshots: bool,
    /// The newest one that is completed.
    pub snapshot: Option<SnapshotBackup>,
    /// Who is asked for backups besides Barman, by the cluster's `ScheduledBackup`s and `Backup`s.
    pub plugin: Option<String>,
}

/// A completed `Backup` of method `volumeSnapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotBackup {
    pub name: String,
    pub stopped_at: Option<DateTime<Utc>>,
    pub begin_wal: Option<SegmentName>,
}

/// The Deployment of the plugin in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginDeployment {
    Found { name: String, desired: i32, available: i32 },
    Missing { namespace: String },
}

/// What the primary's metrics say of `pg_stat_archiver` and `archive_status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalArchiving {
    pub pod: String,
    /// Segments that wait for `archive_command`.
    pub ready_segments: Option<u64>,
    /// The last 16 hex digits of the last archived file's name, as a number: `log << 32 | seg`
    /// (`config/manager/default-monitoring.yaml`); not an LSN.
    pub last_archived: Option<u64>,
    pub last_archived_at: Option<DateTime<Utc>>,
    pub last_failed_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAnnotation {
    pub key: String,
    pub value: String,
    pub expected: String,
}

impl ObservedCluster {
    /// A cluster of which only its name is known.
    pub fn unreadable(id: ClusterId, why: Unreadable) -> Self {
        Self {
            id,
            uid: String::new(),
            created_at: None,
            system_identifier: None,
            timeline: None,
            operator: None,
            archiver: Archiver::Nobody,
            instance: Instance::default(),
            store: Err(why.clone()),
            activity: Activity::default(),
            schedules: Err(why.clone()),
            backups: Err(why.clone()),
            elsewhere: Err(why.clone()),
            plugin: None,
            sharers: Vec::new(),
            wal_archiving: None,
            drills: Vec::new(),
            drill_reports: Err(why),
            known_drill_reports: Vec::new(),
            bad_annotations: Vec::new(),
        }
    }

    /// The same cluster at a time when Kubernetes cannot be read. What it is stays known, and so does
    /// what explained its silence: not to see it is no reason to take that for trouble.
    #[must_use]
    pub fn unread(&self, unreadable: &Unreadable) -> Self {
        Self {
            system_identifier: None,
            timeline: None,
            activity: Activity { archiving_fails: None, ..self.activity.clone() },
            schedules: Err(unreadable.clone()),
            backups: Err(unreadable.clone()),
            plugin: self.plugin.as_ref().map(|_| Err(unreadable.clone())),
            wal_archiving: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::unreadable::UnreadableReason;

    #[test]
    fn a_cluster_that_is_not_seen_any_more_keeps_what_explained_its_silence() {
        let unreadable = Unreadable {
            what: "list clusters".to_owned(),
            why: "no answer".to_owned(),
            reason: UnreadableReason::Timeout,
        };
        let id = ClusterId { namespace: "databases".to_owned(), name: "postgres".to_owned() };
        let blank = ObservedCluster::unreadable(id, unreadable.clone());
        let activity = Activity {
            is_hibernated: true,
            is_fenced: true,
            archiving_fails: Some((DateTime::UNIX_EPOCH, "exit status 1".to_owned())),
            ..Activity::default()
        };
        let (system_identifier, timeline) = (Some(7), Some(3));
        let seen = ObservedCluster { activity, system_identifier, timeline, ..blank };
        let unread = seen.unread(&unreadable);
        assert!(unread.activity.is_hibernated && unread.activity.is_fenced);
        // What may have changed since is not said any more.
        assert_eq!(unread.activity.archiving_fails, None);
        assert_eq!((unread.system_identifier, unread.timeline), (None, None));
    }
}
