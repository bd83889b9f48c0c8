//! What is old enough to be judged.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::expectations::Expectations;
use crate::observation::Observation;

/// The store's time, and how long an upload may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) now: DateTime<Utc>,
    pub(super) grace: TimeDelta,
}

impl Clock {
    pub(super) fn of_store(
        seen: &Observation,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Self {
        Self { now: now + seen.store_clock_ahead, grace: expected.uploading_grace }
    }

    pub(super) fn is_within_grace(self, at: Option<DateTime<Utc>>) -> bool {
        at.is_some_and(|at| self.now - at < self.grace)
    }
}
