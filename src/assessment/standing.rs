//! How an archive stands when somebody looks.
//!
//! A verdict holds for the time when it was given. When nobody has looked for longer than promised,
//! since the daemon hangs say, a good one has become an unknown one.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::Promises;
use crate::assessment::verdict::Verdict;

/// What can be said of an archive at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As it was judged, or worse.
    pub verdict: Verdict,
    pub last_check: LastCheck,
}

/// What came of the last attempt to read the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastCheck {
    Read,
    /// It failed; what is known is of an earlier one.
    Unread,
    /// It ended longer ago than promised. So the archive was judged, at that time.
    Stale {
        was: Verdict,
        at: DateTime<Utc>,
    },
}

impl Standing {
    /// Whether what is told of the archive may have changed since without being seen.
    pub fn is_old(&self) -> bool {
        self.last_check != LastCheck::Read
    }

    pub const fn is_stale(&self) -> bool {
        matches!(self.last_check, LastCheck::Stale { .. })
    }
}

impl Assessment {
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        let verdict = self.verdict;
        if self.stale_after().is_some_and(|at| at < now) {
            let last_check = LastCheck::Stale { was: verdict, at: self.checked_at };
            return Standing { verdict: verdict.max(Verdict::Unknown), last_check };
        }
        let last_check = self.unreadable.map_or(LastCheck::Read, |_| LastCheck::Unread);
        Standing { verdict, last_check }
    }

    /// The last moment at which the verdict stands as it was given; `None` if it always does.
    pub fn stale_after(&self) -> Option<DateTime<Utc>> {
        self.checked_at.checked_add_signed(self.promises.check_age_max()?)
    }
}

impl Promises {
    /// How long ago the last check may have ended. Where no next one was promised, for ever.
    pub fn check_age_max(&self) -> Option<TimeDelta> {
        let age_max = self.check_interval?.checked_mul(CHECKS_MISSED_MAX)?;
        Some(age_max.max(CHECK_AGE_MAX_MIN))
    }
}

/// How those clusters stand that Kubernetes did not tell of.
pub const UNSEEN: Verdict = Verdict::Unknown;

/// One that was missed had a slow answer before it; three are a loop that hangs.
const CHECKS_MISSED_MAX: i32 = 3;

/// For daemons that check every few seconds: a complete listing of ten million objects takes three
/// minutes.
const CHECK_AGE_MAX_MIN: TimeDelta = TimeDelta::minutes(5);
