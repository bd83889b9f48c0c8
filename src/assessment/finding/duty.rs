//! What Kubernetes shows of backups and WAL that the archive alone cannot tell.

use std::fmt;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::words::duration;
use crate::domain::backup::BackupId;
use crate::domain::cluster::BackupPhase;
use crate::domain::cluster::DrillKind;

const SUPERSEDED: &str = "; a later backup succeeded";

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
    DrillOverdue {
        kind: DrillKind,
        last_at: DateTime<Utc>,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    DrillFailed {
        kind: DrillKind,
        at: DateTime<Utc>,
    },
}

impl Duty {
    pub(super) const fn code(&self) -> FindingCode {
        match self {
            Self::BackupStuck { .. } => FindingCode::BackupStuck,
            Self::BackupFailed { .. } => FindingCode::BackupFailed,
            Self::BackupAbsent { .. } => FindingCode::BackupIncomplete,
            Self::ArchiverFails { .. } | Self::ArchiverLags { .. } => FindingCode::ArchiverStuck,
            Self::WalNotStored { .. } => FindingCode::WalNotStored,
            Self::DrillOverdue { .. } => FindingCode::RestoreDrillOverdue,
            Self::DrillFailed { .. } => FindingCode::RestoreDrillFailed,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::BackupStuck { resource, blocks: Some(_), .. } => format!(
                "kubectl delete backup {resource}: until it ends, its ScheduledBackup makes no \
                 other one"
            ),
            Self::BackupStuck { .. } | Self::BackupFailed { .. } => {
                "read status.error of the Backup and the log of the plugin's sidecar in the primary"
                    .to_owned()
            }
            Self::BackupAbsent { .. } => {
                "look for lifecycle rules or people that delete objects, and whether the Cluster \
                 still names the same store and server name"
                    .to_owned()
            }
            Self::ArchiverFails { .. } | Self::ArchiverLags { .. } => {
                "read the log of the plugin's sidecar in the primary: a refused token, a full \
                 spool or \"Expected empty archive\" stops archiving; pg_wal fills until then"
                    .to_owned()
            }
            Self::WalNotStored { .. } => {
                "check isWALArchiver and where the sidecar writes; these segments are lost once \
                 PostgreSQL recycles them: take a base backup"
                    .to_owned()
            }
            Self::DrillOverdue { kind, .. } | Self::DrillFailed { kind, .. } => format!(
                "restore into a new cluster, then write the result into the annotation \
                 backup-verifier.monosense.dev/restore-drill-{}",
                kind.code()
            ),
        }
    }

    pub(super) fn evidence(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::BackupStuck { resource, phase, since, blocks, .. } => {
                let mut evidence = vec![
                    ("backup", resource.clone()),
                    ("phase", phase.to_string()),
                    ("since", time(*since)),
                ];
                evidence.extend(blocks.clone().map(|schedule| ("blocks", schedule)));
                evidence
            }
            Self::BackupFailed { resource, .. } => vec![("backup", resource.clone())],
            Self::BackupAbsent { resource, backup } => vec![
                ("backup", resource.clone()),
                ("backup_id", backup.to_string()),
                ("missing", "objects".to_owned()),
            ],
            Self::ArchiverFails { since, .. } => {
                vec![("kind", "failing".to_owned()), ("since", time(*since))]
            }
            Self::ArchiverLags { pod, ready_segments, .. } => vec![
                ("kind", "backlog".to_owned()),
                ("pod", pod.clone()),
                ("ready_segments", ready_segments.to_string()),
            ],
            Self::WalNotStored { pod, archived, stored, .. } => {
                let mut evidence = vec![("pod", pod.clone()), ("archived", archived.clone())];
                evidence.extend(stored.clone().map(|stored| ("stored", stored)));
                evidence
            }
            Self::DrillOverdue { kind, last_at, .. } => {
                vec![("kind", kind.code().to_owned()), ("last", time(*last_at))]
            }
            Self::DrillFailed { kind, at } => {
                vec![("kind", kind.code().to_owned()), ("at", time(*at))]
            }
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupStuck { resource, phase, since, blocks, is_superseded } => {
                write!(f, "Backup {resource} is {phase} since {}", time(*since))?;
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
            Self::ArchiverFails { since, message } => {
                write!(f, "archiving WAL fails since {}", time(*since))?;
                if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
            }
            Self::ArchiverLags { pod, ready_segments, last_archived_at } => {
                write!(f, "{ready_segments} WAL segments wait in {pod} to be archived")?;
                match last_archived_at {
                    Some(at) => write!(f, ", and none was since {}", time(*at)),
                    None => f.write_str(", and none ever was"),
                }
            }
            Self::WalNotStored { pod, archived, archived_at, stored } => {
                write!(f, "{pod} archived WAL up to {archived} at {}, but ", time(*archived_at))?;
                match stored {
                    Some(stored) => write!(f, "the newest stored segment is {stored}"),
                    None => f.write_str("no segment is stored"),
                }
            }
            Self::DrillOverdue { kind, last_at, age, age_max } => write!(
                f,
                "the last {} restore drill, at {}, is {} ago, more than {}",
                kind.code(),
                time(*last_at),
                duration(*age),
                duration(*age_max)
            ),
            Self::DrillFailed { kind, at } => {
                write!(f, "the {} restore drill at {} failed", kind.code(), time(*at))
            }
        }
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
