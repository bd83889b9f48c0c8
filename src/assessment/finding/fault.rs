//! What is wrong inside one file of the log.

use std::fmt;

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::Ancestor;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::probe::SegmentDamage;

/// Why recovery cannot use a segment that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentFault {
    /// An object without a byte. Delivered as an empty file, PostgreSQL refuses to go on where it would
    /// accept a missing one; of some codecs it counts as missing.
    Empty { is_delivered: bool },
    /// Stored uncompressed, with another size than all segments have.
    Misfit(SegmentSize),
    /// Its storage class must be thawed first.
    Frozen,
    /// Another server wrote it.
    ForeignSystem { found: u64, expected: u64 },
    /// Opening it showed.
    Damaged(SegmentDamage),
}

/// Why a history file leads recovery astray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryFault {
    Damaged(HistoryDamage),
    /// Two files disagree on where a common ancestor was left.
    Disagrees {
        ours: Ancestor,
        parent: TimelineId,
        theirs: Lsn,
    },
    /// The timeline has a segment from before it began.
    BeginsTooLate {
        switched_at: Lsn,
        older: SegmentName,
    },
    /// A timeline on the way has one.
    OtherSwitchPoint,
}

/// What shows that a server goes on with a timeline, since a newer one left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LifeSign {
    /// Kubernetes says that the cluster is on it.
    Kubernetes,
    /// A base backup was begun there.
    Backup,
    /// A transaction ended there.
    Commit,
    /// Segments came there when none came any more on the other.
    Uploads,
}

impl SegmentFault {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::Misfit(_) => "wrong_size",
            Self::Frozen => "frozen",
            Self::ForeignSystem { .. } => "foreign_system",
            Self::Damaged(damage) => damage.code(),
        }
    }
}

impl LifeSign {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Backup => "backup",
            Self::Commit => "commit",
            Self::Uploads => "uploads",
        }
    }
}

impl fmt::Display for LifeSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "Kubernetes says that the cluster is on it",
            Self::Backup => "a base backup began on it",
            Self::Commit => "a transaction ended on it",
            Self::Uploads => "its segments are newer",
        })
    }
}

impl fmt::Display for SegmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { is_delivered: false } => {
                f.write_str("the object has no content, which counts as a missing segment")
            }
            Self::Empty { is_delivered: true } => f.write_str(
                "the object has no content, which stops PostgreSQL where a missing segment would \
                 only end recovery",
            ),
            Self::Misfit(size) => write!(
                f,
                "it is stored uncompressed and is not the {} bytes of a segment, which stops \
                 PostgreSQL where a missing one would only end recovery",
                size.bytes()
            ),
            Self::Frozen => f.write_str("its storage class must be thawed before it is read"),
            Self::ForeignSystem { found, expected } => write!(
                f,
                "it was written by the server with system identifier {found}, not by {expected}"
            ),
            Self::Damaged(damage) => damage.fmt(f),
        }
    }
}

impl fmt::Display for HistoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::Disagrees { ours: Ancestor { timeline, switched_at }, parent, theirs } => write!(
                f,
                "it says that timeline {timeline} was left at {switched_at}, and the history of \
                 timeline {parent} says at {theirs}"
            ),
            Self::BeginsTooLate { switched_at, older } => write!(
                f,
                "it says that the timeline began at {switched_at}, and segment {older} is older"
            ),
            Self::OtherSwitchPoint => {
                f.write_str("it names another switch point than the archive shows")
            }
        }
    }
}
