//! What Kubernetes shows of a `Cluster` that CloudNativePG recovers.

use chrono::DateTime;
use chrono::Utc;

/// One look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenRecovery {
    /// `None` once it is gone.
    pub cluster: Option<SeenCluster>,
    /// The Job that restores and replays; `None` until there is one.
    pub job: Option<SeenJob>,
    /// Those of the Job, oldest first.
    pub pods: Vec<SeenPod>,
    /// Of Events on anything of the cluster: reason and note.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenCluster {
    pub uid: String,
    /// CloudNativePG's word for what it does.
    pub phase: String,
    pub phase_reason: String,
    /// Since when its condition `Ready` is true.
    pub ready_at: Option<DateTime<Utc>>,
    pub is_leaving: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenJob {
    pub created_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it has failed for good.
    pub failure: Option<String>,
    /// The version of CloudNativePG that made it.
    pub operator: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPod {
    pub name: String,
    pub created_at: Option<DateTime<Utc>>,
    /// When the container that restores began.
    pub started_at: Option<DateTime<Utc>>,
    pub state: PodState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// With what holds it up, where that is told: `Unschedulable: 0/3 nodes are available`.
    Pending(Option<String>),
    Running,
    Succeeded,
    /// With what ended it: `OOMKilled`, `Evicted: the node was low on memory`, `exit code 1`.
    Failed(String),
}

/// How to reach the restored server.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
}

/// `phaseHealthy` of CloudNativePG (`api/v1/cluster_types.go`).
const HEALTHY: &str = "Cluster in healthy state";

/// `phaseUnrecoverable`: a failed Job becomes it from 1.28.4, 1.29.2 and 1.30.0 on only.
const UNRECOVERABLE: &str = "Cluster is unrecoverable and needs manual intervention";

impl SeenCluster {
    /// A Job that is over is no server that answers yet.
    pub fn is_healthy(&self) -> bool {
        self.phase == HEALTHY && self.ready_at.is_some() && !self.is_leaving
    }

    pub fn is_unrecoverable(&self) -> bool {
        self.phase == UNRECOVERABLE
    }
}

impl SeenRecovery {
    /// What ended each pod that failed, oldest first.
    pub fn failures(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.pods.iter().filter_map(|pod| match &pod.state {
            PodState::Failed(why) => Some(why.as_str()),
            PodState::Pending(_) | PodState::Running | PodState::Succeeded => None,
        })
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}
