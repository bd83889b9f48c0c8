//! What Kubernetes shows of the Jobs that read base backups.

use chrono::DateTime;
use chrono::Utc;

/// One Job, with what its pods show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedJob {
    pub name: String,
    /// Tells it from another one of its name, before or after it.
    pub uid: String,
    /// A digest of the archive that it reads.
    pub archive: String,
    /// The identifier of the backup that it reads.
    pub backup: String,
    pub state: JobState,
}

/// How far a Job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It is about to be gone.
    Leaving,
    /// No pod of it runs, since then.
    Pending {
        since: Option<DateTime<Utc>>,
    },
    Running,
    /// It has the condition `Complete` or `Failed`.
    Over {
        at: Option<DateTime<Utc>>,
        end: JobEnd,
    },
}

/// What is left of a Job that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The message that its container left.
    Told(String),
    OutOfMemory,
    /// Its container ended without a message, for this reason.
    Silent(String),
    /// No pod that has ended is seen of it: not yet, or not any more.
    NoPod(String),
}

impl JobState {
    /// Whether it takes the place of another one: those that are over do not.
    pub const fn is_unfinished(&self) -> bool {
        match self {
            Self::Leaving | Self::Over { .. } => false,
            Self::Pending { .. } | Self::Running => true,
        }
    }
}
