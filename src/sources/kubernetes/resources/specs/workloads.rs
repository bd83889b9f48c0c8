//! What runs the plugin and the servers: a `Deployment` and a `Pod`.

use serde::Deserialize;

use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::or_default;

#[derive(Clone, Debug)]
pub(crate) enum Deployment {}

impl Kind for Deployment {
    const GROUP: &'static str = "apps";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Deployment";
    const PLURAL: &'static str = "deployments";
    const KEPT: &'static [&'static str] = &["app"];
    type Spec = DeploymentSpec;
    type Status = DeploymentStatus;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug)]
pub(crate) enum Pod {}

impl Kind for Pod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    const KEPT: &'static [&'static str] = &["cnpg.io/"];
    type Spec = PodSpec;
    type Status = PodStatus;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct DeploymentSpec {
    pub(crate) replicas: Option<i32>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) template: PodTemplate,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodTemplate {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) spec: PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentStatus {
    pub(crate) available_replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodSpec {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Container {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) image: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ports: Vec<ContainerPort>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerPort {
    pub(crate) name: Option<String>,
    pub(crate) container_port: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: Option<String>,
}
