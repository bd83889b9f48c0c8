//! Are restores rehearsed? Judged only where somebody has begun to.

use chrono::TimeDelta;

use crate::assessment::cluster::ClusterCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::duty::Duty;
use crate::domain::cluster::DrillKind;
use crate::domain::cluster::RestoreDrill;

pub const fn age_max(kind: DrillKind) -> TimeDelta {
    match kind {
        DrillKind::Pitr => TimeDelta::days(45),
        DrillKind::Full => TimeDelta::days(120),
    }
}

pub(super) fn judge(case: &ClusterCase<'_>) -> Vec<Finding> {
    let judged = last_of_each_kind(&case.cluster.drills).into_iter().filter_map(|drill| {
        let (kind, age, age_max) = (drill.kind, case.age(drill.at), age_max(drill.kind));
        if !drill.is_success {
            Some(Duty::DrillFailed { kind, at: drill.at })
        } else if age_max < age {
            Some(Duty::DrillOverdue { kind, last_at: drill.at, age, age_max })
        } else {
            None
        }
    });
    judged.map(|duty| Finding::new(Weight::Risk, duty)).collect()
}

pub(super) fn last_of_each_kind(drills: &[RestoreDrill]) -> Vec<RestoreDrill> {
    let last = |kind| drills.iter().filter(|drill| drill.kind == kind).max_by_key(|it| it.at);
    DrillKind::ALL.into_iter().filter_map(last).copied().collect()
}
