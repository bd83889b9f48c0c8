//! What an operator asks to have restored.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;

/// What the operator wants back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The newest archived state.
    Latest,
    At(DateTime<Utc>),
    /// The state after a position in the log.
    Lsn(Lsn),
    /// The state at a position that was given this name (`pg_create_restore_point`).
    RestorePoint(Arc<str>),
    /// The state of a backup's own end, and nothing that came after.
    Backup,
}

/// The same, and what else the operator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub target: Target,
    /// From this one: its identifier, or the name that CloudNativePG gave it.
    pub backup: Option<String>,
    /// On this timeline: one that the archive left, for example.
    pub timeline: Option<TimelineId>,
}

impl From<Target> for Question {
    fn from(target: Target) -> Self {
        Self { target, backup: None, timeline: None }
    }
}
