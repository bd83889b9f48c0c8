//! Judged problems, each with its evidence. Nothing here decides; see the judges.

pub mod archive;
mod code;
pub mod duty;
pub mod elsewhere;
mod family;
mod fault;
pub mod orphaned;
mod problem;
pub mod rehearsal;
pub mod setup;
mod topic;
mod words;

use std::fmt;

use crate::assessment::GapEffect;
use crate::assessment::shared::Shared;
use crate::assessment::verdict::Verdict;

pub use crate::assessment::finding::code::FindingCode;
pub use crate::assessment::finding::fault::HistoryFault;
pub use crate::assessment::finding::fault::LifeSign;
pub use crate::assessment::finding::fault::SegmentFault;
pub use crate::assessment::finding::problem::Problem;
pub use crate::assessment::finding::topic::Topic;
pub use crate::assessment::finding::words::duration;

/// One judged problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub weight: Weight,
    pub problem: Problem,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// The newest state cannot be reached because of this.
    Fatal,
    /// What was committed since is about to be lost, or a restore fails or takes too long, though what
    /// was archived seems to be all there.
    Urgent,
    /// Something could not be read.
    Unknown,
    /// All would be lost, and never was safe: nobody need be woken.
    Unprotected,
    /// What there is may not be looked at, or its place is not understood.
    OutOfSight,
    /// What there is lies where this program does not look, by its nature.
    Elsewhere,
    /// There is nothing yet, and there need not be.
    Early,
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
    /// How soon to act, and the best verdict that is left.
    const fn meaning(self) -> (Severity, Verdict) {
        match self {
            Self::Fatal => (Severity::Critical, Verdict::Unrecoverable),
            Self::Urgent => (Severity::Critical, Verdict::AtRisk),
            Self::Unknown => (Severity::Critical, Verdict::Unknown),
            Self::Unprotected => (Severity::Warning, Verdict::Unrecoverable),
            Self::OutOfSight => (Severity::Warning, Verdict::Unknown),
            Self::Elsewhere | Self::Early => (Severity::Info, Verdict::Unknown),
            Self::Risk => (Severity::Warning, Verdict::AtRisk),
            Self::Notice => (Severity::Info, Verdict::Recoverable),
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
    pub fn new(weight: Weight, problem: impl Into<Problem>) -> Self {
        Self { weight, problem: problem.into() }
    }

    pub const fn severity(&self) -> Severity {
        self.weight.meaning().0
    }

    /// The best verdict that the problem leaves.
    pub const fn verdict(&self) -> Verdict {
        self.weight.meaning().1
    }

    pub fn code(&self) -> FindingCode {
        self.problem.identity().0
    }
}

/// What was found in the archive and what Kubernetes adds to it, the worst first.
pub(super) fn ranked(mut found: Vec<Finding>, mut told: Vec<Finding>) -> Shared<Finding> {
    told.retain(|new| found.iter().all(|known| known.problem != new.problem));
    found.append(&mut told);
    // Mostly in order, and large to move.
    found.sort_by_key(|finding| (finding.severity(), finding.code()));
    found.into()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.problem, f)
    }
}
