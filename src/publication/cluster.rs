//! What Kubernetes says of a cluster, in the words that page and report share.

use crate::assessment::cluster::ClusterState;
use crate::assessment::cluster::ScheduledBackups;
use crate::assessment::cluster::Silence;
use crate::assessment::finding::duration;
use crate::domain::cluster::RestoreDrill;
use crate::publication::wording::utc;

/// Why no new WAL is no sign of trouble.
pub(super) fn silence(silence: &Silence) -> String {
    match silence {
        Silence::Hibernated => {
            "hibernated: nothing is archived and nothing is backed up".to_owned()
        }
        Silence::Fenced => "its primary is fenced: nothing is archived".to_owned(),
        Silence::Replica => "a replica: it archives WAL only as fast as its source does".to_owned(),
        Silence::Busy(phase) => format!("busy: {phase}"),
        Silence::Idle => "idle: PostgreSQL has nothing to archive".to_owned(),
    }
}

/// What became of the backups that were due.
pub(super) fn scheduled(runs: ScheduledBackups) -> String {
    let ScheduledBackups { expected, completed, failed, missed } = runs;
    if expected == 0 {
        return "none has been due yet".to_owned();
    }
    let mut text = format!("{completed} of {expected} succeeded");
    for (count, word) in [(failed, "failed"), (missed, "missed")] {
        if 0 < count {
            text += &format!(", {count} {word}");
        }
    }
    text
}

/// The schedules as written; `None` if there are none.
pub(super) fn schedules(cluster: &ClusterState) -> Option<String> {
    (!cluster.schedules.is_empty()).then(|| cluster.schedules.join(", "))
}

pub(super) fn drill(drill: &RestoreDrill) -> String {
    let outcome = if drill.is_success { "succeeded" } else { "FAILED" };
    let took = drill.duration.map_or_else(String::new, |it| format!(" in {}", duration(it)));
    format!("{} at {}: {outcome}{took}", drill.kind.code(), utc(drill.at))
}
