//! How an assessment follows an earlier one of the same archive.

use std::sync::Arc;

use crate::assessment::Assessment;
use crate::assessment::finding;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::verdict::Verdict;

/// What earlier looks at an archive left.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub latest: Option<Arc<Assessment>>,
    /// The verdict of the last reading that missed nothing.
    whole_verdict: Option<Verdict>,
}

impl Known {
    /// What a new look amounts to. What could be read before stays while it cannot be read again,
    /// and a bad verdict is not cleared by what could not be read.
    pub fn followed_by(&self, assessment: Assessment) -> Assessment {
        let latest = self.latest.as_deref();
        let is_whole = assessment.is_whole();
        let mut next = match latest {
            Some(latest) if !is_whole => assessment.succeeding(latest),
            Some(_) | None => assessment,
        };
        if !is_whole && self.whole_verdict.is_some_and(|whole| next.verdict < whole) {
            next.verdict = Verdict::Unknown;
        }
        next.settled(latest)
    }

    pub fn keep(&mut self, assessment: &Arc<Assessment>) {
        if assessment.is_whole() {
            self.whole_verdict = Some(assessment.verdict);
        }
        self.latest = Some(Arc::clone(assessment));
    }
}

impl Assessment {
    /// Whether the look that this tells of missed nothing.
    pub fn is_whole(&self) -> bool {
        self.observed_at == Some(self.checked_at)
    }

    /// The same, in the memory of an earlier one where both say the same.
    #[must_use]
    fn settled(mut self, earlier: Option<&Self>) -> Self {
        self.windows.settle(earlier.map(|earlier| &earlier.windows));
        self.timelines.settle(earlier.map(|earlier| &earlier.timelines));
        self.systems.settle(earlier.map(|earlier| &earlier.systems));
        self.gaps.settle(earlier.map(|earlier| &earlier.gaps));
        self.backups.settle(earlier.map(|earlier| &earlier.backups));
        self.findings.settle(earlier.map(|earlier| &earlier.findings));
        self.strays.examples.settle(earlier.map(|earlier| &earlier.strays.examples));
        self
    }

    /// This attempt, which could not read everything, after an earlier one: what was read before
    /// and not now stays as it was, and that it could not be read again is said.
    pub fn succeeding(self, earlier: &Self) -> Self {
        if self.newest_segment.is_some() || !self.windows.is_empty() {
            // The lists were read; only the time of the last whole reading is older.
            return Self { observed_at: earlier.observed_at, ..self };
        }
        let is_kept = |finding: &&Finding| {
            !matches!(
                finding.problem,
                Problem::StoreDefect(StoreDefect::Unreachable(_) | StoreDefect::Denied(_))
            ) && !self.findings.contains(finding)
        };
        let mut findings: Vec<Finding> = self.findings.to_vec();
        findings.extend(earlier.findings.iter().filter(is_kept).cloned());
        Self {
            verdict: self.verdict,
            checked_at: self.checked_at,
            unreadable: self.unreadable,
            findings: finding::ranked(findings, Vec::new()),
            promises: self.promises,
            cluster: self.cluster,
            ..earlier.clone()
        }
    }
}
