//! A schedule survives being printed, and its due times go forwards, no further apart than it says.
#![no_main]

use chrono::DateTime;
use chrono::NaiveDate;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::domain::schedule::Schedule;
use libfuzzer_sys::fuzz_target;

/// An ordinary time, a time before four years and before eight years without February 29, and the
/// ends of the calendar.
fn moments() -> [DateTime<Utc>; 5] {
    let day = |year, month, day| {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        date.and_hms_micro_opt(23, 59, 58, 999_999).unwrap().and_utc()
    };
    [
        day(2026, 11, 22),
        day(2024, 2, 29),
        day(2096, 2, 29),
        DateTime::<Utc>::MIN_UTC,
        DateTime::<Utc>::MAX_UTC - TimeDelta::days(1),
    ]
}

fuzz_target!(|text: &str| {
    let Ok(schedule) = Schedule::parse(text) else { return };
    assert_eq!(schedule.to_string(), text);
    assert_eq!(Schedule::parse(&schedule.to_string()).as_ref(), Ok(&schedule));

    for after in moments() {
        let due: Vec<DateTime<Utc>> =
            schedule.due_between(after, DateTime::<Utc>::MAX_UTC).take(4).collect();
        assert_eq!(due.first().copied(), schedule.next_after(after));
        assert!(due.first().is_none_or(|first| after < *first), "{after} {due:?}");
        assert!(due.is_sorted_by(|earlier, later| earlier < later), "{after} {due:?}");
        assert!(due.iter().all(|time| time.timestamp_subsec_nanos() == 0), "{after} {due:?}");
    }

    let [after, ..] = moments();
    let due: Vec<DateTime<Utc>> =
        schedule.due_between(after, DateTime::<Utc>::MAX_UTC).take(50).collect();
    let interval_max = schedule.interval_max(after);
    for pair in due.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(interval_max.is_some_and(|it| apart <= it), "{apart} {interval_max:?} {due:?}");
    }
});
