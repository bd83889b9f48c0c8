//! An archive that PostgreSQL and Barman wrote, the cluster it is of, and the namespace of drills with
//! the rights that `deploy` has for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
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
use crate::kubernetes::server::Server;
use crate::kubernetes::world::new_namespace;
use crate::program::program;

pub(super) const BUCKET: &str = "backups";
pub(super) const FOLDER: &str = "deploy/kustomize/drills";

pub(super) const ACCOUNT: &str = "cnpg-restore-drills";
const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

pub(super) struct Stage {
    pub(super) server: Server,
    /// The namespace of the cluster that is drilled.
    pub(super) sources: String,
    /// The namespace of drills.
    pub(super) drills: String,
    pub(super) s3: S3Server,
    pub(super) barman: Barman,
    /// The names of the archived segments behind the backup.
    pub(super) segments: Vec<String>,
    files: TempDir,
}

impl Stage {
    /// With one backup, and a row in each of four segments behind it.
    pub(super) async fn new() -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET);
        let endpoint = Endpoint {
            url: s3.endpoint_url(),
            access_key_id: s3.access_key().to_owned(),
            secret_access_key: s3.secret_key().to_owned(),
        };
        let barman = Barman::new(endpoint, "s3://backups/prod/", "main");
        let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
        primary.sql("CREATE TABLE kept (n int)").await;
        barman.backup(&primary, &BackupOptions::default()).await;
        let mut segments = Vec::new();
        for n in 0..4 {
            primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
            segments.extend(primary.archive_segments(1).await);
        }
        let server = Server::start().await;
        if !server.is_double() {
            server.sweep().await;
        }
        let (sources, drills) = (new_namespace("databases"), new_namespace("restore-drills"));
        let files = Account::own().temporary_directory();
        let stage = Self { server, sources, drills, s3, barman, segments, files };
        stage.install().await;
        stage
    }

    async fn install(&self) {
        for name in [&self.sources, &self.drills] {
            self.server.create_namespace(name).await;
        }
        let deployed = manifests::built_from(FOLDER).await.into_iter();
        let wanted = ["ServiceAccount", "Role", "RoleBinding"];
        for object in deployed.filter(|it| wanted.contains(&it.kind())) {
            self.server.apply(&self.moved(object.value)).await;
        }
        self.server.apply(&self.store("s3://backups/prod/")).await;
        let source = self.source();
        self.server.apply(&source).await;
        let image = json!({"image": "ghcr.io/cloudnative-pg/postgresql:15.14"});
        self.server.set_status(&source, &image).await;
        let token = self.server.create_token(&self.drills, ACCOUNT).await;
        fs::write(self.files.path().join("token"), token).unwrap();
    }

    /// Into the namespaces of this stage.
    fn moved(&self, mut object: Value) -> Value {
        let place = |namespace: &Value| match namespace.as_str() {
            Some("restore-drills") => json!(self.drills),
            _ => json!(self.sources),
        };
        object["metadata"]["namespace"] = place(&object["metadata"]["namespace"]);
        if let Some(subjects) = object.get_mut("subjects") {
            subjects[0]["namespace"] = place(&subjects[0]["namespace"]);
        }
        object
    }

    pub(super) fn store(&self, destination_path: &str) -> Value {
        json!({
            "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
            "metadata": {"name": "drills", "namespace": self.drills},
            "spec": {"configuration": {
                "destinationPath": destination_path, "endpointURL": self.s3.endpoint_url(),
                "s3Credentials": {
                    "accessKeyId": {"name": "keys", "key": "ACCESS_KEY_ID"},
                    "secretAccessKey": {"name": "keys", "key": "ACCESS_SECRET_KEY"},
                },
            }},
        })
    }

    fn source(&self) -> Value {
        let plugin = json!({"name": PLUGIN, "isWALArchiver": true,
            "parameters": {"barmanObjectName": "store"}});
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": "main", "namespace": self.sources},
            "spec": {
                "instances": 3, "imageName": "ghcr.io/cloudnative-pg/postgresql:15",
                "storage": {"size": "1Gi"}, "plugins": [plugin],
                "imagePullSecrets": [{"name": "registry"}], "schedulerName": "own",
                "affinity": {"nodeSelector": {"disk": "fast"}},
            },
        })
    }

    /// What stands for an object of the namespace of drills: enough to ask for it.
    pub(super) fn object(&self, plural: &str, name: &str) -> Value {
        let (version, kind) = match plural {
            "clusters" => ("postgresql.cnpg.io/v1", "Cluster"),
            "configmaps" => ("v1", "ConfigMap"),
            "jobs" => ("batch/v1", "Job"),
            "leases" => ("coordination.k8s.io/v1", "Lease"),
            "persistentvolumeclaims" => ("v1", "PersistentVolumeClaim"),
            "pods" => ("v1", "Pod"),
            "roles" => ("rbac.authorization.k8s.io/v1", "Role"),
            "secrets" => ("v1", "Secret"),
            _ => panic!("{plural}"),
        };
        let metadata = json!({"name": name, "namespace": self.drills});
        json!({"apiVersion": version, "kind": kind, "metadata": metadata})
    }

    /// All of a kind in the namespace of drills.
    pub(super) async fn list(&self, plural: &str) -> Vec<Value> {
        let mut listed = self.server.list(&self.object(plural, "")).await;
        // Items of a list do not say what they are.
        for item in &mut listed {
            let object = self.object(plural, "");
            (item["apiVersion"], item["kind"]) =
                (object["apiVersion"].clone(), object["kind"].clone());
        }
        listed
    }

    pub(super) fn user(&self) -> User {
        User::service_account(&self.drills, ACCOUNT)
    }

    /// A drill of the only cluster.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_of_any();
        command.args(["--namespace", &self.sources, "--cluster", "main"]).args(arguments);
        command
    }

    /// The command as the runner's pod runs it.
    pub(super) fn command_of_any(&self) -> Command {
        let mut command = program();
        let file = |name: &str| self.files.path().join(name);
        let kubeconfig = self.server.kubeconfig(&self.drills, &file("token"));
        fs::write(file("kubeconfig"), kubeconfig.to_string()).unwrap();
        command.env("KUBECONFIG", file("kubeconfig"));
        command.arg("drill").arg("--config").arg(self.config());
        command.args(["--log-level", "debug", "--drill-namespace", &self.drills]);
        command
    }

    fn config(&self) -> PathBuf {
        let file = |name: &str| self.files.path().join(name);
        let Endpoint { url, access_key_id, secret_access_key } = &self.barman.endpoint;
        fs::write(file("ACCESS_KEY_ID"), access_key_id).unwrap();
        fs::write(file("ACCESS_SECRET_KEY"), secret_access_key).unwrap();
        let archive = json!({
            "namespace": self.sources, "cluster": "main", "server_name": "main",
            "destination_path": self.barman.destination_path, "endpoint_url": url,
            "region": "auto",
        });
        let check = json!({"name": "rows", "database": "postgres",
            "query": "SELECT count(*) >= 0 FROM public.kept", "expected": "t"});
        let config = json!({
            "credentials": {
                "access_key_id_file": file("ACCESS_KEY_ID"),
                "secret_access_key_file": file("ACCESS_SECRET_KEY"),
            },
            "archives": [archive],
            "drills": {"checks": [check]},
        });
        fs::write(file("config.yaml"), config.to_string()).unwrap();
        file("config.yaml")
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.files.path().join("log")
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Finished {
        run(self.command(arguments), LIMIT).await
    }

    /// The reports that are kept, oldest first.
    pub(super) async fn reports(&self) -> Vec<Value> {
        let maps = self.list("configmaps").await.into_iter();
        let texts = maps.filter_map(|map| Some(map["data"]["report.json"].as_str()?.to_owned()));
        texts.map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    /// What is in the namespace of drills that a drill makes.
    pub(super) async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for kind in ["clusters", "jobs", "pods", "persistentvolumeclaims", "secrets"] {
            let objects = self.list(kind).await.into_iter();
            left.extend(
                objects.map(|it| format!("{kind} {}", it["metadata"]["name"].as_str().unwrap())),
            );
        }
        left
    }
}

pub(super) fn stamp() -> String {
    clock::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A drill takes some seconds here; the rest is for a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(240);
