//! What reading the objects of an archive to their last byte showed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::members::BlockId;
use crate::content::tar_check::TarReport;
use crate::domain::backup::BackupId;
use crate::domain::object_key::TarContents;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;

/// What was read of one archive; what is wrong with segments stands among the probes.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Segments of which every record is right.
    pub segments: BTreeMap<TimelineId, SegmentSet>,
    pub damaged_segments: u64,
    /// Segments that could not be read: the first ones.
    pub unread_segments: Vec<Unreadable>,
    pub backups: BTreeMap<BackupId, BackupContent>,
    /// Those of which nothing is kept, since all was right.
    pub whole_backups: BTreeSet<BackupId>,
}

/// All tar files of one base backup.
#[derive(Clone, Debug, Default)]
pub struct BackupContent {
    pub tars: Vec<TarContent>,
    /// Pages with a wrong checksum that recovery writes anew, by the log that the backup needs.
    pub restored_pages: BTreeSet<BlockId>,
    /// Why it is not known of all of them.
    pub log_unread: Option<Unreadable>,
}

#[derive(Clone, Debug)]
pub struct TarContent {
    /// Below the backup's folder.
    pub name: String,
    pub contents: TarContents,
    pub piece: u32,
    pub report: Reading<Result<TarReport, ContentDamage>>,
}

/// Why an object could not be decoded to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentDamage {
    #[error("the content ends too early")]
    Truncated,
    /// In the decoder's words.
    #[error("{0}")]
    Undecodable(String),
}

impl BackupContent {
    /// Whether all of it was read, to the end.
    pub fn is_read(&self) -> bool {
        let is_any = !self.tars.is_empty();
        is_any && self.log_unread.is_none() && self.tars.iter().all(|tar| tar.report.is_ok())
    }
}

impl Content {
    /// What could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Unreadable> {
        let backups = self.backups.values();
        let tars = backups.flat_map(|it| {
            it.tars.iter().filter_map(|tar| tar.report.as_ref().err()).chain(&it.log_unread)
        });
        self.unread_segments.iter().chain(tars)
    }
}
