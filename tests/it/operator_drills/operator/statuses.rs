//! What CloudNativePG, the Job controller and the kubelet write of one attempt to restore.

use std::sync::atomic::Ordering;

use chrono::SecondsFormat;
use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;

use crate::operator_drills::stage::ACCOUNT;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::Stage;
use crate::operator_drills::stage::stamp;

pub(super) const SIDECAR: &str = "plugin-barman-cloud";
pub(super) const ROLE: &str = "full-recovery";
pub(crate) const VERSION: &str = "1.28.1";

/// One pod of the Job that restores.
#[derive(Clone)]
pub(super) struct Attempt<'a> {
    pub(super) stage: &'a Stage,
    pub(super) cluster: String,
    /// From one on.
    pub(super) number: u32,
    pub(super) tells_unrecoverable: bool,
}

impl Attempt<'_> {
    fn job(&self) -> String {
        format!("{}-1-{ROLE}", self.cluster)
    }

    fn pod(&self) -> String {
        format!("{}-1-{ROLE}-{:05}", self.cluster, self.number)
    }

    fn metadata(&self, object: &str) -> Value {
        let labels = json!({"cnpg.io/cluster": self.cluster, "cnpg.io/jobRole": ROLE});
        json!({"name": object, "namespace": DRILLS, "labels": labels,
            "annotations": {"cnpg.io/operatorVersion": VERSION}})
    }

    fn spec() -> Value {
        // A namespace without controllers has no other account.
        json!({"restartPolicy": "Never", "containers": [{"name": ROLE, "image": "postgres"}],
            "serviceAccountName": ACCOUNT, "automountServiceAccountToken": false})
    }

    /// And its volume.
    pub(super) fn create_job(&self) {
        let admin = self.stage.admin();
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": self.metadata(&format!("{}-1", self.cluster)),
            "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}},
        });
        let labels = &self.metadata("")["labels"];
        let template = json!({"metadata": {"labels": labels}, "spec": Self::spec()});
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(&self.job()),
            "spec": {"template": template},
        });
        admin.create(&claim);
        admin.create(&job);
        self.phase("Setting up primary");
    }

    pub(super) fn create_pod(&self) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": self.metadata(&self.pod()),
            "spec": Self::spec(),
        });
        self.stage.admin().create(&pod);
        self.stage.pods_made.fetch_add(1, Ordering::Relaxed);
        self.write_pod("Running", &json!({"running": {"startedAt": stamp()}}));
    }

    pub(super) fn is_not_scheduled(&self) {
        let condition = json!({"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available"});
        let status = json!({"phase": "Pending", "conditions": [condition],
            "containerStatuses": null});
        self.stage.admin().patch_status("pods", DRILLS, &self.pod(), &status);
    }

    /// For ten minutes.
    pub(super) fn has_no_image(&self) {
        let waiting = json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image"});
        self.write_pod("Pending", &json!({"waiting": waiting}));
        let long_ago = clock::now() - TimeDelta::minutes(10);
        let long_ago = long_ago.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.stage.admin().predate("pods", DRILLS, &self.pod(), &long_ago);
    }

    /// As the Job controller tells it (`pkg/controller/controller_utils.go`).
    pub(super) fn pod_is_refused(&self) {
        let why = "Error creating: pods \"restore\" is forbidden: exceeded quota: few, requested: pods=1, \
                   used: pods=6, limited: pods=6";
        let now = clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": format!("{}.1", self.job()), "namespace": DRILLS},
            "eventTime": now, "type": "Warning", "reason": "FailedCreate", "note": why,
            "action": "Create", "reportingController": "job-controller",
            "reportingInstance": "job-controller-1",
            "regarding": {"apiVersion": "batch/v1", "kind": "Job", "name": self.job(),
                "namespace": DRILLS},
        });
        self.stage.admin().create(&event);
    }

    pub(super) fn finish(&self, port: u16) {
        let admin = self.stage.admin();
        let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": self.began(),
            "finishedAt": stamp()});
        self.write_pod("Succeeded", &json!({"terminated": ended}));
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": "Ended", "message": "",
                "lastProbeTime": stamp(), "lastTransitionTime": stamp()})
        };
        let status = json!({"completionTime": stamp(), "startTime": self.began(),
            "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]});
        admin.patch_status("jobs", DRILLS, &self.job(), &status);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("{}-superuser", self.cluster), "namespace": DRILLS,
                "labels": {"cnpg.io/cluster": self.cluster}},
            "stringData": {"username": "postgres", "user": "postgres", "password": "any",
                "host": "127.0.0.1", "port": port.to_string(), "dbname": "*"},
        });
        admin.create(&secret);
        let ready = json!({"type": "Ready", "status": "True", "reason": "ClusterIsReady",
            "message": "Cluster is Ready", "lastTransitionTime": stamp()});
        let status = json!({"phase": "Cluster in healthy state", "readyInstances": 1,
            "conditions": [ready]});
        admin.patch_status("clusters", DRILLS, &self.cluster, &status);
    }

    /// The Job makes another pod.
    pub(super) fn fail_once(&self, code: i32, reason: &str) {
        let ended = json!({"exitCode": code, "reason": reason, "startedAt": self.began(),
            "finishedAt": stamp()});
        self.write_pod("Failed", &json!({"terminated": ended}));
    }

    /// The Job makes no further pod.
    pub(super) fn fail(&self, code: i32, reason: &str) {
        self.fail_once(code, reason);
        let condition = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit",
            "lastProbeTime": stamp(), "lastTransitionTime": stamp()});
        let status = json!({"failed": self.number, "startTime": self.began(), "conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded",
                "message": "", "lastProbeTime": stamp(), "lastTransitionTime": stamp()}, condition]});
        self.stage.admin().patch_status("jobs", DRILLS, &self.job(), &status);
        if self.tells_unrecoverable {
            self.phase("Cluster is unrecoverable and needs manual intervention");
        }
    }

    fn began(&self) -> Value {
        let job = self.stage.admin().get("jobs", DRILLS, &self.job()).unwrap();
        job["metadata"]["creationTimestamp"].clone()
    }

    fn phase(&self, phase: &str) {
        let status = json!({"phase": phase});
        self.stage.admin().patch_status("clusters", DRILLS, &self.cluster, &status);
    }

    fn write_pod(&self, phase: &str, state: &Value) {
        let container = json!({"name": ROLE, "image": "postgres", "imageID": "", "ready": false,
            "restartCount": 0, "state": state});
        let status = json!({"phase": phase, "containerStatuses": [container]});
        self.stage.admin().patch_status("pods", DRILLS, &self.pod(), &status);
    }

    pub(super) fn log(&self, container: &str, line: &str) {
        let at = clock::now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        let line = format!("{at} {line}\n");
        self.stage.admin().add_to_log(DRILLS, &self.pod(), container, &line);
    }

    /// What owns nothing any more is gone.
    pub(super) fn collect(&self) {
        let admin = self.stage.admin();
        for kind in ["pods", "jobs", "persistentvolumeclaims", "secrets"] {
            let is_own = |it: &&Value| it["metadata"]["labels"]["cnpg.io/cluster"] == *self.cluster;
            for object in admin.list(kind, DRILLS).iter().filter(is_own) {
                admin.delete(kind, DRILLS, object["metadata"]["name"].as_str().unwrap());
            }
        }
        let free = json!({"metadata": {"finalizers": null}});
        admin.patch("clusters", DRILLS, &self.cluster, &free);
    }
}
