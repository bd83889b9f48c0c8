//! A base backup as readers of an assessment are told of it.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::BackupKind;
use crate::assessment::unusable::UnusableReason;
use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::segment::SegmentName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssessedBackup {
    pub id: BackupId,
    /// As CloudNativePG calls it.
    pub name: Option<Box<str>>,
    /// `None` if `backup.info` is missing or could not be understood.
    pub status: Option<BackupStatus>,
    pub kind: BackupKind,
    /// Why it is not usable; in a box, since most are.
    pub unusable: Option<Box<UnusableReason>>,
    pub began_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub begin_wal: Option<SegmentName>,
    pub end_wal: Option<SegmentName>,
    /// By name.
    pub tablespaces: Box<[Box<str>]>,
    pub size_bytes: u64,
    /// When all of it was read last, to the last byte.
    pub read_at: Option<DateTime<Utc>>,
}

impl AssessedBackup {
    pub fn is_usable(&self) -> bool {
        self.kind == BackupKind::Usable
    }
}
