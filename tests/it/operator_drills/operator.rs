//! A small CloudNativePG: on a `Cluster` that is to be recovered it runs Barman's restore and PostgreSQL's
//! replay, writes what the real one, its plugin, the Job controller and the kubelet write, and obeys
//! deletion.

use std::time::Duration;

use chrono::SecondsFormat;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use test_servers::barman::Barman;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;

use crate::operator_drills::stage::ACCOUNT;
use crate::operator_drills::stage::BUCKET;
use crate::operator_drills::stage::Stage;
use crate::operator_drills::stage::stamp;

/// What the pod that restores is spared, or is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Lives,
    /// It is not scheduled.
    Waits,
    /// The kernel ends the sidecar.
    RunsOutOfMemory,
    /// It is deleted with its node.
    IsKilled,
}

/// How this version and this cluster behave.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    /// From 1.28.4, 1.29.2 and 1.30 on a failed Job becomes a phase.
    pub(super) tells_unrecoverable: bool,
    pub(super) fate: Fate,
    /// What Barman is told, where that is not what the archive is told.
    pub(super) barman: Option<Barman>,
    /// A segment that is gone from the archive as it begins.
    pub(super) loses: Option<String>,
}

impl Default for Habits {
    fn default() -> Self {
        Self { tells_unrecoverable: true, fate: Fate::default(), barman: None, loses: None }
    }
}

pub(super) struct Operator<'a> {
    stage: &'a Stage,
    habits: Habits,
    recovering: Option<Recovering>,
}

/// The one that is being recovered, or was.
struct Recovering {
    name: String,
    server: Postgres,
    logged: usize,
    is_over: bool,
}

const SIDECAR: &str = "plugin-barman-cloud";
const ROLE: &str = "full-recovery";

impl<'a> Operator<'a> {
    pub(super) fn new(stage: &'a Stage, habits: Habits) -> Self {
        Self { stage, habits, recovering: None }
    }

    /// Works until it is dropped.
    pub(super) async fn work(mut self) {
        loop {
            for cluster in self.stage.list("clusters").await {
                let name = cluster["metadata"]["name"].as_str().unwrap().to_owned();
                if cluster["metadata"].get("deletionTimestamp").is_some() {
                    self.collect(&name).await;
                } else if cluster["spec"]["bootstrap"]["recovery"].is_object()
                    && cluster["status"].get("phase").is_none()
                {
                    self.begin(&name, &cluster).await;
                }
            }
            self.follow().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn begin(&mut self, name: &str, cluster: &Value) {
        self.create(name).await;
        match self.habits.fate {
            Fate::Waits => return,
            Fate::RunsOutOfMemory => return self.fail(name, 137, "OOMKilled").await,
            Fate::IsKilled => return self.fail(name, 137, "Error").await,
            Fate::Lives => {}
        }
        if let Some(segment) = &self.habits.loses {
            let key = format!("prod/main/wals/{}/{segment}.gz", &segment[..16]);
            assert!(self.stage.s3.get(BUCKET, &key).is_some(), "{key}");
            self.stage.s3.delete(BUCKET, &key);
        }
        let told = &cluster["spec"]["bootstrap"]["recovery"]["recoveryTarget"];
        let source = &cluster["spec"]["externalClusters"][0]["plugin"]["parameters"];
        let mut barman = self.habits.barman.clone().unwrap_or_else(|| self.stage.barman.clone());
        source["serverName"].as_str().unwrap().clone_into(&mut barman.server_name);
        let names = [
            ("targetTime", "recovery_target_time"),
            ("targetLSN", "recovery_target_lsn"),
            ("targetTLI", "recovery_target_timeline"),
        ];
        let target: Vec<(&str, &str)> =
            names.iter().filter_map(|(key, name)| Some((*name, told[key].as_str()?))).collect();
        let backup_id = told["backupID"].as_str().unwrap();
        let recovery = Recovery { barman: &barman, backup_id, target: &target };
        let set = cluster["spec"]["postgresql"]["parameters"].as_object().unwrap();
        let mut options = Options::default().with_setting("wal_retrieve_retry_interval", "100ms");
        for (name, value) in set {
            options = options.with_setting(name, value.as_str().unwrap());
        }
        match Postgres::try_restore(&recovery, &options).await {
            Err(said) => {
                for line in said.stderr.lines() {
                    self.log(name, SIDECAR, line);
                }
                let error = json!({"level": "error", "msg": "Error while restoring a backup",
                    "error": format!("exit status {}", said.code.unwrap_or_default())});
                self.log(name, ROLE, &error.to_string());
                self.fail(name, 1, "Error").await;
            }
            Ok(mut server) => {
                let line = json!({"level": "info", "msg": "Restore completed"});
                self.log(name, SIDECAR, &line.to_string());
                server.begin();
                let name = name.to_owned();
                self.recovering = Some(Recovering { name, server, logged: 0, is_over: false });
            }
        }
    }

    /// Writes on what PostgreSQL says, until it is promoted or gives up.
    async fn follow(&mut self) {
        let Some(recovering) = &mut self.recovering else { return };
        if recovering.is_over {
            return;
        }
        let is_running = recovering.server.is_running();
        let is_promoted = is_running && recovering.server.is_promoted().await;
        let log = recovering.server.log();
        // The last line may not be whole yet.
        let whole = log.rfind('\n').map_or(0, |end| end + 1);
        let lines = records(&log[recovering.logged..whole]);
        recovering.logged = whole;
        recovering.is_over = is_promoted || !is_running;
        let (name, port) = (recovering.name.clone(), recovering.server.port());
        for line in lines {
            self.log(&name, ROLE, &line);
        }
        if is_promoted {
            self.finish(&name, port).await;
        } else if !is_running {
            self.fail(&name, 1, "Error").await;
        }
    }

    /// Volume, Job and pod.
    async fn create(&self, name: &str) {
        let server = &self.stage.server;
        let labels = json!({"cnpg.io/cluster": name, "cnpg.io/jobRole": ROLE});
        let metadata = |object: &str| json!({"name": object, "namespace": self.stage.drills, "labels": labels});
        let containers = json!([{"name": ROLE, "image": "postgres"}]);
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": metadata(&format!("{name}-1")),
            "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}},
        });
        // A namespace without controllers has no other account.
        let spec = json!({"restartPolicy": "Never", "containers": containers,
            "serviceAccountName": ACCOUNT, "automountServiceAccountToken": false});
        let template = json!({"metadata": {"labels": labels}, "spec": spec});
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata(&job_of(name)),
            "spec": {"template": template},
        });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata(&pod_of(name)),
            "spec": spec,
        });
        for object in [claim, job, pod] {
            server.create(&object).await;
        }
        self.phase(name, "Setting up primary").await;
        if self.habits.fate == Fate::Waits {
            let condition = json!({"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "0/3 nodes are available"});
            let status = json!({"phase": "Pending", "conditions": [condition]});
            self.status("pods", &pod_of(name), &status).await;
        } else {
            self.pod(name, "Running", &json!({"running": {"startedAt": stamp()}})).await;
        }
    }

    async fn finish(&self, name: &str, port: u16) {
        let server = &self.stage.server;
        let ended = json!({"exitCode": 0, "reason": "Completed", "startedAt": self.began(name).await,
            "finishedAt": stamp()});
        self.pod(name, "Succeeded", &json!({"terminated": ended})).await;
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": "Ended", "message": "",
                "lastProbeTime": stamp(), "lastTransitionTime": stamp()})
        };
        let status = json!({"completionTime": stamp(), "startTime": self.began(name).await,
            "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]});
        self.status("jobs", &job_of(name), &status).await;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("{name}-superuser"), "namespace": self.stage.drills,
                "labels": {"cnpg.io/cluster": name}},
            "stringData": {"username": "postgres", "user": "postgres", "password": "any",
                "host": "127.0.0.1", "port": port.to_string(), "dbname": "*"},
        });
        server.create(&secret).await;
        let ready = json!({"type": "Ready", "status": "True", "reason": "ClusterIsReady",
            "message": "Cluster is Ready", "lastTransitionTime": stamp()});
        let status = json!({"phase": "Cluster in healthy state", "readyInstances": 1,
            "conditions": [ready]});
        self.status("clusters", name, &status).await;
    }

    /// The Job has seven attempts in the real world. This one has one, and says what follows the last.
    async fn fail(&self, name: &str, code: i32, reason: &str) {
        let ended = json!({"exitCode": code, "reason": reason, "startedAt": self.began(name).await,
            "finishedAt": stamp()});
        self.pod(name, "Failed", &json!({"terminated": ended})).await;
        let condition = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit",
            "lastProbeTime": stamp(), "lastTransitionTime": stamp()});
        let status = json!({"failed": 1, "startTime": self.began(name).await, "conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded",
                "message": "", "lastProbeTime": stamp(), "lastTransitionTime": stamp()}, condition]});
        self.status("jobs", &job_of(name), &status).await;
        if self.habits.tells_unrecoverable {
            self.phase(name, "Cluster is unrecoverable and needs manual intervention").await;
        }
    }

    async fn began(&self, name: &str) -> Value {
        let job = self.stage.object("jobs", &job_of(name));
        let job = self.stage.server.get(&job).await.unwrap();
        job["metadata"]["creationTimestamp"].clone()
    }

    async fn phase(&self, name: &str, phase: &str) {
        self.status("clusters", name, &json!({"phase": phase})).await;
    }

    async fn pod(&self, name: &str, phase: &str, state: &Value) {
        let container = json!({"name": ROLE, "image": "postgres", "imageID": "", "ready": false,
            "restartCount": 0, "state": state});
        let status = json!({"phase": phase, "containerStatuses": [container]});
        self.status("pods", &pod_of(name), &status).await;
    }

    /// A real server asks the kubelet for the log, and there is none.
    fn log(&self, name: &str, container: &str, line: &str) {
        if !self.stage.server.is_double() {
            return;
        }
        let at = clock::now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        let line = format!("{at} {line}\n");
        let admin = self.stage.server.as_double().admin();
        admin.add_to_log(&self.stage.drills, &pod_of(name), container, &line);
    }

    /// What owns nothing any more is gone.
    async fn collect(&mut self, name: &str) {
        self.recovering.take_if(|it| it.name == name);
        let server = &self.stage.server;
        let free = json!({"metadata": {"finalizers": null}});
        let owned = [
            ("pods", pod_of(name)),
            ("jobs", job_of(name)),
            ("persistentvolumeclaims", format!("{name}-1")),
            ("secrets", format!("{name}-superuser")),
        ];
        for (kind, object) in owned {
            let object = self.stage.object(kind, &object);
            if server.get(&object).await.is_none() {
                continue;
            }
            server.delete(&object).await;
            // A volume claim is held until no pod uses it, by a controller that is not there.
            if server.get(&object).await.is_some() {
                server.patch(&object, &free).await;
            }
        }
        server.patch(&self.stage.object("clusters", name), &free).await;
    }

    async fn status(&self, plural: &str, name: &str, status: &Value) {
        self.stage.server.set_status(&self.stage.object(plural, name), status).await;
    }
}

fn job_of(name: &str) -> String {
    format!("{name}-1-full-recovery")
}

fn pod_of(name: &str) -> String {
    format!("{name}-1-full-recovery-abcde")
}

/// Lines of PostgreSQL as the instance manager writes them on.
fn records(log: &str) -> Vec<String> {
    let mut records: Vec<Value> = Vec::new();
    for line in log.lines() {
        let Some((head, message)) = line.split_once(":  ") else { continue };
        let severity = head.rsplit(' ').next().unwrap();
        match (severity, records.last_mut()) {
            ("DETAIL" | "HINT", Some(last)) => last["record"]["detail"] = json!(message),
            _ => records.push(json!({"level": "info", "logger": "postgres", "msg": "record",
                "record": {"error_severity": severity, "message": message}})),
        }
    }
    records.iter().map(ToString::to_string).collect()
}
