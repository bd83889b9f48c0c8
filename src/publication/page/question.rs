//! *Can I restore to …?* as it is asked by the form, or by whoever writes an address.

use std::fmt;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::Timelike;
use chrono::Utc;

use crate::domain::asked_target::Asker;
use crate::domain::asked_target::NoTarget;
use crate::domain::moment::in_calendar;
use crate::domain::recovery_target::Target;
use crate::publication::page::FormFields;

/// What was asked, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    None,
    Asked(Target),
    /// In the words of the refusal.
    Refused(Refusal),
}

/// Why nothing is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Both fields are empty.
    Nothing,
    /// The browser's field holds no date and time.
    NoMoment,
    Text(NoTarget),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Choose a moment, or write latest."),
            Self::NoMoment => {
                f.write_str("That is no date and time in UTC. Write it like 2026-01-31T15:45:00.")
            }
            Self::Text(why) => why.fmt(f),
        }
    }
}

/// A question, and which archive of the cluster it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// As it was written, to be shown again.
    pub(super) text: String,
    pub(super) moment: String,
    /// Where the archive lies; all of them where nothing is said.
    archive: Option<String>,
}

impl Asked {
    pub(super) fn parse(fields: &FormFields, now: DateTime<Utc>) -> Self {
        let text = shortened(fields.get("to"));
        let moment = shortened(fields.get("at"));
        let is_asked = fields.contains_key("to") || fields.contains_key("at");
        let question = match (text.as_str(), moment.as_str()) {
            _ if !is_asked => Question::None,
            ("", "") => Question::Refused(Refusal::Nothing),
            ("", moment) => parse_moment(moment)
                .map_or(Question::Refused(Refusal::NoMoment), |at| Question::Asked(Target::At(at))),
            // Whose browser it is, and where, is not known here.
            (text, _) => match Asker::in_utc(now).read_query(text) {
                Ok(target) => Question::Asked(target),
                Err(why) => Question::Refused(Refusal::Text(why)),
            },
        };
        let archive = fields.get("archive").filter(|archive| !archive.is_empty()).cloned();
        Self { question, text, moment, archive }
    }

    pub(super) const fn is_refused(&self) -> bool {
        match self.question {
            Question::Refused(_) => true,
            Question::None | Question::Asked(_) => false,
        }
    }

    /// Whether it is a question about the archive at this address.
    pub(super) fn is_about(&self, address: &str) -> bool {
        self.archive.as_deref().is_none_or(|archive| archive == address)
    }
}

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// What a `datetime-local` sends; seconds may be left out.
pub(super) const MOMENT_FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    let moment = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    // A leap second is none that PostgreSQL knows: the one before it, as in the text beside this field.
    let nanosecond = moment.nanosecond().checked_rem(NANOSECONDS_PER_SECOND)?;
    in_calendar(moment.with_nanosecond(nanosecond)?.and_utc())
}

/// No moment is longer; more is not worth showing again.
const CHARACTERS_MAX: usize = 64;

fn shortened(text: Option<&String>) -> String {
    let text = text.map(|text| text.trim()).unwrap_or_default();
    text.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &[(&str, &str)]) -> Question {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let now = DateTime::parse_from_rfc3339("2026-01-31T17:45:00Z").unwrap().to_utc();
        Asked::parse(&query.iter().map(owned).collect(), now).question
    }

    #[track_caller]
    fn check(query: &[(&str, &str)], moment: &str) {
        let at = DateTime::parse_from_rfc3339(moment).unwrap().to_utc();
        assert_eq!(ask(query), Question::Asked(Target::At(at)));
    }

    #[test]
    fn a_page_that_was_merely_opened_asks_nothing() {
        assert_eq!(ask(&[("utm_source", "chat")]), Question::None);
    }

    #[test]
    fn a_moment_is_understood_as_browsers_send_it() {
        check(&[("at", "2026-01-31T15:45"), ("to", "")], "2026-01-31T15:45:00Z");
        check(&[("at", "2026-01-31T15:45:07")], "2026-01-31T15:45:07Z");
        check(&[("at", "2026-01-31T15:45:60")], "2026-01-31T15:45:59Z");
        check(&[("at", "2026-01-31T15:45:07.250")], "2026-01-31T15:45:07.25Z");
    }

    #[test]
    fn a_text_is_understood_as_people_write_it() {
        for text in [
            "2026-01-31T15:45:00Z",
            " 2026-01-31T16:45:00+01:00 ",
            "2026-01-31T16:45:00 01:00",
            "2026-01-31 15:45:00Z",
            "2026-01-31 15:45:00 UTC",
            "2026-01-31t14:45:00-01:00",
            "2026-01-31 15:45+00",
            "2 hours ago",
        ] {
            check(&[("to", text)], "2026-01-31T15:45:00Z");
        }
    }

    #[test]
    fn a_text_counts_more_than_the_moment_that_was_filled_in_before() {
        check(
            &[("at", "2026-01-01T00:00"), ("to", "2026-01-31T15:45:00Z")],
            "2026-01-31T15:45:00Z",
        );
        assert_eq!(
            ask(&[("at", "2026-01-01T00:00"), ("to", "latest")]),
            Question::Asked(Target::Latest)
        );
    }

    #[test]
    fn what_is_no_moment_is_refused_and_not_guessed() {
        let long = "2".repeat(10_000);
        for text in [
            "",
            "tomorrow",
            "yesterday",
            "2026-01-31",
            "2026-01-31T15:45:00",
            "2026-13-01T00:00:00Z",
        ] {
            assert!(matches!(ask(&[("to", text)]), Question::Refused(_)), "{text}");
        }
        for at in [
            &long,
            "2026-02-30T00:00",
            "\u{1f980}",
            "now",
            "-0016-12-31T00:00",
            "+10000-01-01T00:00",
        ] {
            assert!(matches!(ask(&[("at", at)]), Question::Refused(_)), "{at}");
        }
    }
}
