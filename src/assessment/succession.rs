//! How an assessment follows an earlier one of the same archive.

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;

impl Assessment {
    /// The same, in the memory of an earlier one where both say the same.
    #[must_use]
    pub fn settled(mut self, earlier: Option<&Self>) -> Self {
        self.windows.settle(earlier.map(|earlier| &earlier.windows));
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
            !matches!(finding.problem, Problem::StoreUnreachable(_) | Problem::StoreDenied(_))
                && !self.findings.contains(finding)
        };
        let mut findings = self.findings.clone();
        findings.extend(earlier.findings.iter().filter(is_kept).cloned());
        let mut kept = Self {
            verdict: self.verdict,
            checked_at: self.checked_at,
            unreadable: self.unreadable,
            findings,
            promises: self.promises,
            cluster: self.cluster,
            ..earlier.clone()
        };
        kept.sort();
        kept
    }
}
