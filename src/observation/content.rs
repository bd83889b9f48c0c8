//! What reading the objects of an archive to their last byte showed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;

use crate::content::catalogues::Catalogues;
use crate::content::damage::BackupDamage;
use crate::content::members::BlockId;
use crate::content::members::RelationFile;
use crate::content::relations::Relations;
use crate::content::tar_check::TarReport;
use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::object_key::TarContents;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::probe::SegmentId;
use crate::observation::range_ends::RangeEnd;
use crate::wal::Demands;

/// What was read of one archive; what is wrong with segments stands among the probes.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Segments of which every record is right.
    pub segments: BTreeMap<TimelineId, SegmentSet>,
    /// What whole segments ask of a server that replays them; of most nothing.
    pub demands: BTreeMap<SegmentId, Demands>,
    pub damaged_segments: u64,
    /// Segments that could not be read: the first ones.
    pub unread_segments: Vec<Unreadable>,
    pub backups: BTreeMap<BackupId, BackupContent>,
    /// Those of which nothing is kept, since all was right.
    pub whole_backups: BTreeSet<BackupId>,
    /// When each backup was read last.
    pub read_at: BTreeMap<BackupId, DateTime<Utc>>,
    /// When WAL was read last, as far as this process knows.
    pub wal_read_at: Option<DateTime<Utc>>,
    /// Since when this archive is read, as far as is remembered.
    pub began_at: Option<DateTime<Utc>>,
    /// What was there when everything was listed before, and is not there now.
    pub gone: Vec<GoneObject>,
    /// Base backups that should be read in a Job, and are not.
    pub stuck: Vec<StuckReading>,
}

/// A base backup that no Job reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckReading {
    pub backup: BackupId,
    pub cause: StuckCause,
}

/// Why no Job reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StuckCause {
    /// The Job has no pod that runs since then.
    Pending { since: DateTime<Utc> },
    /// So many Jobs within a day ended without a result; of the last one, why.
    Failing { attempts: usize, why: String },
    /// The last of so many such Jobs needed more memory than it may have.
    OutOfMemory { attempts: usize },
    /// Kubernetes accepts no Job, so the process reads the backup itself.
    Refused { why: String },
}

impl StuckCause {
    /// For machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Failing { .. } => "failing",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Refused { .. } => "refused",
        }
    }
}

/// What a segment shows of which every record is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeSegment {
    pub system_identifier: u64,
    /// The newest commit or abort that ends in it.
    pub newest_commit_at: Option<DateTime<Utc>>,
    pub demands: Demands,
    /// Of its object; `None` without an entity tag.
    pub sum: Option<ObjectSum>,
}

/// A finished base backup or a history file that was listed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoneObject {
    pub what: Gone,
    /// When it ended, or was uploaded.
    pub dated: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gone {
    Backup(BackupId),
    History(TimelineId),
}

/// All tar files of one base backup.
#[derive(Clone, Debug, Default)]
pub struct BackupContent {
    pub tars: Vec<TarContent>,
    /// Pages with a wrong checksum that recovery writes anew, by the log that the backup needs.
    pub restored_pages: BTreeSet<BlockId>,
    /// Databases or catalogues were made, moved or dropped while the backup was taken, by that log.
    pub is_rearranged: bool,
    /// Relations that the catalogues tell of and no tar file holds, nor makes or removes that log.
    pub lost_relations: Vec<RelationFile>,
    /// Why it is not known of all of them.
    pub log_unread: Option<Unreadable>,
    /// What was wrong when a Job read it, which tells that and nothing of the tar files.
    pub told: Option<Vec<BackupDamage>>,
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

impl WholeSegment {
    pub const fn range_end(&self, number: SegmentNumber) -> RangeEnd {
        RangeEnd {
            first: number,
            newest_commit_at: self.newest_commit_at,
            system_identifier: self.system_identifier,
        }
    }
}

impl BackupContent {
    /// Whether all of it was read, to the end.
    pub fn is_read(&self) -> bool {
        if self.told.is_some() {
            return true;
        }
        let is_any = !self.tars.is_empty();
        is_any && self.log_unread.is_none() && self.tars.iter().all(|tar| tar.report.is_ok())
    }
}

impl BackupContent {
    /// What databases cannot do without, by the tar files that are whole.
    pub fn missing_catalogues(&self) -> Vec<String> {
        let mut all = Catalogues::default();
        self.reports().for_each(|report| all.add(&report.catalogues));
        all.missing()
    }

    /// What the tar files that are whole tell and show of relations.
    pub fn relations(&self) -> Relations {
        let mut all = Relations::default();
        self.reports().for_each(|report| all.add(&report.relations));
        all
    }

    /// Counts empty first pages among the wrong ones, where that is no way to begin.
    pub fn accuse_blank_pages(&mut self) {
        let blank: BTreeSet<RelationFile> = self.relations().blank_tables().collect();
        for report in self.tars.iter_mut().filter_map(|tar| tar.report.as_mut().ok()?.as_mut().ok())
        {
            for file in &blank {
                if report.relations.is_blank(*file) {
                    report.note_wrong(BlockId { file: *file, block: 0 }, Lsn::new(0));
                }
            }
        }
    }

    fn reports(&self) -> impl Iterator<Item = &TarReport> {
        self.tars.iter().filter_map(|tar| tar.report.as_ref().ok()?.as_ref().ok())
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
