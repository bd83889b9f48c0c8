//! Logs what a check found: in full where the verdict changed, else what is new, else shortly.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Severity;

pub(super) fn log_check(before: Option<&Assessment>, assessment: &Assessment, duration: Duration) {
    let verdict = assessment.verdict.code();
    let archive = &assessment.archive;
    let (cnpg_namespace, cnpg_cluster) = (&archive.namespace, &archive.cluster);
    let server_name = &archive.server_name;
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let new = new_problems(before, assessment);
    for finding in &new {
        let code = finding.code().as_str();
        tracing::warn!(cnpg_namespace, cnpg_cluster, server_name, code, "{finding}");
    }
    if before.is_none_or(|before| before.verdict != assessment.verdict) {
        tracing::info!(
            cnpg_namespace,
            cnpg_cluster,
            server_name,
            verdict,
            duration_ms,
            "archive {archive} is {verdict}"
        );
        for finding in assessment.findings.iter().filter(|it| !new.contains(it)) {
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

/// What someone should look at and was not found before.
fn new_problems<'a>(before: Option<&Assessment>, assessment: &'a Assessment) -> Vec<&'a Finding> {
    let before = before.map_or(&[][..], |before| before.findings.as_slice());
    let known: BTreeSet<_> = before.iter().map(|finding| finding.problem.identity()).collect();
    let is_new = |finding: &&Finding| {
        matches!(finding.severity(), Severity::Critical | Severity::Warning)
            && !known.contains(&finding.problem.identity())
    };
    assessment.findings.iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::assessment::finding::Weight;
    use crate::assessment::finding::archive::backup::BackupDefect;
    use crate::assessment::finding::archive::promise::BrokenPromise;
    use crate::domain::backup::BackupId;
    use crate::publication::samples;

    use super::*;

    fn overdue(id: &str, hours: i64) -> Finding {
        Finding::new(
            Weight::Risk,
            BrokenPromise::BackupOverdue {
                newest: BackupId::parse(id).unwrap(),
                age: TimeDelta::hours(hours),
                age_max: TimeDelta::hours(25),
            },
        )
    }

    fn found(findings: Vec<Finding>) -> Assessment {
        let mut assessment = Assessment::clone(&samples::fleet(1).archives[0].assessment);
        *assessment.findings = findings;
        assessment
    }

    #[test]
    fn a_problem_is_new_once_however_its_age_changes() {
        let never = Finding::new(
            Weight::Risk,
            BrokenPromise::BackupNeverRan {
                waited: TimeDelta::hours(30),
                age_max: TimeDelta::hours(25),
            },
        );
        let notice = Finding::new(Weight::Notice, BackupDefect::NoneUsable { backups: 0 });
        let first = found(vec![overdue("20260110T000000", 26), never.clone(), notice]);
        assert_eq!(new_problems(None, &first), [&overdue("20260110T000000", 26), &never]);
        let later = found(vec![overdue("20260110T000000", 27), never]);
        assert_eq!(new_problems(Some(&first), &later), Vec::<&Finding>::new());
        let other = found(vec![overdue("20260111T000000", 26)]);
        assert_eq!(new_problems(Some(&later), &other).len(), 1);
    }
}
