//! What an object store's answers told of its clock.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

/// How far clocks may be apart that are set by the same rules.
///
/// Stores refuse what is signed a quarter of an hour off (`RequestTimeTooSkewed`); a third of that
/// is more than an answer takes on its way, and less than any age that an archive is held to.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The store's clock as it was seen beside our two: the one on the wall, and the one that only runs
/// on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreClock {
    /// How far it was ahead of ours at the last answer, where it tells.
    pub ahead: Option<TimeDelta>,
    /// What it showed then.
    pub shown: Option<DateTime<Utc>>,
    /// When it last moved against our clock that only runs on, by more than [`CLOCK_TOLERANCE`].
    pub moved: Option<ClockMove>,
}

/// More or less time passed between two answers by the store's clock than by ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMove {
    /// How much more; negative is less.
    pub by: TimeDelta,
    /// How long ago the second of the answers came, by our clock.
    pub ago: TimeDelta,
}

impl StoreClock {
    /// The store's time at a moment of ours. Without its word, clocks count as equal.
    pub fn time(&self, ours: DateTime<Utc>) -> DateTime<Utc> {
        self.ahead.and_then(|ahead| ours.checked_add_signed(ahead)).unwrap_or(ours)
    }

    /// Our time at a moment of the store's.
    pub fn ours(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        self.ahead.and_then(|ahead| time.checked_sub_signed(ahead)).unwrap_or(time)
    }

    /// The latest time that it has come to, as far as was seen: a look that takes long ends later
    /// than the moment that it is judged at.
    pub fn latest(&self, ours: DateTime<Utc>) -> DateTime<Utc> {
        self.shown.map_or(self.time(ours), |shown| shown.max(self.time(ours)))
    }
}
