//! What Kubernetes shows of backups and WAL that the archive alone cannot tell.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::SUPERSEDED;
use crate::assessment::finding::words::time;
use crate::domain::backup::BackupId;
use crate::domain::cluster::BackupPhase;

/// A duty that somebody has and does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Duty {
    BackupStuck {
        resource: String,
        phase: BackupPhase,
        since: DateTime<Utc>,
        /// The `ScheduledBackup` that waits for it and makes no other one.
        blocks: Option<String>,
        is_superseded: bool,
    },
    BackupFailed {
        resource: String,
        error: Option<String>,
        is_superseded: bool,
    },
    /// Of a new cluster, whose first backup need not be there yet.
    FirstBackupAwaited {
        until: DateTime<Utc>,
    },
    /// Kubernetes says completed, and the archive has no such backup.
    BackupAbsent {
        resource: String,
        backup: BackupId,
    },
    ArchiverFails {
        since: DateTime<Utc>,
        message: String,
    },
    ArchiverLags {
        pod: String,
        ready_segments: u64,
        last_archived_at: Option<DateTime<Utc>>,
    },
    /// PostgreSQL counts WAL as archived that is not stored.
    WalNotStored {
        pod: String,
        /// The last archived segment without its timeline, as in a file name.
        archived: String,
        archived_at: DateTime<Utc>,
        stored: Option<String>,
    },
}

impl Family for Duty {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::BackupStuck { resource, .. } => {
                (FindingCode::BackupStuck, Topic::BackupResource(resource))
            }
            Self::BackupFailed { resource, .. } => {
                (FindingCode::BackupFailed, Topic::BackupResource(resource))
            }
            Self::BackupAbsent { resource, .. } => {
                (FindingCode::BackupIncomplete, Topic::BackupResource(resource))
            }
            Self::FirstBackupAwaited { .. } => (FindingCode::FirstBackupAwaited, Topic::Whole),
            Self::ArchiverFails { .. } => (FindingCode::ArchiverStuck, Topic::Whole),
            Self::ArchiverLags { pod, .. } => (FindingCode::ArchiverStuck, Topic::Pod(pod)),
            Self::WalNotStored { pod, .. } => (FindingCode::WalNotStored, Topic::Pod(pod)),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::BackupStuck { blocks: Some(_), .. } => {
                "kubectl delete backups.postgresql.cnpg.io TOPIC: until it is gone, its \
                 ScheduledBackup makes no new one"
            }
            Self::BackupStuck { .. } | Self::BackupFailed { .. } => {
                "read status.error of the Backup and the log of the plugin's sidecar in the primary"
            }
            Self::BackupAbsent { .. } => {
                "find out what deletes objects (a lifecycle rule, a person, a tool), and check \
                 that the Cluster still names the same store and server name"
            }
            Self::FirstBackupAwaited { .. } => {
                "nothing can be restored until then; if that is too long, TAKE_A_BACKUP"
            }
            Self::ArchiverFails { .. } | Self::ArchiverLags { .. } => {
                "read the log of the plugin's sidecar in the primary: a refused token, a full \
                 spool or \"Expected empty archive\" stops archiving; meanwhile pg_wal fills the \
                 disk"
            }
            Self::WalNotStored { .. } => {
                "check isWALArchiver and where the sidecar writes; these segments are lost once \
                 PostgreSQL recycles them, so take a base backup"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::BackupStuck { phase, since, blocks, .. } => {
                let mut evidence = vec![("phase", phase.to_string()), ("since", time(*since))];
                evidence.extend(blocks.clone().map(|schedule| ("blocks", schedule)));
                evidence
            }
            Self::BackupFailed { .. } => Vec::new(),
            Self::FirstBackupAwaited { until } => vec![("until", time(*until))],
            Self::BackupAbsent { backup, .. } => {
                vec![("backup_id", backup.to_string()), ("missing", "objects".to_owned())]
            }
            Self::ArchiverFails { since, .. } => {
                vec![("kind", "failing".to_owned()), ("since", time(*since))]
            }
            Self::ArchiverLags { ready_segments, .. } => {
                vec![("kind", "backlog".to_owned()), ("ready_segments", ready_segments.to_string())]
            }
            Self::WalNotStored { archived, stored, .. } => {
                let mut evidence = vec![("archived", archived.clone())];
                evidence.extend(stored.clone().map(|stored| ("stored", stored)));
                evidence
            }
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupStuck { resource, phase, since, blocks, is_superseded } => {
                write!(f, "Backup {resource} has been {phase} since {}", time(*since))?;
                if let Some(schedule) = blocks {
                    write!(f, " and blocks ScheduledBackup {schedule}")?;
                }
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::BackupFailed { resource, error, is_superseded } => {
                write!(f, "Backup {resource} failed")?;
                if let Some(error) = error {
                    write!(f, ": {error}")?;
                }
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::BackupAbsent { resource, backup } => write!(
                f,
                "Backup {resource} is completed, but the archive has no base backup {backup}"
            ),
            Self::FirstBackupAwaited { until } => {
                write!(f, "a new cluster: its first base backup is expected by {}", time(*until))
            }
            Self::ArchiverFails { since, message } => {
                write!(f, "archiving WAL has failed since {}", time(*since))?;
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Self::ArchiverLags { pod, ready_segments, last_archived_at } => {
                write!(f, "{ready_segments} WAL segments are waiting in {pod} to be archived")?;
                match last_archived_at {
                    Some(at) => write!(f, ", and none has been archived since {}", time(*at)),
                    None => f.write_str(", and none has ever been archived"),
                }
            }
            Self::WalNotStored { pod, archived, archived_at, stored } => {
                write!(f, "{pod} archived WAL up to {archived} at {}, but ", time(*archived_at))?;
                match stored {
                    Some(stored) => write!(f, "the newest stored segment is {stored}"),
                    None => f.write_str("no segment is stored"),
                }
            }
        }
    }
}
