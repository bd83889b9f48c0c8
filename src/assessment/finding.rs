//! Judged problems, each with its evidence. Nothing here decides; see the judges.

mod code;
pub mod duty;
mod evidence;
mod hint;
mod sentence;
pub mod setup;
mod words;

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::finding::duty::Duty;
use crate::assessment::finding::setup::Setup;
use crate::assessment::verdict::Verdict;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::observation::probe::SegmentDamage;

pub use crate::assessment::finding::code::FindingCode;
pub use crate::assessment::finding::words::duration;

/// One judged problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub weight: Weight,
    pub problem: Problem,
}

/// How bad a problem is: how soon to act, and the best verdict that it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// The newest state cannot be reached because of this.
    Fatal,
    /// What was committed since is about to be lost, though what was archived can be restored.
    Urgent,
    /// Something could not be read.
    Unknown,
    /// All would be lost, and never was safe: nobody need be woken.
    Unprotected,
    /// What there is lies where this program does not look.
    OutOfSight,
    /// Something is wrong that leaves the newest state reachable.
    Risk,
    /// Worth knowing, and nothing that was promised is broken.
    Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Act now.
    Critical,
    /// Act, but not at night.
    Warning,
    /// Good to know.
    Info,
}

/// What is wrong, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    WalGap {
        gap: Gap,
        /// Backups that can be restored up to the gap only.
        stranded: Vec<BackupId>,
        /// The parent timeline still has a segment of that number: recovery would replay
        /// transactions that the new timeline never had.
        parent_has_segment: bool,
    },
    WalDamaged {
        segment: SegmentName,
        damage: SegmentDamage,
    },
    HistoryMissing {
        timeline: TimelineId,
        stranded: Vec<BackupId>,
    },
    HistoryDamaged {
        timeline: TimelineId,
        why: String,
    },
    PartialShadowsSegment {
        segment: SegmentName,
    },
    SegmentTwice {
        first: SegmentName,
        count: u64,
    },
    NoUsableBackup {
        backups: usize,
    },
    BackupFailed {
        backup: BackupId,
        error: Option<String>,
        /// A later backup succeeded.
        is_superseded: bool,
    },
    BackupIncomplete {
        backup: BackupId,
        missing: Missing,
    },
    BackupInfoUnreadable {
        backup: BackupId,
        why: String,
    },
    BackupStuck {
        backup: BackupId,
        since: DateTime<Utc>,
        is_superseded: bool,
    },
    BackupOverdue {
        newest: BackupId,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    BackupNeverRan {
        waited: TimeDelta,
        age_max: TimeDelta,
    },
    WalStale {
        newest: SegmentName,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    WindowShort {
        reaches_back: TimeDelta,
        retention: TimeDelta,
    },
    RetentionNotEnforced {
        obsolete: Vec<BackupId>,
        retention: TimeDelta,
    },
    ForeignSystem {
        expected: u64,
        found: u64,
        /// The backup or segment that carries the other identifier.
        carrier: String,
    },
    ArchiveEmpty {
        address: String,
    },
    StoreUnreachable(Unreadable),
    StoreDenied(Unreadable),
    Setup(Setup),
    Duty(Duty),
}

/// What a backup lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Names below the backup's folder, with what is wrong where they are there but useless.
    Objects(Vec<String>),
    Wal {
        first: SegmentName,
        last: SegmentName,
        count: u64,
    },
}

impl Severity {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl Weight {
    pub const fn severity(self) -> Severity {
        match self {
            Self::Fatal | Self::Urgent | Self::Unknown => Severity::Critical,
            Self::Unprotected | Self::OutOfSight | Self::Risk => Severity::Warning,
            Self::Notice => Severity::Info,
        }
    }

    const fn verdict(self) -> Verdict {
        match self {
            Self::Fatal | Self::Unprotected => Verdict::Unrecoverable,
            Self::Unknown | Self::OutOfSight => Verdict::Unknown,
            Self::Urgent | Self::Risk => Verdict::AtRisk,
            Self::Notice => Verdict::Recoverable,
        }
    }
}

impl From<GapEffect> for Weight {
    fn from(effect: GapEffect) -> Self {
        match effect {
            GapEffect::StopsRecovery => Self::Fatal,
            GapEffect::Hole | GapEffect::Harmless => Self::Risk,
        }
    }
}

impl Finding {
    pub const fn new(weight: Weight, problem: Problem) -> Self {
        Self { weight, problem }
    }

    pub const fn severity(&self) -> Severity {
        self.weight.severity()
    }

    /// The best verdict that the problem leaves.
    pub const fn verdict(&self) -> Verdict {
        self.weight.verdict()
    }

    /// Where it stands among others: the worst first.
    pub(super) const fn rank(&self) -> (Severity, FindingCode) {
        (self.severity(), self.code())
    }

    pub const fn code(&self) -> FindingCode {
        self.problem.code()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.problem, f)
    }
}
