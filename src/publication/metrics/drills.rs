//! Samples of restore drills, and of how long a recovery would take.

use chrono::TimeDelta;

use crate::domain::cluster::DrillKind;
use crate::domain::cluster::RestoreDrill;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillReport;
use crate::domain::drill::PhaseName;
use crate::publication::metrics::samples::Samples;
use crate::publication::view::ArchiveView;

/// The last drill of each kind that says something of the archive; nothing is said of a kind that nobody
/// recorded.
fn drills<'a>(archive: &ArchiveView<'a>) -> impl Iterator<Item = &'a RestoreDrill> {
    archive.assessment.cluster.iter().flat_map(|cluster| &cluster.drills)
}

/// The same, of those that ran by themselves.
fn reports<'a>(archive: &ArchiveView<'a>) -> impl Iterator<Item = &'a DrillReport> {
    let cluster = archive.assessment.cluster.iter();
    cluster.flat_map(|it| DrillKind::ALL.into_iter().filter_map(|kind| it.concluded(kind)))
}

pub(super) fn last(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    drills(archive).for_each(|drill| samples.each(drill.kind.code(), drill.at));
}

pub(super) fn success(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    drills(archive).for_each(|drill| samples.each(drill.kind.code(), drill.is_success));
}

pub(super) fn duration(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    for drill in drills(archive) {
        drill.duration.into_iter().for_each(|duration| samples.each(drill.kind.code(), duration));
    }
}

/// Of kinds that are expected: where something runs drills, or somebody has begun to.
pub(super) fn max_age(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let expected = &archive.assessment.promises.drills;
    let has_cluster = archive.assessment.cluster.is_some();
    for kind in DrillKind::ALL {
        let is_expected = expected.are_run && has_cluster;
        if is_expected || drills(archive).any(|drill| drill.kind == kind) {
            expected.age_max(kind).into_iter().for_each(|it| samples.each(kind.code(), it));
        }
    }
}

pub(super) fn phase(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    for report in reports(archive) {
        for phase in PhaseName::ALL {
            if let Some(seconds) = report.seconds(phase) {
                samples.labelled(&[report.kind.code(), phase.code()], milliseconds(seconds));
            }
        }
    }
}

/// As durations are written.
#[expect(clippy::cast_possible_truncation, reason = "a phase is bounded where it is read")]
fn milliseconds(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds * 1e3) as i64)
}

pub(super) fn matches_prediction(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    for report in reports(archive) {
        let matches = report.matches_prediction();
        matches.into_iter().for_each(|it| samples.each(report.kind.code(), it));
    }
}

pub(super) fn class(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let Some(cluster) = &archive.assessment.cluster else { return };
    for kind in DrillKind::ALL {
        let standing: Vec<DrillClass> = [cluster.concluded(kind), cluster.obstructed(kind)]
            .into_iter()
            .flatten()
            .map(|it| it.class)
            .collect();
        if standing.is_empty() {
            continue;
        }
        for class in DrillClass::ALL {
            samples.labelled(&[kind.code(), class.code()], standing.contains(class));
        }
    }
}

pub(super) fn estimate(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    if let Some(forecast) = archive.assessment.forecast {
        samples.each("lower", forecast.lower);
        samples.each("upper", forecast.upper);
    }
}

/// Where there is, or will be, something to hold against it.
pub(super) fn objective(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let assessment = archive.assessment;
    let expected = &assessment.promises.drills;
    let is_held = expected.are_run && assessment.cluster.is_some();
    samples.maybe(is_held.then_some(expected.recovery_time_objective));
}
