//! The metrics of a snapshot as text, for Prometheus and for people.
//!
//! Written by hand because the `prometheus` crate needs several times the 10 ms that a scrape of
//! a thousand archives may take; the bench `metrics` compares both.

mod drills;
mod families;
pub mod family;
mod own;
mod reading;
mod samples;
mod writer;

use std::sync::Arc;
use std::sync::Weak;

use chrono::DateTime;
use chrono::Utc;
use prometheus::proto::MetricFamily;

use crate::publication::metrics::families::FAMILIES;
use crate::publication::metrics::family::Family;
use crate::publication::metrics::writer::Labels;
use crate::publication::metrics::writer::write_family;
use crate::publication::snapshot::Snapshot;
use crate::publication::view::View;

/// How the text is written. Both tell the same; a scraper says which one it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What was built, for `_build_info`, the page and `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    pub version: &'static str,
    pub revision: &'static str,
    pub rustc: &'static str,
}

/// Every family that a snapshot can have, in the order of the output.
pub const fn families() -> &'static [Family] {
    FAMILIES
}

/// The text of the newest snapshot, so that a second scraper costs nothing but the copy, until some
/// verdict has outlived its time.
#[derive(Debug)]
pub struct RenderedMetrics {
    build: Build,
    labels: Labels,
    text: Rendered,
    open_metrics: Rendered,
}

#[derive(Debug, Default)]
struct Rendered {
    /// Keeps another snapshot from getting the same address, but not the old one in memory.
    snapshot: Weak<Snapshot>,
    /// Between these two no verdict outlives its time.
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    text: Arc<String>,
}

/// The answer to one scrape in two parts, to be sent one after the other.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub snapshot: Arc<String>,
    /// The program's own metrics and the end mark.
    pub own: String,
}

impl RenderedMetrics {
    pub fn new(build: Build) -> Self {
        Self {
            build,
            labels: Labels::default(),
            text: Rendered::default(),
            open_metrics: Rendered::default(),
        }
    }

    /// Renders the snapshot unless that was done before, and `own`, what the program's registry
    /// gathered about itself, every time.
    pub fn scrape(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: DateTime<Utc>,
        own: &[MetricFamily],
        format: Format,
    ) -> Scrape {
        let rendered = match format {
            Format::Text => &mut self.text,
            Format::OpenMetrics => &mut self.open_metrics,
        };
        let is_current = Weak::ptr_eq(&rendered.snapshot, &Arc::downgrade(snapshot))
            && rendered.after < now
            && now <= rendered.until;
        if !is_current {
            // The old text's memory is used again, unless a slow reader still holds it.
            let mut text = std::mem::take(&mut rendered.text);
            let mut buffer = Arc::get_mut(&mut text).map(std::mem::take).unwrap_or_default();
            buffer.clear();
            let view = View::new(snapshot, now);
            self.labels.fill(&view);
            for family in FAMILIES {
                write_family(&mut buffer, family, (&view, &self.build, &self.labels), format);
            }
            let all = view.archives.iter().chain(&view.orphans);
            let ends = all.filter_map(|it| it.assessment.stale_after());
            let (over, ahead): (Vec<_>, Vec<_>) = ends.partition(|at| *at < now);
            *rendered = Rendered {
                snapshot: Arc::downgrade(snapshot),
                after: over.into_iter().max().unwrap_or(DateTime::<Utc>::MIN_UTC),
                until: ahead.into_iter().min().unwrap_or(DateTime::<Utc>::MAX_UTC),
                text: Arc::new(buffer),
            };
        }
        let mut text = String::new();
        own::write(&mut text, own, format);
        match format {
            Format::Text => {}
            Format::OpenMetrics => text.push_str("# EOF\n"),
        }
        Scrape { snapshot: Arc::clone(&rendered.text), own: text }
    }
}

impl Scrape {
    pub fn into_string(self) -> String {
        let mut text = String::with_capacity(self.snapshot.len() + self.own.len());
        text.push_str(&self.snapshot);
        text.push_str(&self.own);
        text
    }
}

#[cfg(test)]
mod tests;
