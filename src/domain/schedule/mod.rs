//! When CloudNativePG promises a backup: the schedule of a `ScheduledBackup`.
//!
//! Follows `Parse` of robfig/cron v1.2.0, which CloudNativePG calls, quirk by quirk; a crate that
//! reads cron otherwise would expect backups at other times. All times are UTC, as in an operator
//! whose own time zone nobody changed; a zone in the text is unknown to it and refused.

mod calendar;
mod field;
mod go_duration;

use std::fmt;
use std::iter;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::schedule::calendar::Calendar;
pub use crate::domain::schedule::field::Field;
pub use crate::domain::schedule::field::FieldError;

/// The due times of a cluster's backups. Prints as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Calendar(Calendar),
    /// Invariant: at least one second.
    Every {
        seconds: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("the schedule is empty, expected six fields or a descriptor like @daily")]
    Empty,
    #[error(
        "the schedule {text:?} has {count} fields, expected second, minute, hour, day of month, \
         month and day of week, of which only the last may be left out"
    )]
    FieldCount { text: String, count: usize },
    #[error(
        "{text:?} is not a valid {field}: {reason}; expected {}, a range like 1-5 or a step like */2",
        .field.expected()
    )]
    Field { field: Field, text: String, reason: FieldError },
    #[error(
        "{0:?} is not a descriptor, expected @yearly, @annually, @monthly, @weekly, @daily, \
         @midnight, @hourly or @every with a duration"
    )]
    Descriptor(String),
    #[error("{0:?} after @every is not a duration, expected one like 1h30m, 0.5h or 90s")]
    Duration(String),
    #[error("the schedule {0:?} is never due: no month has that day")]
    Never(String),
}

impl Schedule {
    /// Reads what `Parse` in `parser.go` reads.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        Ok(Self { text: text.to_owned(), rule: Rule::parse(text)? })
    }

    /// The same, refusing what is never due: upstream reads it, and nothing ever comes of it.
    pub fn parse_due(text: &str) -> Result<Self, ScheduleError> {
        let schedule = Self::parse(text)?;
        // A leap year is among the years that are looked through.
        match schedule.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(text.to_owned())),
        }
    }

    /// The first due time later than `after`.
    ///
    /// `None` if nothing is due in that year or the next five. `@every` counts from `after`, so
    /// its due times are CloudNativePG's only if `after` is one of them or its `lastCheckTime`.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::Calendar(calendar) => calendar.next_after(after),
            // `ConstantDelaySchedule.Next` in `constantdelay.go` drops the fraction of a second.
            Rule::Every { seconds } => {
                DateTime::from_timestamp(after.timestamp().checked_add(*seconds)?, 0)
            }
        }
    }

    /// The due times later than `after` and not later than `until`, oldest first, found as they
    /// are asked for; ends after [`DUE_TIMES_MAX`].
    pub fn due_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        iter::successors(self.next_after(after), |due| self.next_after(*due))
            .take_while(move |due| *due <= until)
            .take(DUE_TIMES_MAX)
    }

    /// The longest time between two due times in a row.
    ///
    /// Looks at 366 whole days that have due times, the first of them that of the next due time
    /// after `after`: a year of a daily schedule, and further the more days a schedule skips.
    /// `None` if a second due time is not found within five years of the first.
    pub fn interval_max(&self, after: DateTime<Utc>) -> Option<TimeDelta> {
        match &self.rule {
            Rule::Calendar(calendar) => calendar.interval_max(after),
            Rule::Every { seconds } => TimeDelta::try_seconds(*seconds),
        }
    }

    /// Whether the day of week was left out.
    ///
    /// Who writes five fields mostly means minutes first, but gets seconds first: `0 0 * * *` is
    /// due every hour.
    pub fn has_five_fields(&self) -> bool {
        self.text.split_whitespace().count() == 5
    }
}

/// A backup each hour for eleven years; nobody makes backups so often that more are of use.
pub const DUE_TIMES_MAX: usize = 100_000;

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.is_empty() {
            return Err(ScheduleError::Empty);
        }
        if text.starts_with('@') {
            return Self::parse_descriptor(text);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let fields = match *fields.as_slice() {
            [second, minute, hour, day, month] => [second, minute, hour, day, month, "*"],
            [second, minute, hour, day, month, weekday] => {
                [second, minute, hour, day, month, weekday]
            }
            _ => {
                let (text, count) = (text.to_owned(), fields.len());
                return Err(ScheduleError::FieldCount { text, count });
            }
        };
        Calendar::parse(fields).map(Self::Calendar)
    }

    /// As exact as `parseDescriptor` in `parser.go`: lower case, no space before or after.
    fn parse_descriptor(text: &str) -> Result<Self, ScheduleError> {
        let fields = match text {
            "@yearly" | "@annually" => ["0", "0", "0", "1", "1", "*"],
            "@monthly" => ["0", "0", "0", "1", "*", "*"],
            "@weekly" => ["0", "0", "0", "*", "*", "0"],
            "@daily" | "@midnight" => ["0", "0", "0", "*", "*", "*"],
            "@hourly" => ["0", "0", "*", "*", "*", "*"],
            _ => {
                let duration = text
                    .strip_prefix("@every ")
                    .ok_or_else(|| ScheduleError::Descriptor(text.to_owned()))?;
                let nanoseconds = go_duration::parse_nanoseconds(duration)
                    .ok_or_else(|| ScheduleError::Duration(duration.to_owned()))?;
                // `Every` in `constantdelay.go`: whole seconds, at least one.
                return Ok(Self::Every { seconds: (nanoseconds / 1_000_000_000).max(1) });
            }
        };
        Calendar::parse(fields).map(Self::Calendar)
    }
}

#[cfg(test)]
mod tests;
