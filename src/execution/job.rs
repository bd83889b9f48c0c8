//! The Job that reads one base backup, made after the pod that this program runs in: of its image,
//! with its credentials, locked in as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::batch::v1::JobSpec;
use k8s_openapi::api::batch::v1::PodFailurePolicy;
use k8s_openapi::api::batch::v1::PodFailurePolicyOnPodConditionsPattern;
use k8s_openapi::api::batch::v1::PodFailurePolicyRule;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::api::core::v1::EnvVar;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::api::core::v1::Volume;
use k8s_openapi::api::core::v1::VolumeMount;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ObjectMeta;

use crate::sources::kubernetes::jobs::APP;
use crate::sources::kubernetes::jobs::APP_LABEL;
use crate::sources::kubernetes::jobs::ARCHIVE_LABEL;
use crate::sources::kubernetes::jobs::BACKUP_LABEL;

/// What such a Job takes over from the pod of this program.
#[derive(Clone, Debug)]
pub struct Mold {
    pod: PodSpec,
    container: Container,
}

/// One backup to be read.
#[derive(Clone, Debug)]
pub struct JobOrder {
    /// 32 hexadecimal digits, of the archive and the backup.
    pub key: String,
    /// A digest of the archive.
    pub archive: String,
    pub backup: String,
    /// For people.
    pub address: String,
    pub arguments: Vec<String>,
    pub settings: Vec<(String, String)>,
    /// From when its pod runs.
    pub deadline: Duration,
    pub priority_class: Option<String>,
    /// Of Kueue, which lets it begin.
    pub queue: Option<String>,
}

/// For people; labels have no room for it.
const ADDRESS_ANNOTATION: &str = "backup-verifier.monosense.dev/address";

const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// Our container, where others were injected beside it.
const CONTAINER: &str = "cnpg-backup-verifier";

/// Where the files of an authority of one's own are named.
const AUTHORITY: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Kubernetes deletes a Job then that nobody has deleted before.
const KEPT_SECONDS: i32 = 3600;

/// What the daemon has, which reads as much at a time.
const MEMORY_MAX: &str = "256Mi";

impl Mold {
    /// Of a pod that reads its credentials from these files.
    pub fn of(pod: PodSpec, credentials: &[&str]) -> Result<Self, String> {
        let containers = pod.containers.iter();
        let named = containers.clone().find(|it| it.name == CONTAINER);
        let container = named.or_else(|| pod.containers.first().filter(|_| containers.len() == 1));
        let container = container.ok_or_else(|| format!("its pod has no container {CONTAINER}"))?;
        let mut container = container.clone();
        let env = container.env.unwrap_or_default();
        let env: Vec<EnvVar> =
            env.into_iter().filter(|it| AUTHORITY.contains(&&*it.name)).collect();
        let authority = env.iter().filter_map(|it| it.value.as_deref());
        let files: Vec<&str> = credentials.iter().copied().chain(authority).collect();
        let mounts = container.volume_mounts.unwrap_or_default();
        let holds = |mount: &VolumeMount, file: &str| {
            let rest = file.strip_prefix(mount.mount_path.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for file in credentials {
            if !mounts.iter().any(|mount| holds(mount, file)) {
                return Err(format!("no volume of its pod holds {file}"));
            }
        }
        let is_wanted = |mount: &VolumeMount| files.iter().any(|file| holds(mount, file));
        let mounts: Vec<VolumeMount> = mounts.into_iter().filter(is_wanted).collect();
        let is_mounted = |it: &Volume| mounts.iter().any(|mount| mount.name == it.name);
        let volumes: Vec<Volume> =
            pod.volumes.clone().unwrap_or_default().into_iter().filter(is_mounted).collect();
        if let Some(other) = volumes.iter().find(|volume| !is_stored_elsewhere(volume)) {
            return Err(format!("the volume {} of its pod is not for other pods", other.name));
        }
        (container.env, container.volume_mounts) = (Some(env), Some(mounts));
        Ok(Self { pod: PodSpec { volumes: Some(volumes), ..pod }, container })
    }
}

/// Whether another pod finds the same in it, and no token for the API server.
fn is_stored_elsewhere(volume: &Volume) -> bool {
    let sources = volume.projected.as_ref().map(|it| it.sources.clone().unwrap_or_default());
    let has_token = sources.iter().flatten().any(|source| source.service_account_token.is_some());
    let is_stored = volume.secret.is_some() || volume.config_map.is_some() || volume.csi.is_some();
    (is_stored || sources.is_some()) && !has_token
}

impl JobOrder {
    /// Of one name for all who order the same.
    pub fn name(key: &str) -> String {
        format!("{APP}-{key}")
    }

    /// The object as the API server takes it.
    pub fn job(self, mold: &Mold) -> Job {
        let labels =
            [(APP_LABEL, APP), (ARCHIVE_LABEL, &self.archive), (BACKUP_LABEL, &self.backup)];
        let labels: BTreeMap<String, String> =
            labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let queue = self.queue.as_ref().map(|it| (QUEUE_LABEL.to_owned(), it.clone()));
        let mut of_job = labels.clone();
        of_job.extend(queue);
        let annotations = [(ADDRESS_ANNOTATION.to_owned(), self.address.clone())];
        Job {
            metadata: ObjectMeta {
                name: Some(Self::name(&self.key)),
                labels: Some(of_job),
                annotations: Some(annotations.into()),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                // Kueue takes up only what waits for it.
                suspend: self.queue.as_ref().map(|_| true),
                // Whoever ordered it orders another one, later.
                backoff_limit: Some(0),
                pod_failure_policy: Some(unless_disrupted()),
                ttl_seconds_after_finished: Some(KEPT_SECONDS),
                template: PodTemplateSpec {
                    metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                    spec: Some(self.pod(mold)),
                },
                ..JobSpec::default()
            }),
            status: None,
        }
    }

    fn pod(self, mold: &Mold) -> PodSpec {
        let Mold { pod, container } = mold.clone();
        let mut env = container.env.unwrap_or_default();
        env.extend(self.settings.into_iter().map(|(name, value)| EnvVar {
            name,
            value: Some(literal(&value)),
            ..EnvVar::default()
        }));
        let amount = |of: &str, amount: &str| (of.to_owned(), Quantity(amount.to_owned()));
        let container = Container {
            name: "read".to_owned(),
            image: container.image,
            image_pull_policy: container.image_pull_policy,
            args: Some(self.arguments.iter().map(|it| literal(it)).collect()),
            env: Some(env),
            volume_mounts: container.volume_mounts,
            security_context: container.security_context,
            resources: Some(ResourceRequirements {
                requests: Some([amount("cpu", "100m"), amount("memory", "96Mi")].into()),
                // None on the processor: it would only take longer.
                limits: Some([amount("memory", MEMORY_MAX)].into()),
                ..ResourceRequirements::default()
            }),
            ..Container::default()
        };
        PodSpec {
            containers: vec![container],
            volumes: pod.volumes,
            image_pull_secrets: pod.image_pull_secrets,
            node_selector: pod.node_selector,
            tolerations: pod.tolerations.map(without_own_node),
            security_context: pod.security_context,
            priority_class_name: self.priority_class,
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            restart_policy: Some("Never".to_owned()),
            // It has nothing to finish.
            termination_grace_period_seconds: Some(1),
            active_deadline_seconds: i64::try_from(self.deadline.as_secs()).ok(),
            ..PodSpec::default()
        }
    }
}

/// A pod that is evicted says nothing of what it reads: another one takes its place.
fn unless_disrupted() -> PodFailurePolicy {
    let disrupted = PodFailurePolicyOnPodConditionsPattern {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
    };
    let rule = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_pod_conditions: Some(vec![disrupted]),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy { rules: vec![rule] }
}

/// The kubelet puts variables in place of `$(NAME)`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Those that every pod is given by itself.
fn without_own_node(tolerations: Vec<Toleration>) -> Vec<Toleration> {
    let is_given = |key: &str| key.starts_with("node.kubernetes.io/");
    tolerations.into_iter().filter(|it| !it.key.as_deref().is_some_and(is_given)).collect()
}

#[cfg(test)]
mod tests;
