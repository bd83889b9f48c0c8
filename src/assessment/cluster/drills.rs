//! Are restores rehearsed, and what did that show? Judged where something runs drills, or somebody
//! has begun to.

use std::sync::Arc;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;

use crate::assessment::cluster::ClusterCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::rehearsal::Failure;
use crate::assessment::finding::rehearsal::Rehearsal;
use crate::domain::cluster::DrillKind;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::DrillReport;
use crate::observation::cluster::ObservedCluster;

pub(super) fn judge(case: &ClusterCase<'_>) -> Vec<Finding> {
    let kinds = DrillKind::ALL.into_iter();
    kinds.flat_map(|kind| [concluded(case, kind), inconclusive(case, kind)]).flatten().collect()
}

/// What the last drill that says something of the archive says, or that there was none in time.
fn concluded(case: &ClusterCase<'_>, kind: DrillKind) -> Option<Finding> {
    let age_max = case.expected.drills.age_max(kind);
    let Some(drill) = last(case.cluster, kind) else { return never_run(case, kind) };
    if !drill.is_success {
        let report = source(reports(case.cluster), &drill);
        let weight = report.map_or(Weight::Risk, weight);
        let how = report.map(failure);
        return Some(Finding::new(weight, Rehearsal::Failed { kind, at: drill.at, how }));
    }
    let (age, last_at) = (case.age(drill.at), Some(drill.at));
    // Where drills that ran by themselves cannot be read, a later one may be among them.
    let is_judged = case.cluster.drill_reports.is_ok();
    let age_max = age_max.filter(|age_max| is_judged && *age_max < age)?;
    Some(Finding::new(Weight::Risk, Rehearsal::Overdue { kind, last_at, age, age_max }))
}

/// Where drills run, a cluster without any has missed them; but for one whose drills cannot be read.
fn never_run(case: &ClusterCase<'_>, kind: DrillKind) -> Option<Finding> {
    let expected = &case.expected.drills;
    let is_judged =
        expected.are_run && case.cluster.drill_reports.is_ok() && case.address.is_some();
    let age_max = expected.age_max(kind).filter(|_| is_judged)?;
    let age = case.age(exists_since(case)?);
    let overdue = Rehearsal::Overdue { kind, last_at: None, age, age_max };
    (age_max < age).then(|| Finding::new(Weight::Risk, overdue))
}

/// Retention deletes the first backups, so they only stand in where Kubernetes does not tell.
fn exists_since(case: &ClusterCase<'_>) -> Option<DateTime<Utc>> {
    let backups = case.backups.into_iter().flatten();
    case.cluster.created_at.or_else(|| backups.filter_map(|it| it.ended_at).min())
}

/// The newest drill, if it is one that says nothing of the archive.
fn inconclusive(case: &ClusterCase<'_>, kind: DrillKind) -> Option<Finding> {
    let last = last(case.cluster, kind);
    let report = obstructed(reports(case.cluster), kind, last.as_ref())?;
    let (at, how) = (report.ended_at, failure(report));
    Some(Finding::new(Weight::Risk, Rehearsal::Inconclusive { kind, at, how }))
}

/// The report of a drill; `None` if that was written down by hand.
pub(super) fn source<'a>(
    reports: &'a [Arc<DrillReport>],
    drill: &RestoreDrill,
) -> Option<&'a DrillReport> {
    reports.iter().map(Arc::as_ref).find(|it| it.outcome().as_ref() == Some(drill))
}

/// The newest report of a kind, if it says nothing of the archive and no later drill does.
pub(super) fn obstructed<'a>(
    reports: &'a [Arc<DrillReport>],
    kind: DrillKind,
    last: Option<&RestoreDrill>,
) -> Option<&'a DrillReport> {
    let newest = reports.iter().find(|it| it.kind == kind)?;
    let is_later = last.is_none_or(|it| it.at < newest.ended_at);
    (newest.outcome().is_none() && is_later).then_some(newest)
}

/// An archive that could not be restored as promised is urgent, whatever else is said of it.
fn weight(report: &DrillReport) -> Weight {
    match report.class.group() {
        DrillGroup::Success | DrillGroup::Archive => Weight::Urgent,
        DrillGroup::Settings | DrillGroup::Platform | DrillGroup::Cleanup => Weight::Risk,
    }
}

fn failure(report: &DrillReport) -> Failure {
    let is_elsewhere = report.matches_prediction() == Some(false);
    let ends = report.predicted.clone().zip(report.reached.clone()).filter(|_| is_elsewhere);
    Failure { class: report.class, detail: shortened(&report.detail), target: target(report), ends }
}

/// The rest stands in the result itself.
const DETAIL_CHARS_MAX: usize = 500;

fn shortened(detail: &str) -> String {
    let mut text: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
    if text.len() < detail.len() {
        text.push('…');
    }
    text
}

fn target(report: &DrillReport) -> String {
    let target = &report.target;
    let time = target.time.map(|it| it.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let state = time.or_else(|| target.lsn.map(|it| it.to_string()));
    let state = state.unwrap_or_else(|| "the newest state".to_owned());
    match &report.backup_id {
        Some(backup) => format!("{state}, from backup {backup}"),
        None => state,
    }
}

/// Newest first. What was known stays so while nothing can be read: a failure is not over for that.
pub(super) fn reports(cluster: &ObservedCluster) -> &[Arc<DrillReport>] {
    cluster.drill_reports.as_deref().unwrap_or(&cluster.known_drill_reports)
}

pub(super) fn last_of_each_kind(cluster: &ObservedCluster) -> Vec<RestoreDrill> {
    DrillKind::ALL.into_iter().filter_map(|kind| last(cluster, kind)).collect()
}

/// The last one that says something of the archive: by hand, or by itself.
fn last(cluster: &ObservedCluster, kind: DrillKind) -> Option<RestoreDrill> {
    let by_hand = cluster.drills.iter().copied();
    let by_itself = reports(cluster).iter().filter_map(|it| it.outcome());
    by_hand.chain(by_itself).filter(|drill| drill.kind == kind).max_by_key(|it| it.at)
}
