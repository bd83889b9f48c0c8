//! Backups that lie where this program does not look. Nobody needs to act, and nobody can say here
//! whether they can be restored.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::time;
use crate::domain::segment::SegmentName;
use crate::observation::cluster::SnapshotBackup;

/// Where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// In volume snapshots, and there is no archive.
    OnlySnapshots,
    /// In volume snapshots, with their WAL here.
    SnapshotsBesideWal { newest: Option<SnapshotBackup>, wal: WholeWal },
    /// With another plugin.
    Plugin(String),
    /// In a store of a kind that is not read.
    Store { name: String, why: String },
}

/// The newest segments without a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeWal {
    pub first: SegmentName,
    pub first_uploaded_at: Option<DateTime<Utc>>,
    pub last: SegmentName,
    pub last_uploaded_at: DateTime<Utc>,
}

impl Family for Elsewhere {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        let topic = match self {
            Self::Store { name, .. } => Topic::ObjectStore(name),
            Self::OnlySnapshots | Self::SnapshotsBesideWal { .. } | Self::Plugin(_) => Topic::Whole,
        };
        (FindingCode::BackupsElsewhere, topic)
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::OnlySnapshots => {
                "volume snapshots cannot restore the moments in between; add the Barman Cloud \
                 Plugin, or set the annotation backup-verifier.monosense.dev/ignore"
            }
            Self::SnapshotsBesideWal { .. } => {
                "add a base backup in the object store, for example by a weekly ScheduledBackup: \
                 from then on it is known what can be restored"
            }
            Self::Plugin(_) => {
                "see what that plugin reports about its backups, or set the annotation \
                 backup-verifier.monosense.dev/ignore"
            }
            Self::Store { .. } => "backups are read from S3 and compatible stores only",
        }
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::OnlySnapshots => vec![("kind", "volume_snapshots".to_owned())],
            Self::SnapshotsBesideWal { newest, wal } => {
                let mut evidence = vec![("kind", "volume_snapshots".to_owned())];
                let name = newest.as_ref().map(|newest| newest.name.clone());
                evidence.extend(name.map(|name| ("backup", name)));
                evidence.push(("wal_first", wal.first.to_string()));
                evidence.push(("wal_last", wal.last.to_string()));
                evidence
            }
            Self::Plugin(name) => vec![("kind", "plugin".to_owned()), ("plugin", name.clone())],
            Self::Store { .. } => vec![("kind", "store".to_owned())],
        }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlySnapshots => f.write_str(
                "the cluster has no archive, only volume snapshots, which are not checked here",
            ),
            Self::SnapshotsBesideWal { newest, wal } => {
                f.write_str("the base backups are volume snapshots, which are not checked here")?;
                if let Some(SnapshotBackup { name, stopped_at, .. }) = newest {
                    write!(f, ", the newest is {name}")?;
                    stopped_at.map_or(Ok(()), |at| write!(f, " of {}", time(at)))?;
                }
                write!(f, "; the WAL from {wal} is complete")
            }
            Self::Plugin(name) => {
                write!(f, "plugin {name} makes the backups, which are not checked here")
            }
            Self::Store { name, why } => {
                let store =
                    if name.is_empty() { String::new() } else { format!(" in ObjectStore {name}") };
                write!(f, "the archive{store} is not checked: {why}")
            }
        }
    }
}

impl fmt::Display for WholeWal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.first_uploaded_at.map_or(Ok(()), |at| write!(f, " ({})", time(at)))?;
        write!(f, " to {} ({})", self.last, time(self.last_uploaded_at))
    }
}
