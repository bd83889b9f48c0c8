//! The moments that a backup can be restored to.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::wal::Demands;

/// The moments that one backup can be restored to, without a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryWindow {
    pub backup_id: BackupId,
    pub first: FirstPoint,
    pub last: LastPoint,
    pub segment_size: SegmentSize,
    /// What recovery must be told (`targetTLI`) where its own choice, the latest timeline, would
    /// not work for this backup.
    pub target_timeline: Option<TimelineId>,
    /// On a branch that the archive left: from this moment on its states are not those of the living
    /// timeline.
    pub apart_from: Option<DateTime<Utc>>,
    /// Such a branch, and newer than the living timeline: the server never was there, a copy of it was.
    pub is_of_copy: bool,
    /// The object behind the end has the wrong size. PostgreSQL 15 and later reads ahead and fails on
    /// it before it gets to a target, unless `recovery_prefetch` is off.
    pub ends_at_misfit: bool,
    /// The system identifier, if it is another server's: one that wrote to this archive before.
    pub system: Option<u64>,
    /// Up to here its backup and its WAL were read to the last byte, and nothing was wrong; `None` if
    /// they were not as far as the first moment.
    pub read_until: Option<DateTime<Utc>>,
    /// Since when a segment on the way is stored that nobody has read behind those; `None` if there is none.
    pub unread_since: Option<DateTime<Utc>>,
    /// What the WAL on the way asks of the server that is restored, as far as it was read; in a box, since
    /// most asks for nothing.
    pub demands: Option<Box<Demands>>,
    /// The WAL that a restore to the end of the window reads, in order.
    pub path: Vec<WalStretch>,
}

/// Segments of one timeline, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalStretch {
    pub first: SegmentName,
    pub last: SegmentName,
    pub count: u64,
}

/// The moment from which a backup is consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstPoint {
    /// Every transaction of before the backup's end had ended by then: as its WAL shows, or, where that
    /// was not opened, later than its end by more than they can overtake it.
    pub at: DateTime<Utc>,
    pub lsn: Lsn,
}

/// The end of the last segment before the first hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPoint {
    pub at: DateTime<Utc>,
    pub source: TimeSource,
    pub lsn: Lsn,
    pub segment: SegmentName,
}

/// Where the time of a window's end comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The newest commit inside the WAL.
    Commit,
    /// The upload of the segment, an upper bound.
    Upload,
    /// No transaction ended since the backup: no target time is ever passed, and the newest state of
    /// the window is that of the backup's own end.
    Backup,
}

impl TimeSource {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Upload => "upload",
            Self::Backup => "backup",
        }
    }
}
