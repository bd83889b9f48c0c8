//! A moment that somebody types is the same on the command line and on the page, and stays the same
//! when it is written out.
#![no_main]

use chrono::DateTime;
use chrono::Datelike;
use chrono::SecondsFormat;
use chrono::Utc;
use cnpg_backup_verifier::domain::format::MOMENT;
use cnpg_backup_verifier::domain::recovery_target::Target;
use cnpg_backup_verifier::publication::page::asked;
use libfuzzer_sys::fuzz_target;

/// The page shows no more of what was typed, and reads no more.
const CHARACTERS_MAX: usize = 64;

fuzz_target!(|text: &str| {
    let typed = (MOMENT.parse)(text).ok();
    if let Some(at) = typed.filter(|_| text.chars().count() <= CHARACTERS_MAX) {
        assert_eq!(asked("to", text), Some(Target::At(at)), "{text:?}");
    }
    let asked = [asked("to", text), asked("at", text)].into_iter().flatten();
    for target in asked.chain(typed.map(Target::At)) {
        if let Target::At(at) = target {
            check_again(at);
        }
    }
});

/// As it is written, it is the same moment.
fn check_again(at: DateTime<Utc>) {
    assert!((1..=9999).contains(&at.year()), "{at}");
    let written = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    assert_eq!((MOMENT.parse)(&written).ok(), Some(at), "{written}");
    assert_eq!(asked("to", &written), Some(Target::At(at)), "{written}");
    assert_eq!(asked("to", &written.replace('T', " ").replace('Z', " UTC")), Some(Target::At(at)));
}
