//! Restore drills as scripts read them.

use serde::Serialize;

use crate::assessment::Assessment;
use crate::domain::drill::CheckResult;
use crate::domain::drill::DrillPhase;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillWay;
use crate::domain::drill::RecoveryEnd;
use crate::publication::wording::rfc3339;

/// One that ran by itself.
#[derive(Debug, Serialize)]
pub(super) struct Drill<'a> {
    kind: &'static str,
    way: &'static str,
    began_at: String,
    ended_at: String,
    class: &'static str,
    detail: &'a str,
    backup_id: Option<&'a str>,
    target_time: Option<String>,
    target_lsn: Option<String>,
    target_timeline: Option<u32>,
    seed: Option<u64>,
    phases: Vec<Phase>,
    base_bytes: u64,
    wal_bytes: u64,
    wal_segments: u64,
    predicted: Option<End>,
    reached: Option<End>,
    matches_prediction: Option<bool>,
    checks: Vec<Check<'a>>,
}

#[derive(Debug, Serialize)]
struct Phase {
    name: &'static str,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct End {
    timeline: u32,
    lsn: String,
    last_transaction_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Check<'a> {
    name: &'a str,
    passed: bool,
    detail: &'a str,
}

/// How long a recovery would take, and how long it may.
#[derive(Debug, Serialize)]
pub(super) struct RecoveryTime {
    lower_seconds: i64,
    upper_seconds: i64,
    objective_seconds: i64,
    drills: u32,
    base_bytes: u64,
    wal_bytes: u64,
}

/// Newest first.
pub(super) fn drills(assessment: &Assessment) -> Vec<Drill<'_>> {
    let cluster = assessment.cluster.iter();
    cluster.flat_map(|it| &it.drill_reports).map(|it| Drill::new(it)).collect()
}

impl RecoveryTime {
    pub(super) fn new(assessment: &Assessment) -> Option<Self> {
        let forecast = assessment.forecast?;
        Some(Self {
            lower_seconds: forecast.lower.num_seconds(),
            upper_seconds: forecast.upper.num_seconds(),
            objective_seconds: assessment.promises.drills.recovery_time_objective.num_seconds(),
            drills: forecast.drills,
            base_bytes: forecast.base_bytes,
            wal_bytes: forecast.wal_bytes,
        })
    }
}

impl<'a> Drill<'a> {
    fn new(report: &'a DrillReport) -> Self {
        let phase = |it: &DrillPhase| Phase { name: it.name.code(), seconds: it.seconds };
        let check = |it: &'a CheckResult| Check {
            name: &it.name,
            passed: it.is_passed,
            detail: &it.detail,
        };
        Self {
            kind: report.kind.code(),
            way: match report.way {
                DrillWay::Local => "local",
                DrillWay::Operator => "operator",
            },
            began_at: rfc3339(report.began_at),
            ended_at: rfc3339(report.ended_at),
            class: report.class.code(),
            detail: &report.detail,
            backup_id: report.backup_id.as_deref(),
            target_time: report.target.time.map(rfc3339),
            target_lsn: report.target.lsn.map(|lsn| lsn.to_string()),
            target_timeline: report.target.timeline,
            seed: report.target.seed,
            phases: report.phases.iter().map(phase).collect(),
            base_bytes: report.volume.base_bytes,
            wal_bytes: report.volume.wal_bytes,
            wal_segments: report.volume.wal_segments,
            predicted: report.predicted.as_ref().map(End::new),
            reached: report.reached.as_ref().map(End::new),
            matches_prediction: report.matches_prediction(),
            checks: report.checks.iter().map(check).collect(),
        }
    }
}

impl End {
    fn new(end: &RecoveryEnd) -> Self {
        Self {
            timeline: end.timeline,
            lsn: end.lsn.to_string(),
            last_transaction_at: end.last_transaction_at.map(rfc3339),
        }
    }
}
