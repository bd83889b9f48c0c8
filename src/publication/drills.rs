//! Restore drills and what follows from them, in the words that page and report share.

use chrono::TimeDelta;

use crate::assessment::Assessment;
use crate::assessment::finding::duration;
use crate::assessment::forecast::Forecast;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::DrillReport;
use crate::domain::drill::PhaseName;
use crate::publication::wording::bytes;
use crate::publication::wording::count;
use crate::publication::wording::utc;

/// What was restored.
pub(super) fn target(report: &DrillReport) -> String {
    let time = report.target.time.map(utc);
    let state = time.or_else(|| report.target.lsn.map(|lsn| format!("position {lsn}")));
    state.unwrap_or_else(|| "the newest state".to_owned())
}

/// How it ended, in one or two words, and the class where that says more.
pub(super) fn ending(report: &DrillReport) -> String {
    let class = report.class.code();
    match (report.class.group(), report.matches_prediction()) {
        (DrillGroup::Success, Some(false)) => "FAILED: ended elsewhere".to_owned(),
        (DrillGroup::Success, Some(true) | None) => "succeeded".to_owned(),
        (DrillGroup::Archive | DrillGroup::Settings, _) => format!("FAILED: {class}"),
        (DrillGroup::Platform, _) => format!("inconclusive: {class}"),
        (DrillGroup::Cleanup, _) => "left something behind".to_owned(),
    }
}

/// Until the server took connections; `None` where no phase was seen.
pub(super) fn recovery_time(report: &DrillReport) -> Option<TimeDelta> {
    let phases = report.phases.iter().filter(|it| it.name != PhaseName::Check);
    let milliseconds: i64 = phases.clone().map(|it| milliseconds(it.seconds)).sum();
    (0 < phases.count()).then(|| TimeDelta::milliseconds(milliseconds))
}

#[expect(clippy::cast_possible_truncation, reason = "a phase is bounded where it is read")]
pub(super) fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3) as i64
}

/// What was held against what; `None` of a drill that did not get so far.
pub(super) fn compared(report: &DrillReport) -> Option<String> {
    if report.reached.is_none() && report.checks.is_empty() {
        return None;
    }
    let end = match report.matches_prediction() {
        Some(true) => "recovery ended where it was predicted to",
        Some(false) => "recovery ended elsewhere than predicted",
        None => "where recovery ended was not compared",
    };
    let passed = report.checks.iter().filter(|check| check.is_passed).count();
    Some(match report.checks.len() {
        0 => end.to_owned(),
        all => format!("{end}, {passed} of {} passed", count(all, "check")),
    })
}

/// The last drill that succeeded, with its report if it ran by itself.
pub(super) fn restored(assessment: &Assessment) -> Option<(&RestoreDrill, Option<&DrillReport>)> {
    let cluster = assessment.cluster.as_ref()?;
    let successes = cluster.drills.iter().filter(|drill| drill.is_success);
    let last = successes.max_by_key(|drill| drill.at)?;
    let report = cluster.concluded(last.kind);
    Some((last, report))
}

/// How long a recovery would take, and what it would read.
pub(super) fn forecast(forecast: &Forecast) -> String {
    let Forecast { lower, upper, drills, base_bytes, wal_bytes } = *forecast;
    format!(
        "{} to {}, by {}: {} of base backup, at most {} of WAL",
        duration(lower),
        duration(upper),
        count(usize::try_from(drills).unwrap_or(usize::MAX), "drill"),
        bytes(base_bytes),
        bytes(wal_bytes)
    )
}
