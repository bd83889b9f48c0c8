use chrono::Datelike;
use chrono::DurationRound;
use chrono::Timelike;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}Z").parse().unwrap()
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

fn next(after: &str, text: &str) -> Option<DateTime<Utc>> {
    schedule(text).next_after(at(after))
}

/// `TestActivation` in `spec_test.go` of v1.2.0.
#[test]
fn upstream_activations_hold() {
    let cases = [
        ("2012-07-09 15:00:00", "0 0/15 * * *", true),
        ("2012-07-09 15:45:00", "0 0/15 * * *", true),
        ("2012-07-09 15:40:00", "0 0/15 * * *", false),
        ("2012-07-09 15:05:00", "0 5/15 * * *", true),
        ("2012-07-09 15:20:00", "0 5/15 * * *", true),
        ("2012-07-09 15:50:00", "0 5/15 * * *", true),
        ("2012-07-15 15:00:00", "0 0/15 * * Jul", true),
        ("2012-07-15 15:00:00", "0 0/15 * * Jun", false),
        ("2012-07-15 08:30:00", "0 30 08 ? Jul Sun", true),
        ("2012-07-15 08:30:00", "0 30 08 15 Jul ?", true),
        ("2012-07-16 08:30:00", "0 30 08 ? Jul Sun", false),
        ("2012-07-16 08:30:00", "0 30 08 15 Jul ?", false),
        ("2012-07-09 15:00:00", "@hourly", true),
        ("2012-07-09 15:04:00", "@hourly", false),
        ("2012-07-09 15:00:00", "@daily", false),
        ("2012-07-09 00:00:00", "@daily", true),
        ("2012-07-09 00:00:00", "@weekly", false),
        ("2012-07-08 00:00:00", "@weekly", true),
        ("2012-07-08 01:00:00", "@weekly", false),
        ("2012-07-08 00:00:00", "@monthly", false),
        ("2012-07-01 00:00:00", "@monthly", true),
        ("2012-07-15 00:00:00", "0 * * 1,15 * Sun", true),
        ("2012-06-15 00:00:00", "0 * * 1,15 * Sun", true),
        ("2012-08-01 00:00:00", "0 * * 1,15 * Sun", true),
        ("2012-07-15 00:00:00", "0 * * * * Mon", false),
        ("2012-07-15 00:00:00", "0 * * */10 * Sun", false),
        ("2012-07-09 00:00:00", "0 * * 1,15 * *", false),
        ("2012-07-15 00:00:00", "0 * * 1,15 * *", true),
        ("2012-07-15 00:00:00", "0 * * */2 * Sun", true),
    ];
    for (moment, text, is_due) in cases {
        let due = schedule(text).next_after(at(moment) - TimeDelta::seconds(1));
        assert_eq!(due == Some(at(moment)), is_due, "{text} at {moment}");
    }
}

/// `TestNext` in `spec_test.go` of v1.2.0, without the cases of other time zones.
#[test]
fn upstream_next_times_hold() {
    let cases = [
        ("2012-07-09 14:45:00", "0 0/15 * * *", "2012-07-09 15:00:00"),
        ("2012-07-09 14:59:00", "0 0/15 * * *", "2012-07-09 15:00:00"),
        ("2012-07-09 14:59:59", "0 0/15 * * *", "2012-07-09 15:00:00"),
        ("2012-07-09 15:45:00", "0 20-35/15 * * *", "2012-07-09 16:20:00"),
        ("2012-07-09 23:46:00", "0 */15 * * *", "2012-07-10 00:00:00"),
        ("2012-07-09 23:45:00", "0 20-35/15 * * *", "2012-07-10 00:20:00"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 * * *", "2012-07-10 00:20:15"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 1/2 * *", "2012-07-10 01:20:15"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 10-12 * *", "2012-07-10 10:20:15"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 1/2 */2 * *", "2012-07-11 01:20:15"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 * 9-20 * *", "2012-07-10 00:20:15"),
        ("2012-07-09 23:35:51", "15/35 20-35/15 * 9-20 Jul *", "2012-07-10 00:20:15"),
        ("2012-07-09 23:35:00", "0 0 0 9 Apr-Oct ?", "2012-08-09 00:00:00"),
        ("2012-07-09 23:35:00", "0 0 0 */5 Apr,Aug,Oct Mon", "2012-08-06 00:00:00"),
        ("2012-07-09 23:35:00", "0 0 0 */5 Oct Mon", "2012-10-01 00:00:00"),
        ("2012-07-09 23:35:00", "0 0 0 * Feb Mon", "2013-02-04 00:00:00"),
        ("2012-07-09 23:35:00", "0 0 0 * Feb Mon/2", "2013-02-01 00:00:00"),
        ("2012-12-31 23:59:45", "0 * * * * *", "2013-01-01 00:00:00"),
        ("2012-07-09 23:35:00", "0 0 0 29 Feb ?", "2016-02-29 00:00:00"),
    ];
    for (after, text, due) in cases {
        assert_eq!(next(after, text), Some(at(due)), "{text} after {after}");
    }
}

/// `TestConstantDelayNext` in `constantdelay_test.go` of v1.2.0.
#[test]
fn upstream_delays_hold() {
    let cases = [
        ("2012-07-09 14:45:00", "15m50ns", "2012-07-09 15:00:00"),
        ("2012-07-09 14:59:00", "15m", "2012-07-09 15:14:00"),
        ("2012-07-09 14:59:59", "15m", "2012-07-09 15:14:59"),
        ("2012-07-09 15:45:00", "35m", "2012-07-09 16:20:00"),
        ("2012-07-09 23:46:00", "14m", "2012-07-10 00:00:00"),
        ("2012-07-09 23:45:00", "35m", "2012-07-10 00:20:00"),
        ("2012-07-09 23:35:51", "44m24s", "2012-07-10 00:20:15"),
        ("2012-07-09 23:35:51", "25h44m24s", "2012-07-11 01:20:15"),
        ("2012-07-09 23:35:00", "2184h25m", "2012-10-09 00:00:00"),
        ("2012-12-31 23:59:45", "15s", "2013-01-01 00:00:00"),
        ("2012-07-09 14:45:00", "15ms", "2012-07-09 14:45:01"),
        ("2012-07-09 14:45:00.005", "15m", "2012-07-09 15:00:00"),
        ("2012-07-09 14:45:00.005", "15m50ns", "2012-07-09 15:00:00"),
        // Ours: fractions, and what is no delay at all.
        ("2012-07-09 14:45:00", "1.5h", "2012-07-09 16:15:00"),
        ("2012-07-09 14:45:00.999", "1.999s", "2012-07-09 14:45:01"),
        ("2012-07-09 14:45:00", "0", "2012-07-09 14:45:01"),
        ("2012-07-09 14:45:00", "-1h", "2012-07-09 14:45:01"),
    ];
    for (after, delay, due) in cases {
        assert_eq!(next(after, &format!("@every {delay}")), Some(at(due)), "{delay} after {after}");
    }
}

/// Each line was run through `Parse` and `Next` of v1.2.0, built with Go 1.19.
#[test]
fn quirks_are_upstreams() {
    let cases = [
        // Seconds come first, and five fields leave out the day of week.
        ("2026-11-01 12:00:00", "0 0 * * *", "2026-11-01 13:00:00"),
        ("2026-11-01 12:00:00", "0 0 0 * * *", "2026-11-02 00:00:00"),
        ("2026-11-01 12:00:00", "0 0 0 * * 1", "2026-11-02 00:00:00"),
        ("2026-11-01 12:00:00", "* * 0 * * *", "2026-11-02 00:00:00"),
        // The 13th or a Friday; with a star in a day field, both.
        ("2026-11-01 12:00:00", "0 0 0 13 * 5", "2026-11-06 00:00:00"),
        ("2026-11-06 00:00:00", "0 0 0 13 * 5", "2026-11-13 00:00:00"),
        ("2026-11-13 00:00:00", "0 0 0 13 * */5", "2026-12-13 00:00:00"),
        ("2026-11-01 12:00:00", "0 0 0 */7 * 5", "2027-01-01 00:00:00"),
        // A full list is no star: any of the 31 days or a Friday is every day.
        ("2026-11-01 12:00:00", "0 0 0 1-31 * 5", "2026-11-02 00:00:00"),
        ("2026-11-01 12:00:00", "0 0 0 1-31 Feb 0-6", "2027-02-01 00:00:00"),
        // A day field without a value never matches by itself.
        ("2026-11-01 12:00:00", "0 0 0 , * 5", "2026-11-06 00:00:00"),
        ("2026-11-01 12:00:00", " 0\t0\u{a0}0 * * *  ", "2026-11-02 00:00:00"),
        ("2026-11-01 12:00:00.9", "* * * * * *", "2026-11-01 12:00:01"),
        ("1969-12-31 23:59:58.5", "* * * * * *", "1969-12-31 23:59:59"),
        // The limit is a year, not a moment: the whole fifth year counts.
        ("2095-03-01 00:00:00", "0 0 0 29 2 *", "2096-02-29 00:00:00"),
        ("2026-01-01 00:00:00", "@yearly", "2027-01-01 00:00:00"),
        ("2026-01-01 00:00:00", "@annually", "2027-01-01 00:00:00"),
        ("2026-01-01 00:00:00", "@midnight", "2026-01-02 00:00:00"),
    ];
    for (after, text, due) in cases {
        assert_eq!(next(after, text), Some(at(due)), "{text} after {after}");
    }
}

#[test]
fn what_is_never_due_ends_the_search() {
    let never = ["0 0 0 30 Feb ?", "0 0 0 31 Apr ?", ", 0 0 * * *", "0 0 , * * *", "0 0 0 * , *"];
    for text in never {
        assert_eq!(next("2012-07-09 23:35:00", text), None, "{text}");
        assert_eq!(schedule(text).interval_max(at("2012-07-09 23:35:00")), None, "{text}");
    }
    assert_eq!(next("2096-02-29 00:00:00", "0 0 0 29 2 *"), None, "2100 is no leap year");
    let end = DateTime::<Utc>::MAX_UTC;
    assert_eq!(schedule("@hourly").next_after(end), None);
    assert_eq!(schedule("@every 1h").next_after(end), None);
}

/// The errors of `TestParse` and `TestErrors` in v1.2.0 among them.
#[test]
fn refusals_name_what_is_wrong_and_what_was_expected() {
    let count = "fields, expected second, minute, hour, day of month, month and day of week, \
                 of which only the last may be left out";
    let form = "a range like 1-5 or a step like */2";
    let cases = [
        ("", "the schedule is empty, expected six fields or a descriptor like @daily".to_owned()),
        (" ", format!(r#"the schedule " " has 0 {count}"#)),
        ("xyz", format!(r#"the schedule "xyz" has 1 {count}"#)),
        ("* * * *", format!(r#"the schedule "* * * *" has 4 {count}"#)),
        (" @daily", format!(r#"the schedule " @daily" has 1 {count}"#)),
        ("TZ=UTC 0 0 0 * * *", format!(r#"the schedule "TZ=UTC 0 0 0 * * *" has 7 {count}"#)),
        (
            "CRON_TZ=UTC 0 0 * * *",
            format!(
                r#""CRON_TZ=UTC" is not a valid second: "CRON_TZ=UTC" is not a number; expected 0 to 59, {form}"#
            ),
        ),
        (
            "* 5 j * * *",
            format!(r#""j" is not a valid hour: "j" is not a number; expected 0 to 23, {form}"#),
        ),
        (
            "60 0 * * *",
            format!(r#""60" is not a valid second: 60 is out of range; expected 0 to 59, {form}"#),
        ),
        (
            "0 1,60 * * *",
            format!(
                r#""1,60" is not a valid minute: 60 is out of range; expected 0 to 59, {form}"#
            ),
        ),
        (
            "0 0 * * XYZ",
            format!(
                r#""XYZ" is not a valid month: "XYZ" is not a number; expected 1 to 12 or JAN to DEC, {form}"#
            ),
        ),
        (
            "0 0 0 * * 7",
            format!(
                r#""7" is not a valid day of week: 7 is out of range; expected 0 to 6 or SUN to SAT, {form}"#
            ),
        ),
        (
            "0 0 0 L * *",
            format!(
                r#""L" is not a valid day of month: "L" is not a number; expected 1 to 31, {form}"#
            ),
        ),
        (
            "@every Xm",
            r#""Xm" after @every is not a duration, expected one like 1h30m, 0.5h or 90s"#
                .to_owned(),
        ),
    ];
    for (text, message) in cases {
        assert_eq!(Schedule::parse(text).unwrap_err().to_string(), message, "{text:?}");
    }
    for text in ["@unrecognized", "@", "@Daily", "@daily ", "@every", "@every5m", "@EVERY 5m"] {
        let refused = Err(ScheduleError::Descriptor(text.to_owned()));
        assert_eq!(Schedule::parse(text), refused, "{text:?}");
    }
    for duration in ["", " 5m", "5m ", "5", "1d"] {
        let refused = Err(ScheduleError::Duration(duration.to_owned()));
        assert_eq!(Schedule::parse(&format!("@every {duration}")), refused, "{duration:?}");
    }
}

#[test]
fn due_times_lie_after_the_first_moment_and_up_to_the_last() {
    let due = |text, after, until| -> Vec<String> {
        let due = schedule(text);
        due.due_between(at(after), at(until)).map(|due| due.to_rfc3339()).collect()
    };
    assert_eq!(
        due("0 0 0 * * 1-5", "2026-10-29 00:00:00", "2026-11-02 00:00:00"),
        ["2026-10-30T00:00:00+00:00", "2026-11-02T00:00:00+00:00"],
    );
    assert_eq!(
        due("@every 90m", "2026-10-29 00:10:00", "2026-10-29 03:10:00"),
        ["2026-10-29T01:40:00+00:00", "2026-10-29T03:10:00+00:00"],
    );
    assert!(due("@daily", "2026-10-29 00:00:00", "2026-10-29 23:59:59").is_empty());
    assert!(due("@daily", "2026-10-29 00:00:00", "2026-10-01 00:00:00").is_empty());
}

#[test]
fn the_list_of_due_times_is_bounded() {
    let every_second = schedule("* * * * * *");
    let due = every_second.due_between(DateTime::UNIX_EPOCH, at("2026-01-01 00:00:00"));
    assert_eq!(due.count(), DUE_TIMES_MAX);
}

#[test]
fn the_longest_interval_sees_nights_weekends_and_seasons() {
    let cases = [
        ("* * * * * *", TimeDelta::seconds(1)),
        ("@hourly", TimeDelta::hours(1)),
        ("0 0 * * *", TimeDelta::hours(1)),
        ("@daily", TimeDelta::days(1)),
        ("0 0 0,6 * * *", TimeDelta::hours(18)),
        ("0 30 8-18/5 * * *", TimeDelta::hours(14)),
        ("0 */5 8-18 * * 1-5", TimeDelta::minutes(2 * 24 * 60 + 13 * 60 + 5)),
        ("0 0 0 * * 1,3", TimeDelta::days(5)),
        ("@weekly", TimeDelta::days(7)),
        ("@monthly", TimeDelta::days(31)),
        ("0 0 0 31 * *", TimeDelta::days(61)),
        ("0 0 0 * 1-6 *", TimeDelta::days(185)),
        ("@yearly", TimeDelta::days(366)),
        ("0 0 0 29 Feb *", TimeDelta::days(1_461)),
        ("@every 1h30m", TimeDelta::minutes(90)),
        ("@every 0", TimeDelta::seconds(1)),
    ];
    for (text, interval) in cases {
        let seen = schedule(text).interval_max(at("2026-11-01 12:00:00"));
        assert_eq!(seen, Some(interval), "{text}");
    }
    let last = schedule("0 0 0 29 Feb *").interval_max(at("2095-01-01 00:00:00"));
    assert_eq!(last, None, "one due time, and the next is eight years away");
}

#[test]
fn five_fields_are_noticed_and_the_text_is_kept() {
    let cases = [
        ("0 0 * * *", true),
        (" 0  0 *\t* * ", true),
        ("0 0 0 * * *", false),
        ("@daily", false),
        ("@every 1h30m", false),
    ];
    for (text, has_five_fields) in cases {
        assert_eq!(schedule(text).has_five_fields(), has_five_fields, "{text:?}");
        assert_eq!(schedule(text).to_string(), text);
    }
}

/// A field as it is written, and the values it allows.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let list = prop::collection::vec(first..=last, 1..4).prop_map(|values| {
        let texts: Vec<String> = values.iter().map(u32::to_string).collect();
        (texts.join(","), values)
    });
    let range = (first..=last, first..=last).prop_map(|(one, other)| {
        let (low, high) = (one.min(other), one.max(other));
        (format!("{low}-{high}"), (low..=high).collect())
    });
    let from = (first..=last, 1..9_u32).prop_map(move |(low, step)| {
        (format!("{low}/{step}"), (low..=last).step_by(usize::try_from(step).unwrap()).collect())
    });
    let star = Just(("*".to_owned(), (first..=last).collect()));
    prop_oneof![list, range, from, star]
}

/// The six fields in order; few are never due.
fn fields() -> impl Strategy<Value = [(String, Vec<u32>); 6]> {
    (field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
        .prop_map(<[_; 6]>::from)
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4_000_000_000, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text: String, after in moment()) {
        if let Ok(schedule) = Schedule::parse(&text) {
            prop_assert!(schedule.next_after(after).is_none_or(|due| after < due));
        }
    }

    #[test]
    fn text_close_to_a_schedule_is_parsed_or_refused(
        text in "(@every [-+0-9.a-zµ]{0,12}|@[a-z]{0,8}|([-0-9*?,/a-z]{1,5}[ \t]){4,6}[0-9*?])",
        after in moment(),
    ) {
        if let Ok(schedule) = Schedule::parse(&text) {
            prop_assert!(schedule.next_after(after).is_none_or(|due| after < due));
            let interval = schedule.interval_max(after);
            prop_assert!(interval.is_none_or(|interval| TimeDelta::zero() < interval));
        }
    }

    #[test]
    fn the_next_due_time_is_later_whole_and_allowed_by_every_field(
        fields in fields(),
        after in moment(),
    ) {
        let texts = fields.each_ref().map(|(text, _)| text.as_str());
        if let Some(due) = schedule(&texts.join(" ")).next_after(after) {
            prop_assert!(after < due);
            prop_assert_eq!(due.duration_trunc(TimeDelta::seconds(1)), Ok(due));
            let [seconds, minutes, hours, days, months, weekdays] =
                fields.each_ref().map(|(_, values)| values);
            prop_assert!(seconds.contains(&due.second()));
            prop_assert!(minutes.contains(&due.minute()));
            prop_assert!(hours.contains(&due.hour()));
            prop_assert!(months.contains(&due.month()));
            let in_month = days.contains(&due.day());
            let in_week = weekdays.contains(&due.weekday().num_days_from_sunday());
            let has_star = texts[3] == "*" || texts[5] == "*";
            let is_day = if has_star { in_month && in_week } else { in_month || in_week };
            prop_assert!(is_day);
        }
    }

    #[test]
    fn nothing_is_due_before_the_next_due_time(
        fields in fields(),
        after in moment(),
        part in 0.0..1.0,
    ) {
        let schedule = schedule(&fields.map(|(text, _)| text).join(" "));
        if let Some(due) = schedule.next_after(after) {
            let wait = (due - after).to_std().unwrap();
            let between = after + wait.mul_f64(part);
            prop_assert_eq!(schedule.next_after(between), Some(due));
        }
    }

    #[test]
    fn no_interval_is_longer_than_the_longest(fields in fields(), after in moment()) {
        let schedule = schedule(&fields.map(|(text, _)| text).join(" "));
        let until = after + TimeDelta::days(300);
        let due: Vec<_> = schedule.due_between(after, until).take(1_000).collect();
        let longest = due.windows(2).map(|pair| pair[1] - pair[0]).max();
        prop_assert!(longest <= schedule.interval_max(after));
    }
}

#[test]
fn a_day_that_no_month_has_is_refused() {
    for text in ["0 0 0 30 2 *", "0 0 0 31 2,4,6 *"] {
        assert_eq!(Schedule::parse_due(text), Err(ScheduleError::Never(text.to_owned())));
    }
    assert!(Schedule::parse_due("0 0 0 29 2 *").is_ok());
}
