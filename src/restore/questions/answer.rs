//! Whether an answer is the right one, told without the answer.

use std::fmt;

use chrono::DateTime;
use chrono::NaiveDateTime;
use chrono::Utc;
use twox_hash::XxHash3_128;

use crate::domain::drill::DrillClass;
use crate::domain::drill_check::RightAnswer;
use crate::restore::questions::Refusal;

/// How many databases answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answering {
    pub(super) asked: usize,
    /// Their names are in an encoding in which nobody can be asked for them here.
    pub(super) unnamed: usize,
}

impl fmt::Display for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asked {
            1 => write!(f, "1 database answers")?,
            asked => write!(f, "{asked} databases answer")?,
        }
        match self.unnamed {
            0 => Ok(()),
            1 => write!(f, ", 1 was not asked: its name is no UTF-8"),
            unnamed => write!(f, ", {unnamed} were not asked: their names are no UTF-8"),
        }
    }
}

/// Of a server on this machine, which runs: it has no time.
pub(super) const NO_ANSWER: &str = "it does not answer";

/// What this machine lacked where a check failed for want of it: `Class 53` of SQLSTATE
/// (`errcodes.txt`) says nothing of the data.
pub fn lacking_machine(detail: &str) -> Option<DrillClass> {
    if detail.ends_with(NO_ANSWER) {
        return Some(DrillClass::Timeout);
    }
    let (_, state) = detail.split_once("SQLSTATE ")?;
    match state {
        "53200" => Some(DrillClass::Oom),
        _ => state.starts_with("53").then_some(DrillClass::Storage),
    }
}

/// Or what of it is wrong; both without the answer itself.
pub(super) fn is_right(
    answer: &str,
    right: &RightAnswer,
    restored: Option<DateTime<Utc>>,
) -> Result<String, Refusal> {
    match right {
        RightAnswer::Text(text) if text == answer => Ok("the answer is as expected".to_owned()),
        RightAnswer::Text(_) => {
            let digest = XxHash3_128::oneshot(answer.as_bytes());
            let length = answer.len();
            Err(format!("the answer is not as expected: {length} bytes, XXH3 {digest:032x}"))
        }
        RightAnswer::Age(age_max) => {
            let at = time(answer).ok_or("the answer is not a time")?;
            let restored = restored.ok_or("it is not known to which moment it was restored")?;
            let age = restored.signed_duration_since(at);
            let minutes = age.num_minutes();
            if age <= *age_max {
                Ok(format!("the answer is {minutes} min before the moment that was restored"))
            } else {
                let most = age_max.num_minutes();
                Err(format!(
                    "the answer is {minutes} min before the moment that was restored, more than {most} min"
                ))
            }
        }
    }
}

/// As PostgreSQL prints a time with or without zone, or a date.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
    let plain = |format| NaiveDateTime::parse_from_str(text, format).map(|it| it.and_utc());
    zoned.map(|at| at.with_timezone(&Utc)).or_else(|_| plain("%Y-%m-%d %H:%M:%S%.f")).ok().or_else(
        || {
            let date = text.parse::<chrono::NaiveDate>().ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc())
        },
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_answer_is_judged_and_not_told() {
        let text = RightAnswer::Text("42".to_owned());
        assert!(is_right("42", &text, None).is_ok());
        let wrong = is_right("secret", &text, None).unwrap_err();
        assert!(wrong.contains("6 bytes") && !wrong.contains("secret"), "{wrong}");
        let age = RightAnswer::Age(TimeDelta::hours(1));
        let restored = "2026-11-30T10:00:00Z".parse().ok();
        for (answer, is_young) in [
            ("2026-11-30 09:30:00.123456+00", true),
            ("2026-11-30 09:30:00", true),
            ("2026-11-30 08:59:59+00", false),
            ("2026-11-30", false),
            ("yesterday", false),
        ] {
            assert_eq!(is_right(answer, &age, restored).is_ok(), is_young, "{answer}");
        }
        assert!(is_right("2026-11-30", &age, None).is_err());
    }

    #[test]
    fn what_was_not_asked_is_told() {
        let told = |asked, unnamed| Answering { asked, unnamed }.to_string();
        assert_eq!(told(1, 0), "1 database answers");
        assert_eq!(told(3, 1), "3 databases answer, 1 was not asked: its name is no UTF-8");
    }

    #[test]
    fn a_full_disk_is_no_wrong_answer() {
        let class =
            |state: &str| lacking_machine(&format!("the server refuses with SQLSTATE {state}"));
        assert_eq!(class("53100"), Some(DrillClass::Storage));
        assert_eq!(class("53200"), Some(DrillClass::Oom));
        assert_eq!(class("42P01"), None);
        assert_eq!(
            lacking_machine("the database \"app\": it does not answer"),
            Some(DrillClass::Timeout)
        );
        assert_eq!(lacking_machine("the answer is no time"), None);
    }
}
