//! What is old enough to be judged.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

/// The store's time, and how long an upload may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) now: DateTime<Utc>,
    pub(super) grace: TimeDelta,
}

impl Clock {
    pub(super) fn is_within_grace(self, at: Option<DateTime<Utc>>) -> bool {
        at.is_some_and(|at| self.now - at < self.grace)
    }
}
