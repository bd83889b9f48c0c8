//! Jobs that read base backups, and their pods.

use serde::Deserialize;

use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::Ignored;
use crate::sources::kubernetes::resources::specs::or_default;

#[derive(Clone, Debug)]
pub(crate) enum Job {}

impl Kind for Job {
    const GROUP: &'static str = "batch";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Job";
    const PLURAL: &'static str = "jobs";
    const KEPT: &'static [&'static str] = &["backup-verifier.monosense.dev/"];
    const KEEPS_UID: bool = true;
    type Spec = Ignored;
    type Status = JobStatus;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug)]
pub(crate) enum JobPod {}

impl Kind for JobPod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    const KEPT: &'static [&'static str] = &["batch.kubernetes.io/controller-uid"];
    type Spec = Ignored;
    type Status = JobPodStatus;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct JobStatus {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) conditions: Vec<JobCondition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobCondition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) last_transition_time: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobPodStatus {
    pub(crate) phase: Option<String>,
    pub(crate) reason: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerStatus {
    #[serde(default, deserialize_with = "or_default")]
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerState {
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
}

impl JobCondition {
    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }
}

impl JobPodStatus {
    /// The end of its one container.
    pub(crate) fn terminated(&self) -> Option<&Terminated> {
        self.container_statuses.iter().find_map(|it| it.state.terminated.as_ref())
    }
}
