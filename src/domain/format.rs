//! What texts must look like that people write in more than one place: a configuration, a flag, an
//! annotation.

use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::moment::in_calendar;

/// What a text must be to become a `T`.
pub struct Format<T> {
    pub expected: &'static str,
    pub parse: fn(&str) -> Result<T, Flaw>,
}

/// Why a text is not what it should be.
pub enum Flaw {
    /// The text itself says enough, and may be shown.
    Mismatch,
    /// Shown in place of the text.
    Because(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseBackupAgeMax {
    /// The schedule's longest interval and some grace; nothing where there is no schedule.
    FromSchedule,
    Exactly(TimeDelta),
}

/// Which gaps somebody knows and accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossAccepted {
    Before(DateTime<Utc>),
    /// Always, as where WAL is thinned on purpose once it has reached an age.
    OlderThan(TimeDelta),
}

impl LossAccepted {
    /// Gaps before this moment are accepted; none, if it lies before the calendar begins.
    pub fn before(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Before(moment) => Some(moment),
            Self::OlderThan(age) => now.checked_sub_signed(age),
        }
    }
}

pub const AGE_MAX: Format<TimeDelta> = Format {
    expected: "a duration with its unit from 1s to 3650d, such as 15m",
    parse: |text| delta(duration_between(text, SECOND, DAY * 3650)?),
};

pub const BASE_BACKUP_AGE_MAX: Format<BaseBackupAgeMax> = Format {
    expected: "auto or a duration with its unit from 1s to 3650d, such as 26h",
    parse: |text| match text {
        "auto" => Ok(BaseBackupAgeMax::FromSchedule),
        _ => (AGE_MAX.parse)(text).map(BaseBackupAgeMax::Exactly),
    },
};

pub const MOMENT: Format<DateTime<Utc>> = Format {
    expected: "a moment as in RFC 3339, such as 2026-01-10T12:00:00Z",
    parse: |text| {
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| Flaw::Mismatch)?;
        in_calendar(moment.with_timezone(&Utc)).ok_or(Flaw::Mismatch)
    },
};

pub const LOSS_ACCEPTED: Format<LossAccepted> = Format {
    expected: "a moment as in RFC 3339, such as 2026-01-10T12:00:00Z, or an age with its unit, such \
               as 30d",
    parse: |text| match (AGE_MAX.parse)(text) {
        Ok(age) => Ok(LossAccepted::OlderThan(age)),
        Err(_) => (MOMENT.parse)(text).map(LossAccepted::Before),
    },
};

pub const REGION: Format<String> = Format {
    expected: "a region, such as auto or eu-central-1",
    parse: |text| name(text, 64, |c| c.is_ascii_alphanumeric() || c == '-'),
};

pub const IS_TRUE: Format<bool> = Format {
    expected: "true or false",
    parse: |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Flaw::Mismatch),
    },
};

pub(crate) fn duration_between(
    text: &str,
    shortest: Duration,
    longest: Duration,
) -> Result<Duration, Flaw> {
    // humantime alone reads this one without a unit.
    if text == "0" {
        return Err(Flaw::Mismatch);
    }
    let duration = humantime::parse_duration(text).map_err(|_| Flaw::Mismatch)?;
    (shortest..=longest).contains(&duration).then_some(duration).ok_or(Flaw::Mismatch)
}

pub(crate) fn delta(duration: Duration) -> Result<TimeDelta, Flaw> {
    TimeDelta::from_std(duration).map_err(|_| Flaw::Mismatch)
}

pub(crate) fn name(
    text: &str,
    length_max: usize,
    is_allowed: fn(char) -> bool,
) -> Result<String, Flaw> {
    let is_name = (1..=length_max).contains(&text.len())
        && text.chars().all(is_allowed)
        && ![".", ".."].contains(&text);
    is_name.then(|| text.to_owned()).ok_or(Flaw::Mismatch)
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_accepted_before_a_moment_or_from_an_age_on() {
        let now = (MOMENT.parse)("2026-01-31T12:00:00Z").ok().unwrap();
        let before = |text| (LOSS_ACCEPTED.parse)(text).ok()?.before(now);
        let moment = (MOMENT.parse)("2026-01-01T12:00:00Z").ok();
        assert_eq!(before("2026-01-01T13:00:00+01:00"), moment);
        assert_eq!(before("30d"), moment);
        for wrong in ["30", "-30d", "0s", "20000d", "yesterday", "2026-01-01"] {
            assert_eq!(before(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_moment_lies_in_a_year_of_four_digits() {
        let reads = |text| (MOMENT.parse)(text).ok();
        assert_eq!(reads("1970-01-01T01:00:00+01:00"), Some(DateTime::UNIX_EPOCH));
        assert!(reads("0001-01-01T00:00:00Z").is_some());
        for wrong in
            ["0000-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:00:00-01:00"]
        {
            assert_eq!(reads(wrong), None, "{wrong}");
        }
    }
}
