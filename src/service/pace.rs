//! How often an archive is looked at, and what is listed how often. All intervals are here.

use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::wants::Wants;
use crate::config::Polling;
use crate::sources::limits;

/// How often an archive is looked at, and what is listed how often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks; longer than any `TimeDelta` where nobody looks again.
    pub looks_every: Duration,
    /// How many segments one look opens at most; what is left is opened by the next one.
    pub segments_per_look: usize,
    pub(super) complete_every: Duration,
    pub(super) wals_every: Duration,
    backups_every: Duration,
    /// While a backup is running: its end is news that is waited for.
    running_backup_every: Duration,
    /// While a backup would help; `None` is both lists at every look.
    helpful_backup_every: Option<Duration>,
    pub(super) folders_every: Duration,
}

/// Somebody who waits for a backup to end looks this often.
const TEN_MINUTES: Duration = Duration::from_mins(10);

impl Pace {
    /// Of the daemon.
    pub const fn new(polling: Polling, looks_every: Duration, complete_every: Duration) -> Self {
        Self { looks_every, complete_every, ..Self::of(polling) }
    }

    /// Of a command, which looks at everything.
    pub const fn once() -> Self {
        Self { segments_per_look: limits::SEGMENTS_PER_LONE_LOOK, ..Self::of(Polling::List) }
    }

    /// Of archives that nobody writes to: what changes there is that somebody tidies up.
    pub const fn of_orphans() -> Self {
        Self {
            looks_every: Duration::from_hours(1),
            complete_every: Duration::from_hours(24),
            ..Self::of(Polling::Frugal)
        }
    }

    /// Opens so many segments at a look, where somebody said it.
    #[must_use]
    pub const fn opening(self, segments_per_look: Option<usize>) -> Self {
        match segments_per_look {
            Some(segments_per_look) => Self { segments_per_look, ..self },
            None => self,
        }
    }

    const fn of(polling: Polling) -> Self {
        let list = Self {
            looks_every: Duration::MAX,
            segments_per_look: limits::SEGMENTS_PER_LOOK,
            complete_every: polling.full_listing_interval(),
            wals_every: Duration::ZERO,
            backups_every: TEN_MINUTES,
            running_backup_every: Duration::ZERO,
            helpful_backup_every: None,
            // The complete listings are closer together than this would be worth.
            folders_every: Duration::MAX,
        };
        let head = Self {
            wals_every: TEN_MINUTES,
            running_backup_every: TEN_MINUTES,
            helpful_backup_every: Some(TEN_MINUTES),
            folders_every: Duration::from_hours(1),
            ..list
        };
        match polling {
            Polling::List => list,
            Polling::Head => head,
            Polling::Frugal => Self {
                wals_every: Duration::from_hours(1),
                backups_every: Duration::from_hours(1),
                folders_every: Duration::from_hours(6),
                ..head
            },
        }
    }

    /// `None` if `base/` is to be listed beside `wals/`.
    pub(super) fn backups_every(&self, wants: &Wants, now: DateTime<Utc>) -> Option<Duration> {
        let mut every = self.backups_every;
        if wants.is_backup_running {
            every = every.min(self.running_backup_every);
        }
        if wants.backup_from.is_some_and(|from| from <= now) {
            every = every.min(self.helpful_backup_every?);
        }
        Some(every)
    }
}
