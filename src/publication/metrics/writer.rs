//! Writes families in both text formats. Knows nothing of what they mean.

use std::ops::Range;

use crate::publication::metrics::Build;
use crate::publication::metrics::Format;
use crate::publication::metrics::family::ARCHIVE_LABELS;
use crate::publication::metrics::family::Family;
use crate::publication::metrics::family::Kind;
use crate::publication::metrics::family::Source;
use crate::publication::metrics::samples::Exposition;
use crate::publication::metrics::samples::Samples;
use crate::publication::metrics::samples::write_label;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;

/// The labels of every archive, escaped once for all its series.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// `{name="value",...` for one archive after the other, without closing braces.
    text: String,
    archives: Blocks,
    orphans: Blocks,
}

/// The archive's index in its list of the view, and its part of the text.
type Blocks = Vec<(usize, Range<usize>)>;

impl Labels {
    /// Of several archives with one name only the first, which is the worst, gets series: a
    /// series that exists twice spoils the scrape.
    pub(super) fn fill(&mut self, view: &View<'_>) {
        self.text.clear();
        add(&mut self.text, &mut self.archives, &view.archives);
        add(&mut self.text, &mut self.orphans, &view.orphans);
    }
}

fn add(text: &mut String, blocks: &mut Blocks, archives: &[ArchiveView<'_>]) {
    blocks.clear();
    let mut previous = None;
    for (index, archive) in archives.iter().enumerate() {
        let archive = &archive.assessment.archive;
        if previous.replace(archive) == Some(archive) {
            continue;
        }
        let start = text.len();
        let values = [&archive.namespace, &archive.cluster, &archive.server_name];
        let mut opening = '{';
        for (label, value) in ARCHIVE_LABELS.iter().zip(values) {
            write_label(text, opening, label, value);
            opening = ',';
        }
        blocks.push((index, start..text.len()));
    }
}

/// Writes the header and all samples; nothing at all where there is no sample.
pub(super) fn write_family(
    text: &mut String,
    family: &Family,
    (view, build, labels): (&View<'_>, &Build, &Labels),
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
        Source::Whole(write) => {
            let mut samples = Samples { text, name, labels: family_labels, block: "" };
            write(&Exposition { view, build }, &mut samples);
        }
        Source::Archive(write) | Source::Orphan(write) => {
            let (archives, blocks) = match family.source {
                Source::Orphan(_) => (&view.orphans, &labels.orphans),
                Source::Archive(_) | Source::Whole(_) => (&view.archives, &labels.archives),
            };
            for (index, range) in blocks {
                let archive = archives.get(*index);
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
