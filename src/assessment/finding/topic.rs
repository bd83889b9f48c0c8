//! What a finding is about.

use crate::domain::backup::BackupId;
use crate::domain::cluster::DrillKind;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

/// The thing that has the problem, without what changes from check to check, such as an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic<'a> {
    /// The archive or the cluster as a whole.
    Whole,
    Backup(&'a BackupId),
    Segment(SegmentName),
    /// Segments, of which this is the first.
    Segments(SegmentName),
    Timeline(TimelineId),
    /// A `Backup` in Kubernetes.
    BackupResource(&'a str),
    /// A `ScheduledBackup`.
    Schedule(&'a str),
    ObjectStore(&'a str),
    Pod(&'a str),
    Annotation(&'a str),
    Drill(DrillKind),
    /// What could not be read.
    Read(&'a str),
}

impl Topic<'_> {
    /// Its name in evidence, and its own.
    pub fn evidence(self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::Whole => return None,
            Self::Backup(id) => ("backup_id", id.to_string()),
            Self::Segment(name) => ("segment", name.to_string()),
            Self::Segments(first) => ("first", first.to_string()),
            Self::Timeline(timeline) => ("timeline", timeline.to_string()),
            Self::BackupResource(name) => ("backup", name.to_owned()),
            Self::Schedule(name) => ("schedule", name.to_owned()),
            Self::ObjectStore(name) => ("object_store", name.to_owned()),
            Self::Pod(name) => ("pod", name.to_owned()),
            Self::Annotation(key) => ("annotation", key.to_owned()),
            Self::Drill(kind) => ("kind", kind.code().to_owned()),
            Self::Read(what) => ("what", what.to_owned()),
        })
    }

    /// Empty for the whole.
    pub fn name(self) -> String {
        self.evidence().map_or_else(String::new, |(_, name)| name)
    }

    /// As files and annotations are named after it.
    pub(super) fn in_names(self) -> String {
        if let Self::Timeline(timeline) = self {
            return format!("{:08X}", timeline.value());
        }
        self.name()
    }
}
