//! From objects to what is seen in them.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::api::core::v1::ContainerStatus;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::PodStatus;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::domain::drill_id::DrillId;
use crate::domain::drill_id::ID_LABEL;
use crate::domain::drill_source::DrillStore;
use crate::observation::recovery::Login;
use crate::observation::recovery::PodState;
use crate::observation::recovery::SeenCluster;
use crate::observation::recovery::SeenJob;
use crate::observation::recovery::SeenPod;
use crate::observation::recovery::SeenRecovery;
use crate::sources::kubernetes::drills::OwnCluster;
use crate::sources::kubernetes::drills::text;

/// On the Job that restores, and on its pods, with the name of its container
/// (`CreatePrimaryJobViaRecovery` in `pkg/specs/jobs.go`).
const ROLE_LABEL: &str = "cnpg.io/jobRole";
const ROLE: &str = "full-recovery";

/// On what CloudNativePG makes, the Job included (`SetOperatorVersion` in `pkg/utils/labels_annotations.go`).
const VERSION: &str = "cnpg.io/operatorVersion";

pub(super) fn store(object: &DynamicObject) -> Option<DrillStore> {
    let configuration = object.data.pointer("/spec/configuration")?;
    let endpoint_url = text(configuration, "/endpointURL");
    Some(DrillStore {
        name: object.metadata.name.clone()?,
        destination_path: text(configuration, "/destinationPath").to_owned(),
        endpoint_url: (!endpoint_url.is_empty()).then(|| endpoint_url.to_owned()),
    })
}

/// A cluster of another name than its mark says was copied by somebody, and is theirs.
pub(super) fn own_cluster(object: &DynamicObject) -> Option<OwnCluster> {
    let id = DrillId::parse(object.metadata.labels.as_ref()?.get(ID_LABEL)?)?;
    let is_own = object.metadata.name.as_ref() == Some(&id.object_name());
    let uid = object.metadata.uid.clone()?;
    is_own.then_some(OwnCluster { id, uid })
}

pub(super) fn recovery(
    cluster: Option<&DynamicObject>,
    jobs: &[Job],
    pods: &[Pod],
    events: &[Event],
) -> SeenRecovery {
    let has_role = |labels: &Option<BTreeMap<String, String>>| {
        labels.as_ref().and_then(|it| it.get(ROLE_LABEL)).is_some_and(|it| it == ROLE)
    };
    let job = jobs.iter().find(|job| has_role(&job.metadata.labels));
    let pods = pods.iter().filter(|pod| has_role(&pod.metadata.labels));
    let mut pods: Vec<SeenPod> = pods.filter_map(seen_pod).collect();
    pods.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
    SeenRecovery {
        cluster: cluster.map(seen_cluster),
        job: job.map(seen_job),
        pods,
        warnings: events.iter().map(warning).collect(),
    }
}

fn seen_cluster(object: &DynamicObject) -> SeenCluster {
    let status = object.data.get("status").unwrap_or(&Value::Null);
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let is_ready = |it: &&Value| text(it, "/type") == "Ready" && text(it, "/status") == "True";
    let ready = conditions.clone().find(is_ready);
    SeenCluster {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        phase: text(status, "/phase").to_owned(),
        phase_reason: text(status, "/phaseReason").to_owned(),
        ready_at: ready.and_then(|it| text(it, "/lastTransitionTime").parse().ok()),
        is_leaving: object.metadata.deletion_timestamp.is_some(),
    }
}

fn seen_job(job: &Job) -> SeenJob {
    let status = job.status.as_ref();
    let conditions = status.and_then(|it| it.conditions.as_ref()).into_iter().flatten();
    let is_failed = |it: &&JobCondition| it.type_ == "Failed" && it.status == "True";
    let failed = conditions.clone().find(is_failed);
    let failure = failed.map(|it| told(it.reason.as_deref(), it.message.as_deref()));
    SeenJob {
        created_at: time(job.metadata.creation_timestamp.as_ref()),
        completed_at: time(status.and_then(|it| it.completion_time.as_ref())),
        failure,
        operator: job.metadata.annotations.as_ref().and_then(|it| it.get(VERSION).cloned()),
    }
}

fn seen_pod(pod: &Pod) -> Option<SeenPod> {
    let none = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&none);
    let mut containers = status.container_statuses.iter().flatten();
    let main = containers.find(|it| it.name == ROLE);
    let state = match status.phase.as_deref() {
        Some("Running") => PodState::Running,
        Some("Succeeded") => PodState::Succeeded,
        Some("Failed") => PodState::Failed(end(status)),
        _ => PodState::Pending(obstacle(status)),
    };
    Some(SeenPod {
        name: pod.metadata.name.clone()?,
        created_at: time(pod.metadata.creation_timestamp.as_ref()),
        started_at: main.and_then(started_at),
        state,
    })
}

fn started_at(status: &ContainerStatus) -> Option<DateTime<Utc>> {
    let state = status.state.as_ref()?;
    let running = state.running.as_ref().and_then(|it| it.started_at.as_ref());
    time(running.or(state.terminated.as_ref().and_then(|it| it.started_at.as_ref())))
}

/// Sidecars are init containers that go on.
fn statuses(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    status.container_statuses.iter().flatten().chain(init)
}

/// What ended a pod: the kubelet, or else a container. That memory ran out counts before that another
/// container ended for it.
fn end(status: &PodStatus) -> String {
    if status.reason.is_some() {
        return told(status.reason.as_deref(), status.message.as_deref());
    }
    let ended = statuses(status).filter_map(|it| it.state.as_ref()?.terminated.as_ref());
    let failed: Vec<_> = ended.filter(|it| it.exit_code != 0).collect();
    let reason = |it: &str| failed.iter().any(|end| end.reason.as_deref() == Some(it));
    if reason("OOMKilled") {
        return "OOMKilled".to_owned();
    }
    let Some(first) = failed.first() else { return "for an unknown reason".to_owned() };
    let message = first.message.as_deref().unwrap_or_default();
    told(Some(&format!("exit code {}", first.exit_code)), Some(message))
}

fn obstacle(status: &PodStatus) -> Option<String> {
    let waiting = statuses(status).filter_map(|it| it.state.as_ref()?.waiting.as_ref());
    let is_telling = |reason: &str| !["PodInitializing", "ContainerCreating"].contains(&reason);
    let mut telling = waiting.filter(|it| it.reason.as_deref().is_some_and(is_telling));
    if let Some(waiting) = telling.next() {
        return Some(told(waiting.reason.as_deref(), waiting.message.as_deref()));
    }
    let mut conditions = status.conditions.iter().flatten();
    let unscheduled = conditions.find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
    Some(told(unscheduled.reason.as_deref(), unscheduled.message.as_deref()))
}

fn warning(event: &Event) -> String {
    told(event.reason.as_deref(), event.note.as_deref())
}

/// A message of Kubernetes has a sentence or two.
const MESSAGE_CHARS_MAX: usize = 300;

fn told(reason: Option<&str>, message: Option<&str>) -> String {
    let parts = [reason, message].into_iter().flatten().filter(|it| !it.is_empty());
    let parts: Vec<&str> = parts.collect();
    let text = parts.join(": ");
    text.chars().filter(|it| !it.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

pub(super) fn login(secret: &Secret) -> Option<Login> {
    let data = secret.data.as_ref()?;
    let value = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some(Login {
        host: value("host")?,
        port: value("port")?.parse().ok()?,
        user: value("username")?,
        password: value("password")?,
    })
}

fn time(time: Option<&Time>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time?.0.as_microsecond())
}

#[cfg(test)]
mod tests;
