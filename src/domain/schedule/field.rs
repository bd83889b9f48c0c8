//! One field of a cron expression. Knows which values it names, not what time it is.

use std::fmt;
use std::iter;

/// Which of the six fields, in the order they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("{0:?} is not a number")]
    NotANumber(String),
    #[error("{0} is negative")]
    Negative(String),
    #[error("{0} has too many hyphens")]
    TooManyHyphens(String),
    #[error("{0} has too many slashes")]
    TooManySlashes(String),
    #[error("{0} is out of range")]
    OutOfRange(String),
    #[error("{0} runs backwards")]
    Backwards(String),
    #[error("{0} has the step 0")]
    StepOfZero(String),
}

/// The values that a field allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Invariant: bit n stands for the value n, and only values of the field are set.
    bits: u64,
    /// Upstream's `starBit`: some part of the field was a star, perhaps with a step.
    pub(super) has_star: bool,
}

impl Field {
    /// The smallest and the largest value (`bounds` in `spec.go`).
    const fn bounds(self) -> (u32, u32) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 6),
        }
    }

    /// Names of the values, from the smallest on.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => &[
                "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            ],
            Self::DayOfWeek => &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        }
    }

    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::DayOfMonth => "1 to 31",
            Self::Month => "1 to 12 or JAN to DEC",
            Self::DayOfWeek => "0 to 6 or SUN to SAT",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

impl FieldSet {
    /// Reads ranges between commas (`getField` in `parser.go`). A field of nothing but commas is
    /// accepted there, and never due.
    pub(super) fn parse(text: &str, field: Field) -> Result<Self, FieldError> {
        let mut set = Self::default();
        for range in text.split(',').filter(|range| !range.is_empty()) {
            let Self { bits, has_star } = Self::parse_range(range, field)?;
            set.bits |= bits;
            set.has_star |= has_star;
        }
        Ok(set)
    }

    /// Reads `N`, `N-M`, `*` or `?`, each perhaps with `/step` (`getRange` in `parser.go`).
    fn parse_range(text: &str, field: Field) -> Result<Self, FieldError> {
        let (range, step) = match text.split_once('/') {
            Some((_, step)) if step.contains('/') => {
                return Err(FieldError::TooManySlashes(text.to_owned()));
            }
            Some((range, step)) => (range, Some(parse_number(step)?)),
            None => (text, None),
        };
        let (first_text, last_text) = match range.split_once('-') {
            Some((first, last)) => (first, Some(last)),
            None => (range, None),
        };
        let (smallest, largest) = field.bounds();
        let has_star = matches!(first_text, "*" | "?");
        let (first, last) = match last_text {
            // What follows the hyphen of `*-5` is not even read.
            _ if has_star => (smallest, largest),
            Some(last) if last.contains('-') => {
                return Err(FieldError::TooManyHyphens(text.to_owned()));
            }
            Some(last) => (parse_value(first_text, field)?, parse_value(last, field)?),
            // `N/step` means `N-largest/step`.
            None if step.is_some() => (parse_value(first_text, field)?, largest),
            None => {
                let value = parse_value(first_text, field)?;
                (value, value)
            }
        };
        if first < smallest || largest < first.max(last) {
            return Err(FieldError::OutOfRange(text.to_owned()));
        }
        if last < first {
            return Err(FieldError::Backwards(text.to_owned()));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(FieldError::StepOfZero(text.to_owned()));
        }
        let mut set = Self { bits: 0, has_star };
        for value in (first..=last).filter(|value| (value - first).is_multiple_of(step)) {
            set.bits |= 1 << value;
        }
        Ok(set)
    }

    pub(super) fn contains(self, value: u32) -> bool {
        self.first_from(value) == Some(value)
    }

    /// The smallest value that is not below `value`.
    pub(super) fn first_from(self, value: u32) -> Option<u32> {
        let rest = self.bits.checked_shr(value)?;
        (rest != 0).then(|| value + rest.trailing_zeros())
    }

    pub(super) fn values(self) -> impl Iterator<Item = u32> {
        iter::successors(self.first_from(0), move |value| self.first_from(value + 1))
    }
}

fn parse_value(text: &str, field: Field) -> Result<u32, FieldError> {
    let (smallest, _) = field.bounds();
    let named = (smallest..)
        .zip(field.names())
        .find_map(|(value, name)| name.eq_ignore_ascii_case(text).then_some(value));
    named.map_or_else(|| parse_number(text), Ok)
}

/// Reads what Go's `Atoi` reads, a plus sign included. What does not fit becomes the largest
/// number, which is beyond every field.
fn parse_number(text: &str) -> Result<u32, FieldError> {
    let number: i64 = text.parse().map_err(|_| FieldError::NotANumber(text.to_owned()))?;
    if number < 0 {
        return Err(FieldError::Negative(text.to_owned()));
    }
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[u32]) -> FieldSet {
        FieldSet { bits: values.iter().map(|value| 1 << value).sum(), has_star: false }
    }

    fn starred(values: &[u32]) -> FieldSet {
        FieldSet { has_star: true, ..set(values) }
    }

    #[test]
    fn ranges_steps_and_names_are_read_as_upstream_reads_them() {
        let cases: [(&str, Field, &[u32]); 20] = [
            ("5", Field::DayOfWeek, &[5]),
            ("+5", Field::DayOfWeek, &[5]),
            ("05", Field::DayOfWeek, &[5]),
            ("0", Field::DayOfWeek, &[0]),
            ("5-5", Field::DayOfWeek, &[5]),
            ("5-6", Field::DayOfWeek, &[5, 6]),
            ("3-4/2", Field::DayOfWeek, &[3]),
            ("3-5/2", Field::DayOfWeek, &[3, 5]),
            ("3-5/1", Field::DayOfWeek, &[3, 4, 5]),
            ("3/2", Field::DayOfWeek, &[3, 5]),
            ("Mon/2", Field::DayOfWeek, &[1, 3, 5]),
            ("sun,FRI-sat", Field::DayOfWeek, &[0, 5, 6]),
            ("5/15", Field::Minute, &[5, 20, 35, 50]),
            ("15/35", Field::Second, &[15, 50]),
            ("59/9223372036854775807", Field::Second, &[59]),
            ("dec", Field::Month, &[12]),
            ("1,5-7/2,3", Field::Month, &[1, 3, 5, 7]),
            (",,5,,6,", Field::Month, &[5, 6]),
            (",", Field::Month, &[]),
            ("", Field::Month, &[]),
        ];
        for (text, field, values) in cases {
            assert_eq!(FieldSet::parse(text, field), Ok(set(values)), "{text}");
        }
    }

    #[test]
    fn a_star_is_every_value_and_remembered() {
        let all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        for text in ["*", "?", "*/1", "?/1", "*-5", "*-x-y", "3,*"] {
            assert_eq!(FieldSet::parse(text, Field::Month), Ok(starred(&all)), "{text}");
        }
        let fifths = FieldSet::parse("*/5", Field::Month);
        assert_eq!(fifths, Ok(starred(&[1, 6, 11])));
        assert_eq!(FieldSet::parse("1-12", Field::Month), Ok(set(&all)));
    }

    #[test]
    fn what_upstream_refuses_is_refused() {
        type Reason = fn(String) -> FieldError;
        let cases: [(&str, Field, Reason, &str); 20] = [
            ("5--5", Field::Hour, FieldError::TooManyHyphens, "5--5"),
            ("1-2-3", Field::Hour, FieldError::TooManyHyphens, "1-2-3"),
            ("*//2", Field::Hour, FieldError::TooManySlashes, "*//2"),
            ("1/2/3", Field::Hour, FieldError::TooManySlashes, "1/2/3"),
            ("jan-x", Field::Month, FieldError::NotANumber, "x"),
            ("2-x", Field::Hour, FieldError::NotANumber, "x"),
            ("mon", Field::Month, FieldError::NotANumber, "mon"),
            ("sunday", Field::DayOfWeek, FieldError::NotANumber, "sunday"),
            ("L", Field::DayOfMonth, FieldError::NotANumber, "L"),
            ("-1", Field::Hour, FieldError::NotANumber, ""),
            ("*/", Field::Hour, FieldError::NotANumber, ""),
            ("99999999999999999999", Field::Hour, FieldError::NotANumber, "99999999999999999999"),
            ("*/-12", Field::Hour, FieldError::Negative, "-12"),
            ("0", Field::DayOfMonth, FieldError::OutOfRange, "0"),
            ("7", Field::DayOfWeek, FieldError::OutOfRange, "7"),
            ("0-7", Field::DayOfWeek, FieldError::OutOfRange, "0-7"),
            ("4294967296", Field::Hour, FieldError::OutOfRange, "4294967296"),
            ("60/5", Field::Second, FieldError::OutOfRange, "60/5"),
            ("5-3", Field::Hour, FieldError::Backwards, "5-3"),
            ("*/0", Field::Hour, FieldError::StepOfZero, "*/0"),
        ];
        for (text, field, reason, part) in cases {
            assert_eq!(FieldSet::parse(text, field), Err(reason(part.to_owned())), "{text}");
        }
    }
}
