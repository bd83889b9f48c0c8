//! A small CloudNativePG: on a `Cluster` that is to be recovered it runs Barman's restore and PostgreSQL's
//! replay, writes what the real one, its plugin, the Job controller and the kubelet write, and obeys
//! deletion.

mod files;
mod habits;
mod statuses;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::barman::Barman;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Recovery;
use tokio::time::Instant;

use crate::operator_drills::operator::files::drop_histories;
use crate::operator_drills::operator::files::fill;
pub(super) use crate::operator_drills::operator::habits::Fate;
pub(super) use crate::operator_drills::operator::habits::Habits;
use crate::operator_drills::operator::statuses::Attempt;
use crate::operator_drills::operator::statuses::ROLE;
use crate::operator_drills::operator::statuses::SIDECAR;
pub(super) use crate::operator_drills::operator::statuses::VERSION;
use crate::operator_drills::stage::BUCKET;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::Stage;

pub(super) struct Operator<'a> {
    stage: &'a Stage,
    habits: Habits,
    recovering: Option<Recovering<'a>>,
    /// The next pod of the Job, and when it is due.
    next: Option<(Instant, Attempt<'a>)>,
    /// Clusters that are being deleted, and since when.
    leaving: BTreeMap<String, Instant>,
}

/// The one that is being recovered, or was.
struct Recovering<'a> {
    attempt: Attempt<'a>,
    server: Postgres,
    logged: usize,
    is_over: bool,
}

/// The base backup is not restored.
struct Failed;

/// Ten seconds in the real world, and twice as much each time.
const BACKOFF: Duration = Duration::from_secs(5);

impl<'a> Operator<'a> {
    pub(super) fn new(stage: &'a Stage, habits: Habits) -> Self {
        Self { stage, habits, recovering: None, next: None, leaving: BTreeMap::new() }
    }

    /// Works until it is dropped.
    pub(super) async fn work(mut self) {
        loop {
            for cluster in self.stage.admin().list("clusters", DRILLS) {
                let name = cluster["metadata"]["name"].as_str().unwrap().to_owned();
                if cluster["metadata"].get("deletionTimestamp").is_some() {
                    let since = *self.leaving.entry(name.clone()).or_insert_with(Instant::now);
                    if self.habits.collects_after <= since.elapsed() {
                        self.recovering.take_if(|it| it.attempt.cluster == name);
                        self.attempt(&name, 1).collect();
                    }
                } else if cluster["spec"]["bootstrap"]["recovery"].is_object()
                    && cluster["status"].get("phase").is_none()
                {
                    self.begin(&name, &cluster).await;
                }
            }
            self.try_again().await;
            self.follow().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn attempt(&self, cluster: &str, number: u32) -> Attempt<'a> {
        let tells_unrecoverable = self.habits.tells_unrecoverable;
        Attempt { stage: self.stage, cluster: cluster.to_owned(), number, tells_unrecoverable }
    }

    async fn begin(&mut self, name: &str, cluster: &Value) {
        let first = self.attempt(name, 1);
        first.create_job();
        if let Fate::HasNoQuota = self.habits.fate {
            return first.pod_is_refused();
        }
        if let Some(segment) = &self.habits.loses {
            let key = format!("prod/main/wals/{}/{segment}.gz", &segment[..16]);
            assert!(self.stage.s3.get(BUCKET, &key).is_some(), "{key}");
            self.stage.s3.delete(BUCKET, &key);
        }
        self.run(first, cluster).await;
    }

    async fn run(&mut self, attempt: Attempt<'a>, cluster: &Value) {
        attempt.create_pod();
        match self.habits.fate {
            Fate::Lives | Fate::HasNoQuota => {}
            Fate::Waits => return attempt.is_not_scheduled(),
            Fate::HasNoImage => return attempt.has_no_image(),
            Fate::Hangs => return,
            Fate::RunsOutOfMemory => return attempt.fail(137, "OOMKilled"),
            Fate::IsKilled => return attempt.fail(137, "Error"),
        }
        match self.restore(&attempt, cluster).await {
            Ok(server) => {
                let line = json!({"level": "info", "msg": "Restore completed"});
                attempt.log(SIDECAR, &line.to_string());
                self.recovering = Some(Recovering { attempt, server, logged: 0, is_over: false });
            }
            Err(_) if attempt.number < self.habits.attempts => {
                attempt.fail_once(1, "Error");
                let next = self.attempt(&attempt.cluster, attempt.number + 1);
                self.next = Some((Instant::now() + BACKOFF, next));
            }
            Err(_) => attempt.fail(1, "Error"),
        }
    }

    /// Another pod of the Job, unless the cluster is being deleted.
    async fn try_again(&mut self) {
        let Some((_, next)) = self.next.take_if(|(at, _)| *at <= Instant::now()) else { return };
        let cluster = self.stage.admin().get("clusters", DRILLS, &next.cluster);
        let is_leaving = |it: &Value| it["metadata"].get("deletionTimestamp").is_some();
        if let Some(cluster) = cluster.filter(|it| !is_leaving(it)) {
            self.run(next, &cluster).await;
        }
    }

    /// The server, which has begun to replay; or that Barman failed, after its words were logged.
    async fn restore(&self, attempt: &Attempt<'_>, cluster: &Value) -> Result<Postgres, Failed> {
        let told = &cluster["spec"]["bootstrap"]["recovery"]["recoveryTarget"];
        let barman = self.barman(cluster, attempt.number);
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
        for (name, value) in set.iter().filter(|(name, _)| !self.habits.forgets(name)) {
            options = options.with_setting(name, value.as_str().unwrap());
        }
        let prepare = |server: &Postgres| {
            let tablespaces = cluster["spec"]["tablespaces"].as_array();
            let names = tablespaces.into_iter().flatten().map(|it| it["name"].as_str().unwrap());
            let place = |name: &str| format!("{name}:{}", server.new_directory(name).display());
            names.map(place).collect()
        };
        match Postgres::try_restore_into(&recovery, &options, prepare).await {
            Err(said) => {
                for line in said.stderr.lines() {
                    attempt.log(SIDECAR, line);
                }
                let code = said.code.unwrap_or_default();
                let error = json!({"level": "error", "msg": "Error while restoring a backup",
                    "error": format!("exit status {code}")});
                attempt.log(ROLE, &error.to_string());
                Err(Failed)
            }
            Ok(mut server) => {
                if self.habits.disk_is_full {
                    fill(&server.data());
                }
                if self.habits.drops_histories {
                    drop_histories(&server.data());
                }
                server.begin();
                Ok(server)
            }
        }
    }

    /// What it is told at this attempt.
    fn barman(&self, cluster: &Value, number: u32) -> Barman {
        let source = &cluster["spec"]["externalClusters"][0]["plugin"]["parameters"];
        let wrong = self.habits.barman.as_ref().filter(|_| !self.habits.heals || number == 1);
        let mut barman = wrong.unwrap_or(&self.stage.barman).clone();
        let named = source["serverName"].as_str().unwrap();
        self.habits.server_name.as_deref().unwrap_or(named).clone_into(&mut barman.server_name);
        barman
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
        for line in lines {
            recovering.attempt.log(ROLE, &line);
        }
        if is_promoted {
            recovering.attempt.finish(recovering.server.port());
        } else if !is_running {
            recovering.attempt.fail(1, "Error");
        }
    }
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
