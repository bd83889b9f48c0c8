//! A namespace with the daemon's account and roles, and an object store.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::kubernetes::User;
use test_servers::process::Account;
use test_servers::process::wait_until;
use test_servers::s3::S3Server;
use tokio::time::Instant;

use crate::deploy::manifests;
use crate::kubernetes::server::LABEL;
use crate::kubernetes::server::Server;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

pub(super) const ACCOUNT: &str = "cnpg-backup-verifier";
pub(super) const SECRET: &str = "cnpg-r2-secret";
/// The daemon's own.
pub(super) const POD: &str = "verifier";

pub(super) struct World {
    pub(super) server: Server,
    pub(super) namespace: String,
    /// Where the plugin's Deployment is.
    pub(super) operator_namespace: String,
    pub(super) s3: S3Server,
    files: TempDir,
}

/// What the daemon is told beside the address of the server.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) instance_metrics: bool,
    pub(super) secret_reading: bool,
    /// Not only the world's namespace.
    pub(super) all_namespaces: bool,
    /// An archive under `archives`: of this cluster and server name, at the top of the bucket.
    pub(super) configures: Option<&'static str>,
    /// Base backups are read by Jobs, which are made after the pod `verifier`.
    pub(super) jobs: bool,
    /// Drills run in the world's namespace.
    pub(super) drills: bool,
}

impl World {
    /// With roles of the base alone.
    pub(super) async fn begin() -> Self {
        Self::with_components(&[]).await
    }

    /// With roles of the base and of components.
    pub(super) async fn with_components(components: &[&str]) -> Self {
        let server = Server::start().await;
        let world = Self::on(server).await;
        for object in world.deployed(components).await {
            world.server.apply(&object).await;
        }
        world
    }

    /// Two new namespaces, without roles.
    pub(super) async fn on(server: Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("verifier-{:x}-{count}", clock::now().timestamp_millis());
        let operator_namespace = format!("{namespace}-system");
        if !server.is_double() {
            server.sweep().await;
        }
        for namespace in [&namespace, &operator_namespace] {
            server.create_namespace(namespace).await;
        }
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket(BUCKET);
        let files = Account::own().temporary_directory();
        Self { server, namespace, operator_namespace, s3, files }
    }

    /// The account and the roles that `deploy` has for it, moved into this world.
    pub(super) async fn deployed(&self, components: &[&str]) -> Vec<Value> {
        let folder = |name: &&str| format!("deploy/kustomize/components/{name}");
        let components: Vec<String> = components.iter().map(folder).collect();
        let components: Vec<&str> = components.iter().map(String::as_str).collect();
        let built = manifests::build_with(&components).await.into_iter();
        let wanted = built
            .filter(|object| object.kind() == "ServiceAccount" || object.kind().contains("Role"));
        wanted.map(|object| self.moved(object.value)).collect()
    }

    /// Names of what belongs to no namespace get the namespace in front.
    fn moved(&self, mut object: Value) -> Value {
        let place = |namespace: &str| match namespace {
            "cnpg-system" => self.operator_namespace.clone(),
            _ => self.namespace.clone(),
        };
        let own = |name: &Value| json!(format!("{}-{}", self.namespace, name.as_str().unwrap()));
        if let Some(namespace) = object["metadata"]["namespace"].as_str().map(place) {
            object["metadata"]["namespace"] = json!(namespace);
        } else {
            object["metadata"]["name"] = own(&object["metadata"]["name"]);
            object["metadata"]["labels"][LABEL] = json!("true");
        }
        if object["roleRef"]["kind"] == "ClusterRole" {
            object["roleRef"]["name"] = own(&object["roleRef"]["name"]);
        }
        if let Some(subjects) = object.get_mut("subjects") {
            subjects[0]["namespace"] = json!(self.namespace);
        }
        object
    }

    /// The account as the double knows it.
    pub(super) fn user(&self) -> User {
        User::service_account(&self.namespace, ACCOUNT)
    }

    /// The file that the kubeconfig reads the token from.
    pub(super) fn token_file(&self) -> PathBuf {
        self.files.path().join("token")
    }

    /// Replaces the token in one step, as the kubelet does.
    pub(super) async fn write_new_token(&self) {
        let token = self.server.create_token(&self.namespace, ACCOUNT).await;
        let new = self.files.path().join("token.new");
        fs::write(&new, token).unwrap();
        fs::rename(new, self.token_file()).unwrap();
    }

    /// Replaces the keys that the daemon opens stores with.
    pub(super) fn write_keys(&self, access_key_id: &str, secret_access_key: &str) {
        fs::write(self.files.path().join("ACCESS_KEY_ID"), access_key_id).unwrap();
        fs::write(self.files.path().join("ACCESS_SECRET_KEY"), secret_access_key).unwrap();
    }

    /// The daemon as its account, with a new token.
    pub(super) async fn daemon(&self, options: Options) -> Daemon {
        self.write_new_token().await;
        self.daemon_at_once(options).await
    }

    /// The daemon with the token that is there.
    pub(super) async fn daemon_at_once(&self, options: Options) -> Daemon {
        self.write_keys(self.s3.access_key(), self.s3.secret_key());
        let file = |name: &str| self.files.path().join(name).display().to_string();
        let namespaces = if options.all_namespaces { vec![] } else { vec![&self.namespace] };
        let credentials = if options.secret_reading {
            json!({"from_object_store": true})
        } else {
            json!({
                "access_key_id_file": file("ACCESS_KEY_ID"),
                "secret_access_key_file": file("ACCESS_SECRET_KEY"),
            })
        };
        let archives = options.configures.iter().map(|name| {
            json!({
                "namespace": self.namespace, "cluster": name, "server_name": name,
                "destination_path": format!("s3://{BUCKET}/"), "region": "auto",
                "endpoint_url": self.s3.endpoint_url(),
            })
        });
        let content = if options.jobs {
            json!({"base_backups": {"run_as": "job"}, "jobs": {"pod": POD}})
        } else {
            json!({})
        };
        let drills = if options.drills { json!({"namespace": self.namespace}) } else { json!({}) };
        let config = format!(
            "poll_interval: 1s\nfull_listing_interval: 2s\nkubernetes: {}\n\
             credentials: {}\narchives: {}\ncontent: {}\n\
             drills: {drills}\n",
            json!({
                "enabled": true, "namespaces": namespaces,
                "operator_namespace": self.operator_namespace,
                "instance_metrics": options.instance_metrics,
            }),
            credentials,
            archives.collect::<Value>(),
            content,
        );
        let directory = Account::own().temporary_directory();
        Daemon::configured(&config, Some(&self.write_kubeconfig()), directory).await
    }

    /// Leads to the server with the token that is there.
    pub(super) fn write_kubeconfig(&self) -> PathBuf {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {
                "cluster": "test", "user": "test", "namespace": self.namespace,
            }}],
            "clusters": [{"name": "test", "cluster": self.server.access}],
            "users": [{"name": "test", "user": {"tokenFile": self.token_file()}}],
        });
        let path = self.files.path().join("kubeconfig");
        fs::write(&path, kubeconfig.to_string()).unwrap();
        path
    }

    /// Where the keys lie, in the daemon's pod as in those of its Jobs.
    pub(super) fn files(&self) -> &Path {
        self.files.path()
    }

    /// Stores an archive in a folder of the bucket.
    pub(super) fn store(&self, archive: &MadeArchive, folder: &str) {
        let own = archive.folder().as_str().to_owned();
        for (key, (content, uploaded_at)) in &archive.objects {
            let key = format!("{folder}/{}", key.strip_prefix(&own).unwrap());
            self.s3.put_at(BUCKET, key, content.clone(), *uploaded_at);
        }
    }

    /// Applies all of these, each in the world's namespace unless it names one.
    pub(super) async fn apply(&self, objects: &[Value]) {
        for object in objects {
            self.server.apply(object).await;
        }
    }

    /// What the daemon says of the clusters of this world.
    pub(super) async fn archives(&self, daemon: &Daemon) -> Vec<Value> {
        let status = daemon.get("/api/v1/status").await.json();
        let archives = status["archives"].as_array().unwrap().iter();
        archives.filter(|it| it["cnpg_namespace"] == self.namespace.as_str()).cloned().collect()
    }

    /// Waits until the daemon says this of a cluster.
    pub(super) async fn cluster_when(
        &self,
        daemon: &Daemon,
        cluster: &str,
        what: &str,
        mut accept: impl FnMut(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let found = wait_or_tell(async || {
            let archives = self.archives(daemon).await;
            let archive = archives.into_iter().find(|it| it["cnpg_cluster"] == cluster);
            last = archive.unwrap_or(Value::Null);
            (!last.is_null() && accept(&last)).then(|| last.clone())
        })
        .await;
        found.unwrap_or_else(|| panic!("{what}: {:#}\n{}", brief(&last), daemon.log()))
    }

    /// Waits until a cluster has exactly these findings, in any order.
    pub(super) async fn findings_become(
        &self,
        daemon: &Daemon,
        cluster: &str,
        expected: &[&str],
    ) -> Value {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let what = format!("{expected:?}");
        self.cluster_when(daemon, cluster, &what, |it| sorted_codes(it) == expected).await
    }
}

/// The codes of all findings, in the order of the alphabet.
pub(super) fn sorted_codes(archive: &Value) -> Vec<&str> {
    let mut codes = crate::program::codes(archive);
    codes.sort_unstable();
    codes
}

/// The finding with this code.
pub(super) fn finding<'a>(archive: &'a Value, code: &str) -> &'a Value {
    let found = archive["findings"].as_array().unwrap().iter().find(|it| it["code"] == code);
    found.unwrap_or_else(|| panic!("no {code}: {archive:#}"))
}

fn brief(archive: &Value) -> Value {
    let fields = ["cnpg_cluster", "verdict", "destination_path", "findings", "kubernetes"];
    fields.into_iter().map(|field| (field.to_owned(), archive[field].clone())).collect()
}

/// Waits as long as anything here may take; `None` if that was not enough.
pub(super) async fn wait_or_tell<T>(mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    wait_until("what is told by the caller", LIMIT * 2, async || {
        let found = probe().await;
        (found.is_some() || LIMIT < started.elapsed()).then_some(found)
    })
    .await
}

/// It takes a second or two; the rest is for a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(90);
