//! What Kubernetes says of the cluster.

use serde::Serialize;

use crate::assessment::cluster::ClusterState;
use crate::assessment::cluster::Silence;
use crate::domain::cluster::RestoreDrill;
use crate::publication::status_json::Time;

/// What Kubernetes says of the cluster.
#[derive(Debug, Serialize)]
pub(super) struct Kubernetes<'a> {
    created_at: Option<Time>,
    phase: Option<&'a str>,
    /// Why no new WAL is no sign of trouble.
    silence: Option<&'static str>,
    schedules: &'a [String],
    scheduled_backups: Option<ScheduledRuns>,
    restore_drills: Vec<RecordedDrill>,
}

#[derive(Debug, Serialize)]
struct ScheduledRuns {
    expected: u64,
    completed: u64,
    failed: u64,
    missed: u64,
}

#[derive(Debug, Serialize)]
struct RecordedDrill {
    kind: &'static str,
    time: Time,
    success: bool,
    duration_seconds: Option<i64>,
}

impl<'a> Kubernetes<'a> {
    pub(super) fn new(cluster: &'a ClusterState) -> Self {
        let drill = |drill: &RestoreDrill| RecordedDrill {
            kind: drill.kind.code(),
            time: Time(drill.at),
            success: drill.is_success,
            duration_seconds: drill.duration.map(|duration| duration.num_seconds()),
        };
        Self {
            created_at: cluster.created_at.map(Time),
            phase: cluster.phase.as_deref(),
            silence: cluster.silence.as_ref().map(Silence::code),
            schedules: &cluster.schedules,
            scheduled_backups: cluster.scheduled.map(|runs| ScheduledRuns {
                expected: runs.expected,
                completed: runs.completed,
                failed: runs.failed,
                missed: runs.missed,
            }),
            restore_drills: cluster.drills.iter().map(drill).collect(),
        }
    }
}
