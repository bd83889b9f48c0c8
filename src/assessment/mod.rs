//! Judges an observation. Cannot fail, reads no clock, does no I/O.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![warn(clippy::wildcard_enum_match_arm)]

mod archive;
mod assess;
mod backup;
mod backup_pace;
pub mod cluster;
pub mod drill;
pub mod expectations;
pub mod finding;
pub mod forecast;
mod gap;
pub mod loss;
pub mod plan;
pub mod proof;
pub mod shared;
pub mod standing;
pub mod succession;
pub mod unusable;
pub mod verdict;
pub mod wants;
mod window;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::cluster::ClusterState;
use crate::assessment::expectations::DrillExpectation;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::LifeSign;
use crate::assessment::forecast::Forecast;
use crate::assessment::proof::Proof;
use crate::assessment::shared::Shared;
use crate::assessment::verdict::Verdict;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::orphan::Orphan;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::probe::SegmentId;
use crate::observation::sought::Sought;

pub use crate::assessment::archive::content::damages;
pub use crate::assessment::archive::content::is_content_right;
pub use crate::assessment::assess::assess;
pub use crate::assessment::assess::assess_and_ask;
pub use crate::assessment::assess::assess_without_archive;
pub use crate::assessment::backup::AssessedBackup;
pub use crate::assessment::gap::Gap;
pub use crate::assessment::gap::GapEffect;
pub use crate::assessment::window::FirstPoint;
pub use crate::assessment::window::LastPoint;
pub use crate::assessment::window::RecoveryWindow;
pub use crate::assessment::window::TimeSource;
pub use crate::assessment::window::WalStretch;

/// Which archive is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub archive: ArchiveId,
    /// `None` for a cluster that has no archive.
    pub address: Option<ArchiveAddress>,
}

/// Everything that can be said of one archive at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    pub archive: ArchiveId,
    /// `None` for a cluster that has no archive.
    pub address: Option<ArchiveAddress>,
    pub verdict: Verdict,
    /// When the archive was last read as a whole; what is said here holds for that time.
    pub observed_at: Option<DateTime<Utc>>,
    /// Until when it is excluded that something was deleted and nobody noticed.
    pub fully_listed_at: Option<DateTime<Utc>>,
    /// When the last attempt to read it ended.
    pub checked_at: DateTime<Utc>,
    /// Why the last attempt failed, if it did.
    pub unreadable: Option<UnreadableReason>,
    pub latest: Latest,
    /// One for each usable backup, oldest first.
    pub windows: Shared<RecoveryWindow>,
    /// Of the present server, oldest first; of very many the newest.
    pub timelines: Shared<TimelineState>,
    /// The servers that finished a backup here, the present one last.
    pub systems: Shared<SystemState>,
    /// In the order of timelines and segments.
    pub gaps: Shared<Gap>,
    /// Oldest first.
    pub backups: Shared<AssessedBackup>,
    pub newest_segment: Option<NewestSegment>,
    /// Worst first.
    pub findings: Shared<Finding>,
    pub proof: Proof,
    pub strays: Strays,
    pub totals: Totals,
    pub promises: Promises,
    /// `None` for an archive that only the configuration names.
    pub cluster: Option<ClusterState>,
    /// `None` unless it is known that no cluster names the archive.
    pub orphan: Option<Orphan>,
    /// How long a recovery to the newest state would take; `None` where no drill tells.
    pub forecast: Option<Forecast>,
}

/// Whether some backup reaches the newest archived state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latest {
    Reached,
    /// Everything that could have helped was read.
    NotReached,
    Unknown,
}

/// A timeline that left WAL or a history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineState {
    pub timeline: TimelineId,
    /// The server goes on with it.
    pub is_living: bool,
    /// What shows that, where a newer timeline left traces.
    pub signs: Vec<LifeSign>,
}

/// A PostgreSQL server, by its system identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemState {
    pub system: u64,
    pub is_living: bool,
    /// Whether they can be restored or not.
    pub backups: usize,
}

/// What a backup is good for; the label of `_base_backups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupKind {
    Usable,
    /// Finished, but it cannot be restored.
    Unusable,
    Failed,
    Running,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestSegment {
    pub name: SegmentName,
    pub uploaded_at: DateTime<Utc>,
}

/// Objects below `wals/` that are not Barman's, as the last complete listing showed them. They mean
/// nothing to a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    pub count: u64,
    /// The keys of the first few.
    pub examples: Shared<String>,
}

/// Sizes for cost and trends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub base_objects: u64,
    pub base_bytes: u64,
    pub wal_objects: u64,
    pub wal_bytes: u64,
    /// `server_version_num / 10000` of the newest backup.
    pub postgres_major: Option<u32>,
}

/// What the archive is held to, so that alerts need no numbers of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    pub retention: Option<TimeDelta>,
    pub schedule_interval: Option<TimeDelta>,
    pub next_backup_due_at: Option<DateTime<Utc>>,
    pub base_backup_age_max: Option<TimeDelta>,
    pub wal_age_max: Option<TimeDelta>,
    pub check_interval: Option<TimeDelta>,
    pub drills: DrillExpectation,
}

/// What to ask the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// The segments to open.
    pub segments: Vec<SegmentId>,
    /// What may have come since it was listed.
    pub sought: Vec<Sought>,
}

impl Latest {
    pub const fn is_reached(self) -> Option<bool> {
        match self {
            Self::Reached => Some(true),
            Self::NotReached => Some(false),
            Self::Unknown => None,
        }
    }
}

impl BackupKind {
    pub const ALL: [Self; 4] = [Self::Usable, Self::Unusable, Self::Failed, Self::Running];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Unusable => "unusable",
            Self::Failed => "failed",
            Self::Running => "running",
        }
    }
}

impl Assessment {
    /// When the newest segment was uploaded; `None` where the clock that says so is not believed.
    pub fn wal_uploaded_at(&self) -> Option<DateTime<Utc>> {
        let is_doubtful = |finding: &Finding| finding.code() == FindingCode::ClockUnreliable;
        let newest = self.newest_segment.filter(|_| !self.findings.iter().any(is_doubtful));
        newest.map(|newest| newest.uploaded_at)
    }

    /// Whether its verdict is unknown by nature: its backups lie where this program does not look, or
    /// the first one need not be there yet.
    pub fn is_unknown_by_nature(&self) -> bool {
        let says_so = |finding: &Finding| {
            matches!(
                finding.code(),
                FindingCode::BackupsElsewhere | FindingCode::FirstBackupAwaited
            )
        };
        self.unreadable.is_none() && self.findings.iter().any(says_so)
    }

    /// What to do about one of its findings. Of an orphan that is less: there is no server left that
    /// could archive anything again.
    pub fn hint(&self, finding: &Finding) -> String {
        let problem = &finding.problem;
        if self.orphan.is_some() {
            problem.hint_without_cluster(&self.archive)
        } else {
            problem.hint(&self.archive)
        }
    }

    /// The archive's address in words.
    pub fn place(&self) -> String {
        self.address.as_ref().map_or_else(|| "no archive".to_owned(), ToString::to_string)
    }
}

impl Totals {
    pub const fn bytes(&self) -> u64 {
        self.base_bytes.saturating_add(self.wal_bytes)
    }
}
