//! How an assessment follows an earlier one of the same archive.

use std::sync::Arc;

use crate::assessment::Assessment;
use crate::assessment::Promises;
use crate::assessment::Subject;
use crate::assessment::archive;
use crate::assessment::finding;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::verdict::Verdict;
use crate::domain::orphan::Orphan;

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
            orphan: self.orphan,
            ..earlier.clone()
        }
    }

    /// What is still known of the archive now that its cluster is deleted. Nothing is expected of it any
    /// more, so what was found missing is no longer said.
    #[must_use]
    pub fn left_behind(&self, subject: &Subject, orphan: &Orphan) -> Self {
        let is_stored = |finding: &&Finding| match finding.problem {
            Problem::WalDefect(_) | Problem::BackupDefect(_) | Problem::StoreDefect(_) => true,
            Problem::BrokenPromise(_)
            | Problem::Setup(_)
            | Problem::Duty(_)
            | Problem::Rehearsal(_)
            | Problem::Elsewhere(_)
            | Problem::Orphaned(_) => false,
        };
        let stored = self.findings.iter().filter(is_stored).cloned().collect();
        let findings = finding::ranked(stored, vec![archive::orphaned(subject, orphan)]);
        let is_read = self.unreadable.is_none();
        Self {
            archive: subject.archive.clone(),
            verdict: if is_read { archive::verdict(self.latest, &findings) } else { self.verdict },
            findings,
            promises: Promises {
                check_interval: self.promises.check_interval,
                ..Promises::default()
            },
            cluster: None,
            forecast: None,
            orphan: Some(orphan.clone()),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::finding::FindingCode;
    use crate::assessment::finding::Weight;
    use crate::assessment::finding::duty::Duty;
    use crate::domain::archive_id::ArchiveId;
    use crate::publication::samples;

    fn left(before: &Assessment) -> Assessment {
        let archive = ArchiveId { cluster: String::new(), ..before.archive.clone() };
        before
            .left_behind(&Subject { archive, address: before.address.clone() }, &Orphan::default())
    }

    fn codes(assessment: &Assessment) -> Vec<FindingCode> {
        assessment.findings.iter().map(Finding::code).collect()
    }

    #[test]
    fn what_a_deleted_cluster_owed_is_forgotten_and_what_is_stored_is_not() {
        let mut before = Assessment::clone(&samples::only(samples::AT_RISK).archives[0].assessment);
        let overdue = Duty::FirstBackupAwaited { until: before.checked_at };
        before.findings.push(Finding::new(Weight::Unknown, overdue));
        let after = left(&before);
        let expected =
            [FindingCode::WalGap, FindingCode::BackupFailed, FindingCode::ArchiveOrphaned];
        assert_eq!(codes(&after), expected);
        assert_eq!((after.verdict, after.windows.len()), (Verdict::AtRisk, before.windows.len()));
        assert_eq!((after.cluster, after.promises.retention), (None, None));
    }

    #[test]
    fn an_archive_that_could_not_be_read_is_no_better_known_without_its_cluster() {
        let before = &samples::only(samples::UNREAD_SINCE).archives[0].assessment;
        let after = left(before);
        assert_eq!((after.verdict, after.unreadable), (Verdict::Unknown, before.unreadable));
        assert_eq!(codes(&after), [FindingCode::StoreDenied, FindingCode::ArchiveOrphaned]);
    }
}
