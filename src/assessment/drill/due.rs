//! Which drill of an archive should be run next.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::cluster::ClusterState;
use crate::assessment::drill::DrawnTarget;
use crate::assessment::drill::draw;
use crate::assessment::drill::mixed;
use crate::domain::cluster::DrillKind;
use crate::domain::moment::after;

/// A drill that is due, with what it restores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDrill {
    pub drawn: DrawnTarget,
    pub due_at: DateTime<Utc>,
    /// When one of the kind was run last that said something of the archive.
    pub last_at: Option<DateTime<Utc>>,
}

/// One that failed, or that something got in the way of, is tried again this much later, so that it does
/// not keep all others waiting.
const RETRY: TimeDelta = TimeDelta::days(1);

/// JavaScript counts to here exactly.
const SEED_BITS: u32 = 53;

/// The one that has been due for longest; `None` where nothing runs drills, none is due, nothing is
/// promised that could be restored, or it could not be read which drills there were.
pub fn due(assessment: &Assessment, now: DateTime<Utc>) -> Option<DueDrill> {
    let expected = &assessment.promises.drills;
    let cluster = assessment.cluster.as_ref();
    let cluster = cluster.filter(|it| expected.are_run && it.are_drills_read)?;
    let of_kind = |kind: DrillKind| -> Option<DueDrill> {
        let every = expected.every(kind)?;
        let last = cluster.drills.iter().find(|it| it.kind == kind);
        let success = last.filter(|it| it.is_success);
        let since = success
            .map_or_else(|| began_at(assessment, cluster), |it| Some(after(it.at, every)))?;
        let tried = tried_at(cluster, kind).map(|it| after(it, RETRY.min(every)));
        let due_at = tried.map_or(since, |it| it.max(since));
        if now < due_at {
            return None;
        }
        let drawn = draw(assessment, kind, seed(cluster, kind)).ok()?;
        Some(DueDrill { drawn, due_at, last_at: last.map(|it| it.at) })
    };
    DrillKind::ALL.into_iter().filter_map(of_kind).min_by_key(|it| it.due_at)
}

/// From here on there was something to restore.
fn began_at(assessment: &Assessment, cluster: &ClusterState) -> Option<DateTime<Utc>> {
    let backups = assessment.backups.iter().filter_map(|it| it.ended_at);
    cluster.created_at.or_else(|| backups.min())
}

fn tried_at(cluster: &ClusterState, kind: DrillKind) -> Option<DateTime<Utc>> {
    let by_themselves = cluster.drill_reports.iter().filter(|it| it.kind == kind);
    let by_hand = cluster.drills.iter().filter(|it| it.kind == kind).map(|it| it.at);
    by_themselves.map(|it| it.ended_at).chain(by_hand).max()
}

/// The same until a drill of the kind was tried, so that whoever asks twice is told the same.
fn seed(cluster: &ClusterState, kind: DrillKind) -> u64 {
    let tried_at = tried_at(cluster, kind).map_or(0, |it| it.timestamp_micros());
    let text = format!("{} {} {tried_at}", cluster.uid, kind.code());
    let seed = text.bytes().fold(0, |seed, byte| mixed(seed ^ u64::from(byte)));
    seed >> (u64::BITS - SEED_BITS)
}
