//! Times that the outside tells.

use chrono::DateTime;
use chrono::Datelike;
use chrono::Utc;

/// A time that can be computed with: in a year of four digits, so far from where chrono's calendar
/// ends, in 262142, that no interval of ours leads out of it. Anything else is no time.
pub fn in_calendar(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&at.year()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_near_the_end_of_the_calendar_is_none() {
        assert_eq!(in_calendar(DateTime::UNIX_EPOCH), Some(DateTime::UNIX_EPOCH));
        assert_eq!(in_calendar(DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(in_calendar(DateTime::<Utc>::MIN_UTC), None);
    }
}
