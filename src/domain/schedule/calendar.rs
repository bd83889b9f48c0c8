//! Due times by the calendar: the six fields of a cron expression (`SpecSchedule` in `spec.go`).

use std::iter;

use chrono::DateTime;
use chrono::Datelike;
use chrono::NaiveDate;
use chrono::NaiveTime;
use chrono::TimeDelta;
use chrono::Timelike;
use chrono::Utc;

use crate::domain::schedule::ScheduleError;
use crate::domain::schedule::field::Field;
use crate::domain::schedule::field::FieldSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    second: FieldSet,
    minute: FieldSet,
    hour: FieldSet,
    day_of_month: FieldSet,
    month: FieldSet,
    day_of_week: FieldSet,
}

impl Calendar {
    pub(super) fn parse(fields: [&str; 6]) -> Result<Self, ScheduleError> {
        let parse = |text: &str, field| {
            FieldSet::parse(text, field).map_err(|reason| ScheduleError::Field {
                field,
                text: text.to_owned(),
                reason,
            })
        };
        let [second, minute, hour, day_of_month, month, day_of_week] = fields;
        Ok(Self {
            second: parse(second, Field::Second)?,
            minute: parse(minute, Field::Minute)?,
            hour: parse(hour, Field::Hour)?,
            day_of_month: parse(day_of_month, Field::DayOfMonth)?,
            month: parse(month, Field::Month)?,
            day_of_week: parse(day_of_week, Field::DayOfWeek)?,
        })
    }

    /// The first second later than `after` that every field allows (`SpecSchedule.Next`).
    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let earliest = DateTime::from_timestamp(after.timestamp().checked_add(1)?, 0)?;
        let today = earliest.date_naive();
        let due_today = self.is_due_on(today).then(|| self.time_from(earliest.time())).flatten();
        let due = match due_today {
            Some(time) => today.and_time(time),
            None => {
                let time = self.time_from(NaiveTime::MIN)?;
                self.next_day(today)?.and_time(time)
            }
        };
        Some(due.and_utc())
    }

    /// Exact for the days it looks at: the times of day are the same on each of them.
    pub(super) fn interval_max(&self, after: DateTime<Utc>) -> Option<TimeDelta> {
        let first_day = self.next_after(after)?.date_naive();
        let days: Vec<NaiveDate> =
            iter::successors(Some(first_day), |day| self.next_day(*day)).take(DUE_DAYS).collect();
        let times = self.times_of_day();
        let overnight = *times.first()? - *times.last()?;
        let between_days = days.iter().zip(days.iter().skip(1));
        let between_times = times.iter().zip(times.iter().skip(1));
        between_days
            .map(|(earlier, later)| *later - *earlier + overnight)
            .chain(between_times.map(|(earlier, later)| *later - *earlier))
            .max()
    }

    /// The first due day later than `day`, in its year or the next five as upstream.
    fn next_day(&self, day: NaiveDate) -> Option<NaiveDate> {
        let year_last = day.year() + 5;
        day.iter_days()
            .skip(1)
            .take_while(|later| later.year() <= year_last)
            .find(|later| self.is_due_on(*later))
    }

    /// A star in either day field makes both restrict; two lists of days add up (`dayMatches`).
    fn is_due_on(&self, day: NaiveDate) -> bool {
        let in_month = self.day_of_month.contains(day.day());
        let in_week = self.day_of_week.contains(day.weekday().num_days_from_sunday());
        let is_day = if self.day_of_month.has_star || self.day_of_week.has_star {
            in_month && in_week
        } else {
            in_month || in_week
        };
        is_day && self.month.contains(day.month())
    }

    /// In order; 86,400 at most.
    fn times_of_day(&self) -> Vec<NaiveTime> {
        let mut times = Vec::new();
        for hour in self.hour.values() {
            for minute in self.minute.values() {
                let seconds = self.second.values();
                times.extend(
                    seconds.filter_map(|second| NaiveTime::from_hms_opt(hour, minute, second)),
                );
            }
        }
        times
    }

    /// The first due time of day that is not before `earliest`.
    fn time_from(&self, earliest: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (earliest.hour(), earliest.minute(), earliest.second());
        let first_second = self.second.first_from(0)?;
        let first_minute = self.minute.first_from(0)?;
        if self.hour.contains(hour) {
            if self.minute.contains(minute)
                && let Some(second) = self.second.first_from(second)
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = self.minute.first_from(minute + 1) {
                return NaiveTime::from_hms_opt(hour, minute, first_second);
            }
        }
        NaiveTime::from_hms_opt(self.hour.first_from(hour + 1)?, first_minute, first_second)
    }
}

/// As many due days as `interval_max` looks at: those of a schedule that skips none in a leap year.
/// Months repeat by the year, and a schedule that skips days reaches further.
const DUE_DAYS: usize = 366;
