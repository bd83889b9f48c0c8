//! Can a moment be restored, from which backup, and if not, which moments are nearest?

mod asked;
mod refusal;
mod restore_point;
mod window;

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::RecoveryWindow;
use crate::assessment::plan::asked::Asked;
use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;
use crate::domain::timeline::TimelineId;

pub use crate::assessment::plan::refusal::Doubt;
pub use crate::assessment::plan::refusal::Obstruction;
pub use crate::assessment::plan::refusal::Why;
pub use crate::assessment::plan::restore_point::Found;

/// The answer to *can I restore to …*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePlan {
    Reachable(Restore),
    NotReachable(Obstruction),
    Unknown(Doubt),
}

/// How to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    pub window: Box<RecoveryWindow>,
    pub stop: Stop,
    /// The same moment on other branches of the archive, with another state: their timelines, and
    /// from which backup they are restored.
    pub elsewhere: Vec<(TimelineId, BackupId)>,
    pub base_bytes: u64,
    /// The stored size of the WAL on the way, from the mean size of a segment, at most: where in
    /// it the target lies is not known before it is read.
    pub wal_bytes_max: u64,
    /// The state is that of a branch that the archive left, and not of the timeline with which it goes
    /// on.
    pub left: Option<Left>,
    /// PostgreSQL must not read ahead: behind the target lies an object on which it would fail.
    pub needs_prefetch_off: bool,
    /// The operator that would restore it refuses the history files on the way.
    pub dropped_by: Option<OperatorVersion>,
}

/// A branch that was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub timeline: TimelineId,
    /// Where the same server's archive goes on, if that is told.
    pub living: Option<TimelineId>,
}

/// What recovery is told to stop at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing: it replays everything.
    Never,
    /// Before the first transaction that ended later.
    At(DateTime<Utc>),
    Lsn(Lsn),
    /// The first restore point of this name.
    RestorePoint(Arc<str>),
    /// As soon as the backup is consistent.
    Consistent,
}

impl RestorePlan {
    pub fn new(assessment: &Assessment, question: impl Into<Question>) -> Self {
        let question = question.into();
        let asked = Asked { assessment, question: &question };
        if let Some(refusal) = asked.refusal_of_backup() {
            return refusal;
        }
        match question.target {
            Target::Latest => asked.latest(),
            Target::At(at) => asked.moment(at),
            Target::Lsn(lsn) => asked.lsn(lsn),
            // The log has to be searched for it: [`Self::to_restore_point`].
            Target::RestorePoint(_) => Self::Unknown(Doubt::LogNotSearched),
            Target::Backup => asked.backup_itself(),
        }
    }
}

impl Restore {
    pub const fn backup_id(&self) -> &BackupId {
        &self.window.backup_id
    }

    /// What recovery must be told where its own choice would not work, or would not for long: the next
    /// promotion on the living timeline leads it there.
    pub fn target_timeline(&self) -> Option<TimelineId> {
        // Without a change of timelines on the way, its history file need not be there.
        let is_telling =
            |left: &Left| left.timeline == TimelineId::FIRST || 1 < self.window.path.len();
        let left = self.left.filter(is_telling).map(|left| left.timeline);
        self.window.target_timeline.or(left)
    }

    /// The position that recovery is told to stop at.
    pub const fn stop_at_lsn(&self) -> Option<Lsn> {
        match self.stop {
            Stop::Lsn(lsn) => Some(lsn),
            Stop::Never | Stop::At(_) | Stop::RestorePoint(_) | Stop::Consistent => None,
        }
    }

    /// The name that recovery is told to stop at.
    pub fn stop_at_name(&self) -> Option<&str> {
        match &self.stop {
            Stop::RestorePoint(name) => Some(name),
            Stop::Never | Stop::At(_) | Stop::Lsn(_) | Stop::Consistent => None,
        }
    }

    /// The moment that recovery is told to stop at.
    pub const fn stop_at(&self) -> Option<DateTime<Utc>> {
        match self.stop {
            Stop::At(at) => Some(at),
            Stop::Never | Stop::Lsn(_) | Stop::RestorePoint(_) | Stop::Consistent => None,
        }
    }
}
