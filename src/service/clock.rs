//! The only wall-clock read. Everything else is told the time.

use chrono::DateTime;
use chrono::Utc;
use jiff::tz::TimeZone;

use crate::domain::asked_target::Asker;

#[expect(clippy::disallowed_methods, reason = "the one place that the ban points to")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Whoever types on this machine, now.
pub fn asker() -> Asker {
    Asker { now: now(), zone: TimeZone::system() }
}
