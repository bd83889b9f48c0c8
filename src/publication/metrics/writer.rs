//! Writes families and samples in both text formats. Knows nothing of what they mean.

use std::fmt::Write as _;
use std::ops::Range;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::publication::metrics::Build;
use crate::publication::metrics::Format;
use crate::publication::metrics::family::ARCHIVE_LABELS;
use crate::publication::metrics::family::Family;
use crate::publication::metrics::family::Kind;
use crate::publication::metrics::family::Source;
use crate::publication::snapshot::Snapshot;

/// What the series that belong to no archive are made of.
pub(super) struct Fleet<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) build: &'a Build,
}

/// The labels of every archive, escaped once for all its series.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// `{name="value",...` for one archive after the other, without closing braces.
    text: String,
    /// The archive's index in the snapshot, and its part of the text.
    blocks: Vec<(usize, Range<usize>)>,
}

/// Takes the samples of one family and one archive.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    name: &'static str,
    labels: &'static [&'static str],
    /// Empty for a family of the fleet.
    block: &'a str,
}

pub(super) enum Value {
    Flag(bool),
    Count(u64),
    At(DateTime<Utc>),
    Lasting(TimeDelta),
}

impl Labels {
    /// Of several archives with one name only the first, which is the worst, gets series: a
    /// series that exists twice spoils the scrape.
    pub(super) fn fill(&mut self, snapshot: &Snapshot) {
        self.text.clear();
        self.blocks.clear();
        let mut previous = None;
        for (index, watched) in snapshot.archives.iter().enumerate() {
            let archive = &watched.assessment.archive;
            if previous.replace(archive) == Some(archive) {
                continue;
            }
            let start = self.text.len();
            let values = [&archive.namespace, &archive.cluster, &archive.server_name];
            let mut opening = '{';
            for (label, value) in ARCHIVE_LABELS.iter().zip(values) {
                write_label(&mut self.text, opening, label, value);
                opening = ',';
            }
            self.blocks.push((index, start..self.text.len()));
        }
    }
}

/// Writes the header and all samples; nothing at all where there is no sample.
pub(super) fn write_family(
    text: &mut String,
    family: &Family,
    (snapshot, build, labels): (&Snapshot, &Build, &Labels),
    format: Format,
) {
    let start = text.len();
    let kind = match (format, family.kind) {
        (Format::Text, Kind::Info) => Kind::Gauge.as_str(),
        (Format::Text | Format::OpenMetrics, kind) => kind.as_str(),
    };
    write_header(text, header_name(family, format), family.help, kind);
    let samples_start = text.len();
    let (name, family_labels) = (family.name, family.labels);
    match family.source {
        Source::Fleet(write) => {
            let mut samples = Samples { text, name, labels: family_labels, block: "" };
            write(&Fleet { snapshot, build }, &mut samples);
        }
        Source::Archive(write) => {
            for (index, range) in &labels.blocks {
                let archive = snapshot.archives.get(*index);
                let block = labels.text.get(range.clone());
                if let (Some(archive), Some(block)) = (archive, block) {
                    let text = &mut *text;
                    let mut samples = Samples { text, name, labels: family_labels, block };
                    write(archive, &mut samples);
                }
            }
        }
    }
    if text.len() == samples_start {
        text.truncate(start);
    }
}

/// In OpenMetrics the family is called without the suffix that its samples have.
fn header_name(family: &Family, format: Format) -> &'static str {
    let suffix = match (format, family.kind) {
        (Format::Text, _) | (Format::OpenMetrics, Kind::Gauge) => "",
        (Format::OpenMetrics, Kind::Counter) => "_total",
        (Format::OpenMetrics, Kind::Info) => "_info",
    };
    family.name.strip_suffix(suffix).unwrap_or(family.name)
}

pub(super) fn write_header(text: &mut String, name: &str, help: &str, kind: &str) {
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
        text.push_str(part);
    }
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
            Self::At(at) => write_seconds(text, at.timestamp_micros()),
            Self::Lasting(duration) => {
                write_seconds(text, duration.num_microseconds().unwrap_or(i64::MAX));
            }
        }
    }
}

/// Whole seconds without a fraction.
fn write_seconds(text: &mut String, microseconds: i64) {
    if microseconds < 0 {
        text.push('-');
    }
    let microseconds = microseconds.unsigned_abs();
    write_integer(text, microseconds / 1_000_000);
    let fraction = microseconds % 1_000_000;
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
