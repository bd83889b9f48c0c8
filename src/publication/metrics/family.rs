//! What a metric family is, apart from its samples.

use crate::publication::metrics::samples::Exposition;
use crate::publication::metrics::samples::Samples;
use crate::publication::view::ArchiveView;

/// One row of the table of metrics.
#[derive(Debug)]
pub struct Family {
    /// As the samples are called, with `_total` or `_info`.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    /// In addition to [`ARCHIVE_LABELS`] where there is one series or more for each archive.
    pub labels: &'static [&'static str],
    pub(super) source: Source,
}

/// There is no state set among them: OpenMetrics wants its label to be called like the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
    /// Always 1; what it says is in the labels.
    Info,
}

#[derive(Debug)]
pub(super) enum Source {
    Whole(fn(&Exposition<'_>, &mut Samples<'_>)),
    Archive(fn(&ArchiveView<'_>, &mut Samples<'_>)),
    /// Those that no cluster names have families of their own, so that no alert on the others sees them.
    Orphan(fn(&ArchiveView<'_>, &mut Samples<'_>)),
}

/// Which archive a series is about. Not `namespace`, `cluster` or `pod`: Prometheus gives these
/// names to the scraped target.
pub const ARCHIVE_LABELS: [&str; 3] = ["cnpg_namespace", "cnpg_cluster", "server_name"];

impl Family {
    pub const fn is_per_archive(&self) -> bool {
        match self.source {
            Source::Archive(_) | Source::Orphan(_) => true,
            Source::Whole(_) => false,
        }
    }
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Info => "info",
        }
    }
}
