//! What the verdict rests on, and what was found.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::publication::drills::restored;
use crate::publication::runbook;
use crate::publication::status_json::Time;

/// What the verdict rests on.
#[derive(Debug, Serialize)]
pub(super) struct Rungs {
    listed: Option<Time>,
    read: Option<Time>,
    restored: Option<Time>,
    read_until: Option<Time>,
    unread_since: Option<Time>,
    segments: u64,
    segments_read: u64,
    backups: u64,
    backups_read: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct JudgedProblem {
    code: &'static str,
    severity: &'static str,
    message: String,
    hint: String,
    runbook_url: String,
    evidence: BTreeMap<&'static str, String>,
}

impl Rungs {
    pub(super) fn new(assessment: &Assessment) -> Self {
        let proof = assessment.proof;
        let read_at = proof.backups_read_at.max(proof.segments_read_at);
        let read_at = read_at.or(assessment.observed_at).filter(|_| proof.is_any());
        Self {
            listed: assessment.observed_at.map(Time),
            read: read_at.map(Time),
            restored: restored(assessment).map(|(drill, _)| Time(drill.at)),
            read_until: proof.read_until.map(Time),
            unread_since: proof.unread_since.map(Time),
            segments: proof.segments,
            segments_read: proof.segments_read,
            backups: proof.backups,
            backups_read: proof.backups_read,
        }
    }
}

impl JudgedProblem {
    pub(super) fn new(finding: &Finding, assessment: &Assessment) -> Self {
        Self {
            code: finding.code().as_str(),
            severity: finding.severity().code(),
            message: finding.to_string(),
            hint: assessment.hint(finding),
            runbook_url: runbook::url(finding.code()),
            evidence: finding.problem.evidence().into_iter().collect(),
        }
    }
}
