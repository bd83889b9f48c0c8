//! Logs what a check found: in full where the verdict changed, else shortly.

use std::time::Duration;

use crate::assessment::Assessment;
use crate::assessment::verdict::Verdict;

pub(super) fn log_check(before: Option<Verdict>, assessment: &Assessment, duration: Duration) {
    let verdict = assessment.verdict.code();
    let archive = &assessment.archive;
    let (cnpg_namespace, cnpg_cluster) = (&archive.namespace, &archive.cluster);
    let server_name = &archive.server_name;
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if before != Some(assessment.verdict) {
        tracing::info!(
            cnpg_namespace,
            cnpg_cluster,
            server_name,
            verdict,
            duration_ms,
            "archive {archive} is {verdict}"
        );
        for finding in &assessment.findings {
            let code = finding.code().as_str();
            tracing::info!(cnpg_namespace, cnpg_cluster, server_name, code, "{finding}");
        }
    } else if assessment.unreadable.is_some() {
        tracing::warn!(
            cnpg_namespace,
            cnpg_cluster,
            server_name,
            duration_ms,
            "archive {archive} could not be read again"
        );
    } else {
        tracing::debug!(
            cnpg_namespace,
            cnpg_cluster,
            server_name,
            verdict,
            duration_ms,
            "archive {archive} was checked"
        );
    }
}
