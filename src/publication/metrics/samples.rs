//! Writes samples, which look the same in both text formats.

use std::fmt::Write as _;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::publication::metrics::Build;
use crate::publication::view::View;

/// What the series that belong to no archive are made of.
pub(super) struct Exposition<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) build: &'a Build,
}

/// Takes the samples of one family and one archive.
pub(super) struct Samples<'a> {
    pub(super) text: &'a mut String,
    pub(super) name: &'static str,
    pub(super) labels: &'static [&'static str],
    /// The labels of the archive; empty for a family that belongs to none.
    pub(super) block: &'a str,
}

pub(super) enum Value {
    Flag(bool),
    Count(u64),
    At(DateTime<Utc>),
    Lasting(TimeDelta),
    /// A part of a whole that is not zero.
    Share(u64, u64),
}

/// `opening` is the brace or comma before the label.
pub(super) fn write_label(text: &mut String, opening: char, label: &str, value: &str) {
    text.push(opening);
    text.push_str(label);
    text.push_str("=\"");
    let mut rest = value;
    while let Some((plain, special)) =
        rest.find(['\\', '"', '\n']).and_then(|at| rest.split_at_checked(at))
    {
        text.push_str(plain);
        let mut characters = special.chars();
        text.push_str(match characters.next() {
            Some('\\') => "\\\\",
            Some('"') => "\\\"",
            Some(_) | None => "\\n",
        });
        rest = characters.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

impl Samples<'_> {
    /// The archive's only sample of this family.
    pub(super) fn one(&mut self, value: impl Into<Value>) {
        self.labelled(&[], value);
    }

    /// A sample that is left out where there is nothing to say.
    pub(super) fn maybe(&mut self, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.one(value);
        }
    }

    /// One of several samples that differ in the family's only label.
    pub(super) fn each(&mut self, code: &str, value: impl Into<Value>) {
        self.labelled(&[code], value);
    }

    /// A sample with one value for each of the family's labels.
    pub(super) fn labelled(&mut self, values: &[&str], value: impl Into<Value>) {
        self.text.push_str(self.name);
        self.text.push_str(self.block);
        let mut opening = if self.block.is_empty() { '{' } else { ',' };
        for (label, value) in self.labels.iter().zip(values) {
            write_label(self.text, opening, label, value);
            opening = ',';
        }
        self.text.push_str(if opening == '{' { " " } else { "} " });
        value.into().write(self.text);
        self.text.push('\n');
    }
}

impl Value {
    fn write(&self, text: &mut String) {
        match self {
            Self::Flag(flag) => text.push(if *flag { '1' } else { '0' }),
            Self::Count(count) => write_integer(text, *count),
            Self::At(at) => write_millionths(text, at.timestamp_micros()),
            Self::Lasting(duration) => {
                write_millionths(text, duration.num_microseconds().unwrap_or(i64::MAX));
            }
            Self::Share(part, whole) => {
                let millionths = u128::from(*part).saturating_mul(1_000_000);
                let millionths = millionths.checked_div(u128::from(*whole)).unwrap_or_default();
                write_millionths(text, i64::try_from(millionths).unwrap_or(i64::MAX));
            }
        }
    }
}

/// Millionths as a number; whole ones without a fraction.
fn write_millionths(text: &mut String, millionths: i64) {
    if millionths < 0 {
        text.push('-');
    }
    let millionths = millionths.unsigned_abs();
    write_integer(text, millionths / 1_000_000);
    let fraction = millionths % 1_000_000;
    if fraction != 0 {
        write!(text, ".{fraction:06}").unwrap_or_default();
    }
}

pub(super) fn write_integer(text: &mut String, number: u64) {
    // A `String` takes everything.
    write!(text, "{number}").unwrap_or_default();
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(at: DateTime<Utc>) -> Self {
        Self::At(at)
    }
}

impl From<TimeDelta> for Value {
    fn from(duration: TimeDelta) -> Self {
        Self::Lasting(duration)
    }
}
