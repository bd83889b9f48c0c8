//! How long a recovery to now would take, by the drills that were run.
//!
//! Only drills through the operator count: what a restore takes elsewhere, on other disks and without
//! pods to start, says nothing of it.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::rehearsal::Rehearsal;
use crate::assessment::plan::RestorePlan;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillWay;
use crate::domain::drill::PhaseName;
use crate::domain::recovery_target::Target;

/// The time of a recovery lies in between, as far as drills can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub lower: TimeDelta,
    pub upper: TimeDelta,
    /// How many drills it rests on.
    pub drills: u32,
    /// What would be read, as stored.
    pub base_bytes: u64,
    pub wal_bytes: u64,
}

/// What one drill took: time that does not depend on the size, and time for each byte.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    fixed: f64,
    /// Seconds for a byte.
    base: f64,
    wal: f64,
}

impl Forecast {
    /// `None` before the first drill through the operator got to its end, and where the newest state
    /// cannot be restored.
    pub(super) fn of(assessment: &Assessment) -> Option<Self> {
        let reports = &assessment.cluster.as_ref()?.drill_reports;
        let RestorePlan::Reachable(restore) = RestorePlan::new(assessment, Target::Latest) else {
            return None;
        };
        Self::by(reports, restore.base_bytes, restore.wal_bytes_max)
    }

    /// The slowest and the fastest of each rate that was seen, and beyond both a margin that shrinks
    /// with the number of drills: of one drill a half to the double.
    fn by(reports: &[Arc<DrillReport>], base_bytes: u64, wal_bytes: u64) -> Option<Self> {
        let paces: Vec<Pace> = reports.iter().filter_map(|it| Pace::of(it)).collect();
        let drills = u32::try_from(paces.len()).ok().filter(|it| 0 < *it)?;
        let extremes = |part: fn(&Pace) -> f64| {
            let all = paces.iter().map(part);
            (all.clone().fold(f64::INFINITY, f64::min), all.fold(0.0, f64::max))
        };
        let (fixed, base, wal) =
            (extremes(|it| it.fixed), extremes(|it| it.base), extremes(|it| it.wal));
        let seconds = |fixed: f64, base: f64, wal: f64| {
            wal.mul_add(to_f64(wal_bytes), base.mul_add(to_f64(base_bytes), fixed))
        };
        let margin = 1.0 + 1.0 / f64::from(drills);
        let lower = delta(seconds(fixed.0, base.0, wal.0) / margin)?;
        let upper = delta(seconds(fixed.1, base.1, wal.1) * margin)?;
        Some(Self { lower, upper, drills, base_bytes, wal_bytes })
    }

    /// Held against how long a recovery may take.
    pub(super) fn judge(&self, objective: TimeDelta) -> Option<Finding> {
        let Self { lower, upper, .. } = *self;
        let weight = if objective < lower { Weight::Urgent } else { Weight::Risk };
        let too_slow = Rehearsal::TooSlow { lower, upper, objective };
        (objective < upper).then(|| Finding::new(weight, too_slow))
    }
}

impl Pace {
    /// Of a drill that got to its end. Where nobody saw when the base backup lay on disk, both parts are
    /// taken to have been read at one rate.
    fn of(report: &DrillReport) -> Option<Self> {
        let seconds = |phase| report.seconds(phase);
        let (start, promote) = (seconds(PhaseName::Start), seconds(PhaseName::Promote)?);
        let (base_bytes, wal_bytes) = (report.volume.base_bytes, report.volume.wal_bytes);
        if report.way != DrillWay::Operator || base_bytes == 0 {
            return None;
        }
        let fixed = start.unwrap_or(0.0) + promote;
        let rate = |seconds: f64, bytes: u64| seconds / to_f64(bytes);
        Some(match (seconds(PhaseName::Base), seconds(PhaseName::Replay)) {
            (Some(base), Some(replay)) if 0 < wal_bytes => {
                Self { fixed, base: rate(base, base_bytes), wal: rate(replay, wal_bytes) }
            }
            (Some(base), Some(replay)) => {
                let base = rate(base, base_bytes);
                Self { fixed: fixed + replay, base, wal: base }
            }
            (Some(both), None) | (None, Some(both)) => {
                let both = rate(both, base_bytes.saturating_add(wal_bytes));
                Self { fixed, base: both, wal: both }
            }
            (None, None) => return None,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a forecast has no use for the last bytes")]
const fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// In whole seconds; `None` for more than people can wait.
#[expect(clippy::cast_possible_truncation, reason = "it is below ten years")]
fn delta(seconds: f64) -> Option<TimeDelta> {
    const TEN_YEARS: f64 = 3.2e8;
    (seconds < TEN_YEARS).then(|| TimeDelta::seconds(seconds.ceil() as i64))
}

#[cfg(test)]
mod tests;
