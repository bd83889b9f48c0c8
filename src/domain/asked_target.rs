//! The moment that somebody asks for, in the words that people, psql and this program use.

use std::fmt;

use chrono::DateTime;
use chrono::NaiveDate;
use chrono::TimeDelta;
use chrono::Utc;
use jiff::Span;
use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use crate::domain::moment::in_calendar;
use crate::domain::recovery_target::Target;

/// When and where somebody asks: what `yesterday` and a time without a zone are read by.
#[derive(Clone, Debug)]
pub struct Asker {
    pub now: DateTime<Utc>,
    pub zone: TimeZone,
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// Nothing in it is a time.
    NoTime,
    /// It is a day or a time of day, and where on Earth is not said. Both readings, to be copied.
    NoZone { in_utc: String, at_the_asker: Option<String> },
    /// An abbreviation such as CET or IST, which has several meanings.
    NamedZone(String),
    /// It lies outside the years that a time can be computed with.
    OutOfCalendar,
}

/// What is understood, for messages.
pub const EXPECTED: &str = "latest, a moment with its time zone, such as 2026-08-20T10:30:00Z, \
                            or how long ago, such as 2h";

/// No moment is longer.
const BYTES_MAX: usize = 64;

impl Asker {
    /// Somebody whose zone is not known, so that only UTC is offered.
    pub const fn in_utc(now: DateTime<Utc>) -> Self {
        Self { now, zone: TimeZone::UTC }
    }

    /// Reads a target as people write it: `latest`, `now`, RFC 3339, what psql prints, an epoch in
    /// seconds, `2 hours ago`, `-1h`, `yesterday 14:00 UTC`.
    pub fn read(&self, text: &str) -> Result<Target, NoTarget> {
        if text.len() > BYTES_MAX {
            return Err(NoTarget::NoTime);
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // The newest state is what there is of now.
        if ["latest", "now"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Ok(Target::Latest);
        }
        match epoch(&text).or_else(|| self.ago(&text)) {
            Some(at) => to_chrono(at).map(Target::At).ok_or(NoTarget::OutOfCalendar),
            None => self.dated(&text).map(Target::At),
        }
    }

    /// The same from the query of an address, where a `+` that nobody escaped arrives as a space.
    pub fn read_query(&self, text: &str) -> Result<Target, NoTarget> {
        let is_offset = |word: &str| {
            let is_digit = |c: char| c.is_ascii_digit() || c == ':';
            matches!(word.len(), 2 | 4 | 5) && word.chars().all(is_digit)
        };
        match text.trim_end().rsplit_once(' ') {
            Some((time, offset)) if time.contains(':') && is_offset(offset) => {
                self.read(&format!("{time}+{offset}"))
            }
            _ => self.read(text),
        }
    }

    /// `2 hours ago`, `-1h` and `1h` mean the same: nobody restores the future.
    fn ago(&self, text: &str) -> Option<Timestamp> {
        if text.starts_with('+') {
            return None;
        }
        let span: Span = text.to_ascii_lowercase().parse().ok()?;
        let now = to_jiff(self.now)?.to_zoned(TimeZone::UTC);
        now.checked_sub(span.abs()).ok().map(|at| at.timestamp())
    }

    fn dated(&self, text: &str) -> Result<DateTime<Utc>, NoTarget> {
        let now = to_jiff(self.now).ok_or(NoTarget::OutOfCalendar)?;
        let text = with_numeric_zone(text);
        let (_, offset) = Self::pieces(&text, &now.to_zoned(TimeZone::UTC))?;
        if let Some(offset) = offset {
            // Which day yesterday is depends on the zone.
            let (at, _) = Self::pieces(&text, &now.to_zoned(offset.to_time_zone()))?;
            return in_utc(at, offset).ok_or(NoTarget::OutOfCalendar);
        }
        let reading = |zone: &TimeZone| {
            let (at, _) = Self::pieces(&text, &now.to_zoned(zone.clone()))?;
            zone.to_zoned(at).map_err(|_| NoTarget::OutOfCalendar)
        };
        let (in_utc, here) = (reading(&TimeZone::UTC)?, reading(&self.zone)?);
        let is_elsewhere = here.offset() != Offset::UTC;
        Err(NoTarget::NoZone {
            in_utc: in_utc.timestamp().to_string(),
            at_the_asker: is_elsewhere
                .then(|| here.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()),
        })
    }

    /// A day and a time of day, and the offset if one is written.
    fn pieces(text: &str, now: &Zoned) -> Result<(civil::DateTime, Option<Offset>), NoTarget> {
        let text = with_date(text, now).ok_or(NoTarget::OutOfCalendar)?;
        let pieces = Pieces::parse(&text).map_err(|_| no_time(&text))?;
        if pieces.time_zone_annotation().is_some() {
            return Err(NoTarget::NamedZone(text.clone()));
        }
        let time = pieces.time().unwrap_or(civil::Time::midnight());
        Ok((pieces.date().to_datetime(time), pieces.to_numeric_offset()))
    }
}

/// Seconds since 1970, or milliseconds or microseconds where there are as many digits.
fn epoch(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match (whole.len(), fraction) {
        (9..=11, _) => {
            let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
            Timestamp::new(number, nanoseconds).ok()
        }
        (13, "") => Timestamp::from_millisecond(number).ok(),
        (16, "") => Timestamp::from_microsecond(number).ok(),
        _ => None,
    }
}

/// `… UTC` as this program and PostgreSQL's log write it becomes `…Z`, and an offset follows the time
/// without a space.
fn with_numeric_zone(text: &str) -> String {
    for name in ["UTC", "GMT", "Z"] {
        let Some((before, zone)) =
            text.len().checked_sub(name.len()).and_then(|at| text.split_at_checked(at))
        else {
            continue;
        };
        if zone.eq_ignore_ascii_case(name)
            && before.ends_with(|c: char| c == ' ' || c.is_ascii_digit())
        {
            let before = before.trim_end();
            // `todayZ` would be a word.
            let space = if before.ends_with(|c: char| c.is_ascii_digit()) { "" } else { " " };
            return format!("{before}{space}Z");
        }
    }
    text.replace(" +", "+").replace(" -", "-")
}

/// `yesterday`, `today` and a mere time of day get their date, a day alone its first moment.
fn with_date(text: &str, now: &Zoned) -> Option<String> {
    let (word, rest) =
        text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let today = now.date();
    let (date, rest) = match word.to_ascii_lowercase().as_str() {
        "today" => (Some(today), rest),
        "yesterday" => (Some(today.yesterday().ok()?), rest),
        _ if is_time_of_day(text) => (Some(today), text),
        _ => (None, text),
    };
    let rest = rest.trim_start();
    let Some(date) = date else { return Some(with_time(rest)) };
    // `9:30` is how people write 09:30.
    let pad = if rest.find(':') == Some(1) { "0" } else { "" };
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        Some(format!("{date}T{pad}{rest}"))
    } else {
        Some(with_time(&format!("{date}{rest}")))
    }
}

fn is_time_of_day(text: &str) -> bool {
    let hours = text.find(|c: char| !c.is_ascii_digit());
    matches!(hours, Some(1 | 2)) && text.contains(':')
}

/// A day with a zone and no time of day begins at midnight.
fn with_time(text: &str) -> String {
    const DATE: usize = "2026-01-31".len();
    match text.split_at_checked(DATE) {
        Some((date, zone)) if zone.starts_with(['Z', '+', '-']) => format!("{date}T00:00{zone}"),
        _ => text.to_owned(),
    }
}

/// An abbreviation behind what is a time without it is a zone; anything else makes no sense.
fn no_time(text: &str) -> NoTarget {
    let end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let (_, zone) = text.split_at(end.len());
    if !zone.is_empty() && end.ends_with(' ') && Pieces::parse(end.trim_end()).is_ok() {
        NoTarget::NamedZone(zone.to_owned())
    } else {
        NoTarget::NoTime
    }
}

fn to_jiff(at: DateTime<Utc>) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(at.timestamp_subsec_nanos()).ok()?;
    Timestamp::new(at.timestamp(), nanoseconds).ok()
}

/// Jiff's own moments end a day before the calendar does, so that every zone has them.
fn in_utc(at: civil::DateTime, offset: Offset) -> Option<DateTime<Utc>> {
    let [month, day, hour, minute, second] =
        [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(u32::try_from);
    let date = NaiveDate::from_ymd_opt(at.year().into(), month.ok()?, day.ok()?)?;
    let nanosecond = u32::try_from(at.subsec_nanosecond()).ok()?;
    let time = date.and_hms_nano_opt(hour.ok()?, minute.ok()?, second.ok()?, nanosecond)?;
    let offset = TimeDelta::seconds(offset.seconds().into());
    in_calendar(time.and_utc().checked_sub_signed(offset)?)
}

fn to_chrono(at: Timestamp) -> Option<DateTime<Utc>> {
    // Times before 1970 have a negative fraction.
    let nanoseconds = i64::from(at.subsec_nanosecond()).rem_euclid(1_000_000_000);
    let borrowed = i64::from(at.subsec_nanosecond() < 0);
    let seconds = at.as_second().checked_sub(borrowed)?;
    in_calendar(DateTime::from_timestamp(seconds, u32::try_from(nanoseconds).ok()?)?)
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTime => write!(f, "That is not a target. Write {EXPECTED}."),
            Self::NoZone { in_utc, at_the_asker: None } => {
                write!(f, "Only the time zone is missing. In UTC it is {in_utc}.")
            }
            Self::NoZone { in_utc, at_the_asker: Some(here) } => write!(
                f,
                "Only the time zone is missing. In UTC it is {in_utc}; in the zone of this machine it \
                 is {here}."
            ),
            Self::NamedZone(zone) => write!(
                f,
                "The time zone {zone:?} could mean several things. Write UTC, Z or an offset such \
                 as +01:00."
            ),
            Self::OutOfCalendar => f.write_str("That is too far away: a year has four digits."),
        }
    }
}

#[cfg(test)]
mod tests;
