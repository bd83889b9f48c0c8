//! What is old enough to be judged, by a clock that is another machine's.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::expectations::Expectations;
use crate::assessment::finding::archive::store::ClockDoubt;
use crate::observation::Observation;
use crate::observation::store_clock::CLOCK_TOLERANCE;
use crate::observation::store_clock::ClockMove;

/// The store's time, and how long an upload may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: DateTime<Utc>,
    /// What is stamped later than this is from the future.
    latest: DateTime<Utc>,
    grace: TimeDelta,
}

/// A clock that has run on so long is not one that moves all the time: one that stands still moves
/// once in each [`CLOCK_TOLERANCE`].
const STEADY: TimeDelta = TimeDelta::minutes(10);

impl Clock {
    pub(super) fn of_store(
        seen: &Observation,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Self {
        let latest = seen.store_clock.latest(now);
        Self {
            now: seen.store_clock.time(now),
            latest: latest.checked_add_signed(CLOCK_TOLERANCE).unwrap_or(latest),
            grace: expected.uploading_grace,
        }
    }

    pub(super) const fn grace(self) -> TimeDelta {
        self.grace
    }

    /// How long ago something was uploaded; `None` if it is from the future, which tells nothing.
    pub(super) fn age(self, uploaded_at: DateTime<Utc>) -> Option<TimeDelta> {
        (uploaded_at <= self.latest).then(|| self.now.signed_duration_since(uploaded_at))
    }

    pub(super) fn is_within_grace(self, uploaded_at: Option<DateTime<Utc>>) -> bool {
        uploaded_at.and_then(|at| self.age(at)).is_some_and(|age| age < self.grace)
    }

    /// Whether it is known to be older.
    pub(super) fn is_beyond_grace(self, uploaded_at: Option<DateTime<Utc>>) -> bool {
        uploaded_at.and_then(|at| self.age(at)).is_some_and(|age| self.grace <= age)
    }

    /// Whether the upload has no age.
    pub(super) fn is_undated(self, uploaded_at: Option<DateTime<Utc>>) -> bool {
        uploaded_at.is_some_and(|at| self.age(at).is_none())
    }

    /// Why the ages of uploads mean nothing, if they do.
    pub(super) fn doubt(self, seen: &Observation, expected: &Expectations) -> Option<ClockDoubt> {
        let from_future = latest_upload(seen).filter(|at| self.age(*at).is_none());
        let from_future = from_future.map(|uploaded_at| ClockDoubt::FutureUpload {
            uploaded_at,
            by: uploaded_at.signed_duration_since(self.now),
        });
        let moved = seen.store_clock.moved.filter(|it| is_in_effect(*it, expected));
        from_future.or_else(|| moved.map(|ClockMove { by, .. }| ClockDoubt::Moved { by }))
    }
}

/// Whether uploads from before the move may still be held to an age that is not theirs. Who came
/// to be younger by it is too old all the same once the move and the age have passed; who came to
/// be older is so by then anyway.
fn is_in_effect(moved: ClockMove, expected: &Expectations) -> bool {
    let age_max = expected.wal_age_max.unwrap_or_default().max(expected.uploading_grace);
    let back = moved.by.min(TimeDelta::zero()).abs();
    let ends = back.checked_add(&age_max.max(STEADY));
    ends.is_none_or(|ends| moved.ago <= ends)
}

fn latest_upload(seen: &Observation) -> Option<DateTime<Utc>> {
    let of_backups = seen.backups.iter().flatten().map(|backup| backup.last_uploaded_at).max();
    of_backups.max(seen.archive.as_ref().ok().and_then(|inventory| inventory.latest_upload()))
}
