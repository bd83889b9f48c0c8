//! Why a backup cannot be restored.

use std::fmt;

use crate::assessment::BackupKind;
use crate::assessment::finding::SegmentFault;
use crate::assessment::finding::archive::backup::BackupDefect;
use crate::assessment::finding::archive::backup::MissingWal;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnusableReason {
    Running,
    /// Its own objects show.
    Defect(BackupDefect),
    Unread(Unreadable),
    /// Its data lies where this program does not look.
    Snapshot,
    /// Its WAL was not listed, or is another server's.
    WalNotKnown {
        system: Option<u64>,
    },
    WalMissing(MissingWal),
    SegmentAwaited(SegmentName),
    SegmentDamaged {
        segment: SegmentName,
        fault: SegmentFault,
    },
    SegmentShadowed(SegmentName),
    NoRoute(NoRoute),
}

/// Why recovery cannot aim for a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// The history file stops PostgreSQL from starting, or contradicts the archive.
    Damaged(TimelineId),
    /// The history file could not be read.
    Unread(TimelineId),
    /// The timeline does not descend from the backup.
    NotAChild(TimelineId),
    /// PostgreSQL would have to be told to stay on a timeline, and refuses to without its history
    /// file (`validateRecoveryParameters` in `xlogrecovery.c`).
    Untold(TimelineId),
}

impl UnusableReason {
    pub(super) const fn kind(&self) -> BackupKind {
        if matches!(self, Self::Running) {
            BackupKind::Running
        } else if let Self::Defect(BackupDefect::Failed { .. } | BackupDefect::Stuck { .. }) = self
        {
            BackupKind::Failed
        } else {
            BackupKind::Unusable
        }
    }
}

impl From<BackupDefect> for UnusableReason {
    fn from(defect: BackupDefect) -> Self {
        Self::Defect(defect)
    }
}

impl fmt::Display for UnusableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("it is still running"),
            Self::Defect(defect) => defect.fmt(f),
            Self::Unread(unread) => unread.fmt(f),
            Self::Snapshot => {
                f.write_str("its data is in volume snapshots, which are not checked here")
            }
            Self::WalNotKnown { system } => {
                f.write_str(
                    "its WAL is not known to be complete: it could not be listed, or it belongs to \
                     another PostgreSQL server (system identifier ",
                )?;
                match system {
                    Some(system) => write!(f, "{system})"),
                    None => f.write_str("unknown)"),
                }
            }
            Self::WalMissing(MissingWal { first, .. }) => {
                write!(f, "WAL segment {first} is missing")
            }
            Self::SegmentAwaited(name) => write!(f, "WAL segment {name} has not been uploaded yet"),
            Self::SegmentDamaged { segment, fault } => {
                write!(f, "WAL segment {segment} is damaged: {fault}")
            }
            Self::SegmentShadowed(name) => {
                write!(f, "WAL segment {name} is shadowed by a leftover .partial")
            }
            Self::NoRoute(NoRoute::Unread(timeline)) => {
                write!(f, "the history file of timeline {timeline} could not be read")
            }
            Self::NoRoute(NoRoute::Untold(timeline)) => write!(
                f,
                "PostgreSQL refuses to stay on timeline {timeline} without its history file"
            ),
            Self::NoRoute(NoRoute::Damaged(timeline) | NoRoute::NotAChild(timeline)) => write!(
                f,
                "PostgreSQL refuses to start with the history file of timeline {timeline}"
            ),
        }
    }
}
