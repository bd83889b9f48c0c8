//! A moment that somebody types is the same on the command line and on the page, and stays the same
//! when it is written out.
#![no_main]

use chrono::DateTime;
use chrono::Datelike;
use chrono::SecondsFormat;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::domain::asked_target::Asker;
use cnpg_backup_verifier::domain::recovery_target::Target;
use cnpg_backup_verifier::publication::page::asked;
use jiff::tz::Offset;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let now = DateTime::UNIX_EPOCH + TimeDelta::weeks(2_976);
    let zone = Offset::constant(5).to_time_zone();
    let typed = Asker { now, zone }.read(text).ok();
    if let Some(target) = &typed {
        // Where somebody is does not matter to what is understood.
        assert_eq!(asked("to", text, now).as_ref(), Some(target), "{text:?}");
    }
    let asked = [asked("to", text, now), asked("at", text, now)].into_iter().flatten();
    for target in asked.chain(typed) {
        if let Target::At(at) = target {
            check_again(at, now);
        }
    }
});

/// As it is written, it is the same moment.
fn check_again(at: DateTime<Utc>, now: DateTime<Utc>) {
    assert!((1..=9999).contains(&at.year()), "{at}");
    let written = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    assert_eq!(Asker::in_utc(now).read(&written).ok(), Some(Target::At(at)), "{written}");
    assert_eq!(asked("to", &written, now), Some(Target::At(at)), "{written}");
    let printed = written.replace('T', " ").replace('Z', " UTC");
    assert_eq!(asked("to", &printed, now), Some(Target::At(at)), "{printed}");
}
