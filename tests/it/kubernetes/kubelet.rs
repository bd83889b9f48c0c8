//! A node and the controller of Jobs: runs the command of a Job with our own program, and writes what
//! came of it into the status of pod and Job, as both would.

use std::collections::BTreeMap;
use std::fs;

use chrono::SecondsFormat;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use test_servers::process::run;
use test_servers::process::wait_until;

use crate::kubernetes::objects::merge;
use crate::kubernetes::world::ACCOUNT;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::POD;
use crate::kubernetes::world::World;
use crate::program::program;

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Ends,
    /// Without a word.
    IsKilled,
    RunsOutOfMemory,
    /// It ends, and of its message only the beginning is kept.
    IsCut,
    /// It ends, and says so of this key.
    SpeaksOfAnother,
    /// It ends, and says that it read other objects.
    ReadsOthers,
}

impl World {
    /// The pod that the daemon runs in.
    pub(super) async fn install_pod(&self) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": POD, "namespace": self.namespace},
            "spec": {
                "serviceAccountName": ACCOUNT, "automountServiceAccountToken": false,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532},
                "containers": [{
                    "name": "cnpg-backup-verifier", "image": "registry.example/verifier:1",
                    "securityContext": {"readOnlyRootFilesystem": true},
                    "volumeMounts": [{"name": "credentials", "mountPath": self.files()}],
                }],
                "volumes": [{"name": "credentials", "secret": {"secretName": "keys"}}],
            },
        });
        self.server.apply(&pod).await;
    }

    pub(super) async fn jobs(&self) -> Vec<Value> {
        let example = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": self.namespace},
        });
        self.server.list(&example).await
    }

    /// Waits until there are Jobs that are not over for these clusters, and returns them.
    pub(super) async fn jobs_of(&self, clusters: &[&str]) -> BTreeMap<String, Value> {
        wait_until("Jobs", LIMIT, async || {
            let jobs = self.jobs().await.into_iter();
            let jobs = jobs.filter(|job| job["status"].get("conditions").is_none());
            let jobs: BTreeMap<String, Value> = jobs.map(|job| (cluster_of(&job), job)).collect();
            clusters.iter().all(|it| jobs.contains_key(*it)).then_some(jobs)
        })
        .await
    }

    pub(super) async fn job_of(&self, cluster: &str) -> Value {
        self.jobs_of(&[cluster]).await.remove(cluster).unwrap()
    }

    pub(super) async fn no_job_is_left(&self) {
        wait_until("the Jobs are gone", LIMIT, async || self.jobs().await.is_empty().then_some(()))
            .await;
    }

    /// Runs a Job to its end.
    pub(super) async fn run(&self, job: &Value, fate: Fate) {
        let pod = self.pod_of(job);
        self.server.apply(&pod).await;
        self.server.set_status(&pod, &json!({"phase": "Running"})).await;
        let (code, reason, message) = match fate {
            Fate::IsKilled => (137, "Error", None),
            Fate::RunsOutOfMemory => (137, "OOMKilled", None),
            Fate::Ends | Fate::IsCut | Fate::SpeaksOfAnother | Fate::ReadsOthers => {
                let (code, message) = self.read(job).await;
                let reason = if code == 0 { "Completed" } else { "Error" };
                (code, reason, Some(changed(message, fate)))
            }
        };
        let now = clock::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let terminated = json!({
            "exitCode": code, "reason": reason, "message": message,
            "startedAt": now, "finishedAt": now,
        });
        let container = json!({
            "name": "read", "image": "registry.example/verifier:1", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"terminated": terminated},
        });
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let status = json!({"phase": phase, "containerStatuses": [container]});
        self.server.set_status(&pod, &status).await;
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": "Ended", "message": "",
                "lastProbeTime": now, "lastTransitionTime": now})
        };
        let status = if code == 0 {
            json!({"startTime": now, "completionTime": now, "succeeded": 1,
                "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]})
        } else {
            json!({"startTime": now, "failed": 1,
                "conditions": [condition("FailureTarget"), condition("Failed")]})
        };
        self.server.set_status(job, &status).await;
    }

    fn pod_of(&self, job: &Value) -> Value {
        let (name, uid) = (&job["metadata"]["name"], &job["metadata"]["uid"]);
        let uid = uid.as_str().unwrap();
        let mut labels = job["spec"]["template"]["metadata"]["labels"].clone();
        merge(
            &mut labels,
            json!({"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name}),
        );
        let mut spec = job["spec"]["template"]["spec"].clone();
        // A namespace without controllers has no other account.
        merge(&mut spec, json!({"serviceAccountName": ACCOUNT}));
        let end = &uid[uid.len() - 5..];
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {
                "name": format!("{}-{end}", name.as_str().unwrap()),
                "namespace": self.namespace, "labels": labels,
            },
        })
    }

    /// The exit code and the message of its one container.
    async fn read(&self, job: &Value) -> (i32, String) {
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        let text = |it: &Value| it.as_str().unwrap().replace("$$", "$");
        let message = self.files().join("termination-log");
        fs::write(&message, "").unwrap();
        let mut command = program();
        command.args(container["args"].as_array().unwrap().iter().map(text));
        command.arg("--result").arg(&message);
        for variable in container["env"].as_array().unwrap() {
            command.env(text(&variable["name"]), text(&variable["value"]));
        }
        let finished = run(command, LIMIT).await;
        (finished.code.unwrap(), fs::read_to_string(&message).unwrap())
    }
}

fn changed(message: String, fate: Fate) -> String {
    let mut result: Value = serde_json::from_str(&message).unwrap();
    match fate {
        Fate::Ends | Fate::IsKilled | Fate::RunsOutOfMemory => return message,
        Fate::IsCut => return message[..message.len() / 2].to_owned(),
        Fate::SpeaksOfAnother => result["key"] = json!("0".repeat(32)),
        Fate::ReadsOthers => result["read"]["sum"] = json!("0".repeat(32)),
    }
    result.to_string()
}

/// The cluster whose archive it reads: the last part of the address.
fn cluster_of(job: &Value) -> String {
    let address = &job["metadata"]["annotations"]["backup-verifier.monosense.dev/address"];
    address.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}
