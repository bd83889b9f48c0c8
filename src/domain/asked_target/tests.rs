use super::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// Berlin, as POSIX writes it.
fn berlin() -> Asker {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    Asker { now: at("2026-11-28T00:30:00Z"), zone }
}

#[track_caller]
fn check(text: &str, moment: &str) {
    assert_eq!(berlin().read(text), Ok(Target::At(at(moment))), "{text}");
}

#[test]
fn what_this_program_prints_is_understood() {
    for text in [
        "2026-11-28T19:33:44Z",
        "2026-11-28 19:33:44 UTC",
        " 2026-11-28  19:33:44   utc ",
        "2026-11-28t19:33:44z",
    ] {
        check(text, "2026-11-28T19:33:44Z");
    }
    check("9999-12-31T23:05:00Z", "9999-12-31T23:05:00Z");
    check("2026-11-28T19:33:44.123456Z", "2026-11-28T19:33:44.123456Z");
}

#[test]
fn what_psql_prints_is_understood() {
    check("2026-11-28 19:33:44.123456+00", "2026-11-28T19:33:44.123456Z");
    check("2026-11-28 20:33:44+01", "2026-11-28T19:33:44Z");
    check("2026-11-29 01:03:44+05:30", "2026-11-28T19:33:44Z");
    check("2026-11-28 16:03:44-03:30", "2026-11-28T19:33:44Z");
    check("2026-11-28 19:33:44.12 UTC", "2026-11-28T19:33:44.12Z");
    check("2026-11-28 20:33:44 +0100", "2026-11-28T19:33:44Z");
    check("2026-11-28 20:33:44 -01", "2026-11-28T21:33:44Z");
}

#[test]
fn what_people_type_is_understood() {
    check("2026-11-28 19:33 UTC", "2026-11-28T19:33:00Z");
    check("2026-11-28T19:33Z", "2026-11-28T19:33:00Z");
    check("2026-11-28 19:33+01:00", "2026-11-28T18:33:00Z");
    check("2026-11-28 UTC", "2026-11-28T00:00:00Z");
    check("2026-11-28 +01:00", "2026-11-27T23:00:00Z");
    check("9:30 UTC", "2026-11-28T09:30:00Z");
    check("yesterday 14:00 UTC", "2026-11-27T14:00:00Z");
    check("Yesterday 9:05 UTC", "2026-11-27T09:05:00Z");
    check("today UTC", "2026-11-28T00:00:00Z");
    // There it was the 27th still.
    check("yesterday 14:00 -01:00", "2026-11-26T15:00:00Z");
}

#[test]
fn how_long_ago_is_understood() {
    for text in ["2 hours ago", "-2h", "2h", "120 minutes", "1h 60m ago", "2 Hours Ago"] {
        check(text, "2026-11-27T22:30:00Z");
    }
    check("1 day ago", "2026-11-27T00:30:00Z");
    check("1mo", "2026-10-28T00:30:00Z");
    check("90m", "2026-11-27T23:00:00Z");
}

#[test]
fn an_epoch_is_understood() {
    check("1795894424", "2026-11-28T19:33:44Z");
    check("@1795894424.25", "2026-11-28T19:33:44.25Z");
    check("1795894424000", "2026-11-28T19:33:44Z");
    check("1795894424000001", "2026-11-28T19:33:44.000001Z");
}

#[test]
fn the_newest_state_is_asked_for_in_any_case() {
    for text in ["latest", "Latest", "LATEST", "now", " Now "] {
        assert_eq!(berlin().read(text), Ok(Target::Latest), "{text}");
    }
}

#[test]
fn a_time_without_a_zone_is_refused_with_both_readings() {
    for (text, in_utc, here) in [
        ("2026-11-28 14:00", "2026-11-28T14:00:00Z", "2026-11-28T14:00:00+01:00"),
        ("2026-07-28T14:00:07.5", "2026-07-28T14:00:07.5Z", "2026-07-28T14:00:07.5+02:00"),
        ("2026-11-28", "2026-11-28T00:00:00Z", "2026-11-28T00:00:00+01:00"),
        ("14:00", "2026-11-28T14:00:00Z", "2026-11-28T14:00:00+01:00"),
        ("yesterday", "2026-11-27T00:00:00Z", "2026-11-27T00:00:00+01:00"),
    ] {
        let why = berlin().read(text).unwrap_err();
        let (in_utc, here) = (in_utc.to_owned(), Some(here.to_owned()));
        assert_eq!(why, NoTarget::NoZone { in_utc, at_the_asker: here }, "{text}");
    }
    let why = Asker::in_utc(at("2026-11-28T00:30:00Z")).read("14:00").unwrap_err().to_string();
    assert_eq!(why, "Only the time zone is missing. In UTC it is 2026-11-28T14:00:00Z.");
}

#[test]
fn the_name_of_a_zone_is_not_guessed_at() {
    for (text, zone) in
        [("2026-11-28 14:00 CET", "CET"), ("2026-11-28 14:00:00 Europe/Berlin", "Europe/Berlin")]
    {
        assert_eq!(berlin().read(text), Err(NoTarget::NamedZone(zone.to_owned())), "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "soon",
        "+2h",
        "in 2h",
        "tomorrow",
        "2026-13-01 00:00 UTC",
        "2026-02-30",
        "12345",
        "28.11.2026 14:00",
        "2026-11-28 25:00 UTC",
        "\u{1f980}",
        "é",
        "yesterdayish 14:00 UTC",
        "0x12",
        "latest!",
        "2026-11-28 14:00 UTC+1",
        "0",
        "--1h",
    ] {
        assert_eq!(berlin().read(text), Err(NoTarget::NoTime), "{text}");
    }
    assert_eq!(berlin().read(&"2".repeat(10_000)), Err(NoTarget::NoTime));
}

#[test]
fn a_plus_that_an_address_lost_is_put_back() {
    for text in ["2026-11-28T20:33:44 01:00", "2026-11-28 20:33:44 01", "2026-11-28 20:33:44 0100"]
    {
        let moment = at("2026-11-28T19:33:44Z");
        assert_eq!(berlin().read_query(text), Ok(Target::At(moment)), "{text}");
        assert_eq!(berlin().read(text), Err(NoTarget::NoTime), "{text}");
    }
    let why = berlin().read_query("2026-11-28 20:33").unwrap_err();
    assert!(matches!(why, NoTarget::NoZone { .. }), "{why}");
}

#[test]
fn a_time_that_cannot_be_computed_with_is_refused() {
    for text in ["0000-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"] {
        assert!(berlin().read(text).is_err(), "{text}");
    }
    assert!(berlin().read("19000 years ago").is_err());
}
