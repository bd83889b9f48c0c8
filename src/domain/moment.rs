//! Times that the outside tells.

use chrono::DateTime;
use chrono::Datelike;
use chrono::TimeDelta;
use chrono::Utc;

/// A time that can be computed with: in a year of four digits, so far from where chrono's calendar
/// ends, in 262142, that no interval of ours leads out of it. Anything else is no time.
pub fn in_calendar(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&at.year()).then_some(at)
}

/// One length of time after another.
pub fn together(one: TimeDelta, other: TimeDelta) -> TimeDelta {
    one.checked_add(&other).unwrap_or(TimeDelta::MAX)
}

/// The moment so long before another; the first that computers count from, if there is none.
pub fn before(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_sub_signed(by).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The moment so long after another, or that one itself if there is none.
pub fn after(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).and_then(in_calendar).unwrap_or(at)
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

    #[test]
    fn what_leads_out_of_the_calendar_ends_there() {
        let (hour, at) = (TimeDelta::hours(1), DateTime::UNIX_EPOCH);
        assert_eq!(together(hour, hour), TimeDelta::hours(2));
        assert_eq!(together(TimeDelta::MAX, hour), TimeDelta::MAX);
        assert_eq!(before(at, hour), at - hour);
        assert_eq!(before(at, TimeDelta::MAX), at);
        assert_eq!(after(at, hour), at + hour);
        assert_eq!(after(at, TimeDelta::MAX), at);
    }
}
