//! An archive that PostgreSQL and Barman wrote, the cluster it is of, and the namespace of drills with
//! the rights that `deploy` has for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::barman::Endpoint;
use test_servers::kubernetes::User;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::run;
use test_servers::s3::S3Server;

use crate::deploy::manifests;
use crate::operator_drills::api::Admin;
use crate::operator_drills::api::Api;
use crate::program::program;

pub(super) const SOURCES: &str = "databases";
pub(super) const DRILLS: &str = "restore-drills";
pub(super) const BUCKET: &str = "backups";
pub(super) const FOLDER: &str = "deploy/kustomize/drills";

pub(super) const ACCOUNT: &str = "cnpg-restore-drills";

pub(super) struct Stage {
    pub(super) api: Api,
    pub(super) s3: S3Server,
    pub(super) barman: Barman,
    /// The names of the archived segments behind the backup.
    pub(super) segments: Vec<String>,
    /// How many pods the operator has made.
    pub(super) pods_made: AtomicU32,
    files: TempDir,
}

impl Stage {
    /// With one backup, and a row in each of four segments behind it.
    pub(super) async fn new() -> Self {
        Self::after(async |primary, barman| {
            barman.backup(primary, &BackupOptions::default()).await;
            insert(primary, 4).await
        })
        .await
    }

    /// After a primary with the table `kept` has done this, and is gone. The answer are segments behind the
    /// backup.
    pub(super) async fn after(
        work: impl AsyncFnOnce(&mut Postgres, &Barman) -> Vec<String>,
    ) -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET);
        let endpoint = Endpoint {
            url: s3.endpoint_url(),
            access_key_id: s3.access_key().to_owned(),
            secret_access_key: s3.secret_key().to_owned(),
        };
        let barman = Barman::new(endpoint, "s3://backups/prod/", "main");
        let mut primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
        primary.sql("CREATE TABLE kept (n int)").await;
        let segments = work(&mut primary, &barman).await;
        drop(primary);
        let api = Api::start().await;
        let files = Account::own().temporary_directory();
        let pods_made = AtomicU32::new(0);
        let stage = Self { api, s3, barman, segments, pods_made, files };
        stage.install().await;
        stage
    }

    async fn install(&self) {
        self.api.clear(&[SOURCES, DRILLS]);
        let deployed = manifests::built_from(FOLDER).await.into_iter();
        let wanted = ["ServiceAccount", "Role", "RoleBinding"];
        for object in deployed.filter(|it| wanted.contains(&it.kind())) {
            self.apply(&object.value);
        }
        self.apply(&self.store("s3://backups/prod/"));
        self.apply(&self.source());
        let image = json!({"image": "ghcr.io/cloudnative-pg/postgresql:15.14"});
        self.admin().patch_status("clusters", SOURCES, "main", &image);
    }

    pub(super) fn admin(&self) -> Admin<'_> {
        self.api.admin()
    }

    pub(super) fn apply(&self, object: &Value) {
        self.admin().apply(object);
    }

    pub(super) fn user(&self) -> User {
        User::service_account(DRILLS, ACCOUNT)
    }

    /// A drill of the only cluster.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_of_any();
        command.args(["--namespace", SOURCES, "--cluster", "main"]).args(arguments);
        command
    }

    /// The command as the runner's pod runs it.
    pub(super) fn command_of_any(&self) -> Command {
        self.command_with_check("SELECT count(*) >= 0 FROM public.kept")
    }

    /// A drill of the only cluster, which asks this of the copy.
    pub(super) async fn run_with_check(&self, query: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command_with_check(query);
        command.args(["--namespace", SOURCES, "--cluster", "main"]).args(arguments);
        run(command, LIMIT).await
    }

    fn command_with_check(&self, query: &str) -> Command {
        let mut command = program();
        command.env("KUBECONFIG", self.api.kubeconfig(DRILLS, ACCOUNT));
        command.arg("drill").arg("--config").arg(self.config(query));
        command.args(["--log-level", "debug", "--drill-namespace", DRILLS]);
        command
    }

    /// The files of a Secret with the keys of the store.
    pub(super) fn keys(&self) -> [PathBuf; 2] {
        let file = |name: &str| self.files.path().join(name);
        let Endpoint { access_key_id, secret_access_key, .. } = &self.barman.endpoint;
        fs::write(file("ACCESS_KEY_ID"), access_key_id).unwrap();
        fs::write(file("ACCESS_SECRET_KEY"), secret_access_key).unwrap();
        [file("ACCESS_KEY_ID"), file("ACCESS_SECRET_KEY")]
    }

    fn config(&self, query: &str) -> PathBuf {
        let [access_key_id, secret_access_key] = self.keys();
        let url = &self.barman.endpoint.url;
        let archive = json!({
            "namespace": SOURCES, "cluster": "main", "server_name": "main",
            "destination_path": self.barman.destination_path, "endpoint_url": url,
            "region": "auto",
        });
        let check = json!({"name": "rows", "database": "postgres",
            "query": query, "expected": "t"});
        let config = json!({
            "credentials": {
                "access_key_id_file": access_key_id,
                "secret_access_key_file": secret_access_key,
            },
            "archives": [archive],
            "drills": {"checks": [check]},
        });
        self.write("config.yaml", &config.to_string())
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.files.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.files.path().join("log")
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Finished {
        run(self.command(arguments), LIMIT).await
    }

    /// The reports that are kept, oldest first.
    pub(super) fn reports(&self) -> Vec<Value> {
        let maps = self.admin().list("configmaps", DRILLS).into_iter();
        let texts = maps.filter_map(|map| Some(map["data"]["report.json"].as_str()?.to_owned()));
        texts.map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    /// What is in the namespace of drills that a drill makes.
    pub(super) fn left(&self) -> Vec<String> {
        let kinds = ["clusters", "jobs", "pods", "persistentvolumeclaims", "secrets"];
        let names = |kind: &str| -> Vec<String> {
            let objects = self.admin().list(kind, DRILLS);
            let name = |it: &Value| it["metadata"]["name"].as_str().unwrap().to_owned();
            objects.iter().map(|it| format!("{kind} {}", name(it))).collect()
        };
        kinds.into_iter().flat_map(names).collect()
    }
}

/// A row in each of so many segments; the names of these.
pub(super) async fn insert(primary: &Postgres, count: u32) -> Vec<String> {
    let mut segments = Vec::new();
    for n in 0..count {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        segments.extend(primary.archive_segments(1).await);
    }
    segments
}

pub(super) fn stamp() -> String {
    clock::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A drill takes some seconds here; the rest is for a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(240);
