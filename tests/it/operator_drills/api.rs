//! The API server of a stage: the double in this process or, for `make test-kube`, another one by kubectl.
//!
//! That one has the custom resources and neither controllers nor kubelets: nobody keeps a log there, and
//! what the operator of the tests does not remove stays.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::kubernetes;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::FaultControl;
use test_servers::kubernetes::PermissionUse;
use test_servers::kubernetes::User;
use test_servers::process::Account;
use test_servers::tools;

use crate::kubernetes::server::LABEL;
use crate::kubernetes::server::SHARED;
use crate::kubernetes::server::VARIABLE;

pub(super) struct Api {
    double: Option<ApiServer>,
    /// Of an administrator of the other one.
    kubeconfig: PathBuf,
    files: TempDir,
}

impl Api {
    pub(super) async fn start() -> Self {
        let files = Account::own().temporary_directory();
        if let Some(kubeconfig) = env::var_os(VARIABLE) {
            return Self { double: None, kubeconfig: kubeconfig.into(), files };
        }
        let double = ApiServer::start().await.unwrap();
        double.install_all_crds();
        Self { double: Some(double), kubeconfig: PathBuf::new(), files }
    }

    pub(super) fn is_double(&self) -> bool {
        self.double.is_some()
    }

    fn as_double(&self) -> &ApiServer {
        self.double.as_ref().unwrap()
    }

    pub(super) fn faults(&self) -> FaultControl<'_> {
        self.as_double().faults()
    }

    pub(super) fn permission_use(&self, user: &User) -> PermissionUse {
        self.as_double().permission_use(user)
    }

    pub(super) fn admin(&self) -> Admin<'_> {
        match &self.double {
            Some(double) => Admin::Double(double.admin()),
            None => Admin::Kubectl(&self.kubeconfig),
        }
    }

    /// Leads here as a service account.
    pub(super) fn kubeconfig(&self, namespace: &str, account: &str) -> PathBuf {
        if let Some(double) = &self.double {
            return double.kubeconfig(&User::service_account(namespace, account));
        }
        let admin = self.admin();
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600}});
        let answer =
            admin.kubectl(["create", "--raw", &path, "--filename=-"], &request.to_string());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let view = admin.kubectl(["config", "view", "--raw", "--minify", "--output=json"], "");
        let mut kubeconfig: Value = serde_json::from_str(&view).unwrap();
        kubeconfig["users"][0]["user"] = json!({"token": answer["status"]["token"]});
        let file = self.files.path().join(format!("{namespace}-{account}"));
        fs::write(&file, kubeconfig.to_string()).unwrap();
        file
    }

    /// Has these namespaces be there, and nothing of an earlier stage in them. They stay: without a
    /// controller a namespace is never gone.
    pub(super) fn clear(&self, namespaces: &[&str]) {
        let kinds = [
            "clusters.postgresql.cnpg.io",
            "objectstores.barmancloud.cnpg.io",
            "jobs",
            "pods",
            "persistentvolumeclaims",
            "secrets",
            "configmaps",
            "leases",
        ];
        let admin = self.admin();
        for namespace in namespaces {
            let metadata = json!({"name": namespace, "labels": {LABEL: SHARED}});
            admin.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
            for kind in kinds.into_iter().filter(|_| !self.is_double()) {
                for object in admin.list(kind, namespace) {
                    admin.delete(kind, namespace, object["metadata"]["name"].as_str().unwrap());
                }
            }
        }
    }
}

/// As [`kubernetes::Admin`].
pub(super) enum Admin<'a> {
    Double(kubernetes::Admin<'a>),
    Kubectl(&'a Path),
}

impl Admin<'_> {
    pub(super) fn apply(&self, object: &Value) {
        match self {
            Self::Double(double) => double.apply(&object.to_string()),
            Self::Kubectl(_) => {
                let apply = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
                self.kubectl(apply, &object.to_string());
            }
        }
    }

    pub(super) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        match self {
            Self::Double(double) => double.get(plural, namespace, name),
            Self::Kubectl(_) => {
                let get = ["get", plural, name, "--namespace", namespace];
                let got = self.kubectl([&get[..], &["--ignore-not-found", JSON]].concat(), "");
                (!got.is_empty()).then(|| serde_json::from_str(&got).unwrap())
            }
        }
    }

    pub(super) fn list(&self, plural: &str, namespace: &str) -> Vec<Value> {
        match self {
            Self::Double(double) => double.list(plural, namespace),
            Self::Kubectl(_) => {
                let list = self.kubectl(["get", plural, "--namespace", namespace, JSON], "");
                let mut list: Value = serde_json::from_str(&list).unwrap();
                list["items"].as_array_mut().map(std::mem::take).unwrap()
            }
        }
    }

    pub(super) fn create(&self, object: &Value) {
        match self {
            Self::Double(double) => drop(double.create(object)),
            Self::Kubectl(_) => drop(self.kubectl(["create", "--filename=-"], &object.to_string())),
        }
    }

    pub(super) fn patch(&self, plural: &str, namespace: &str, name: &str, patch: &Value) {
        match self {
            Self::Double(double) => drop(double.patch(plural, namespace, name, patch)),
            Self::Kubectl(_) => self.merge([plural, namespace, name], patch, &[]),
        }
    }

    pub(super) fn patch_status(&self, plural: &str, namespace: &str, name: &str, status: &Value) {
        match self {
            Self::Double(double) => drop(double.patch_status(plural, namespace, name, status)),
            Self::Kubectl(_) => {
                let status = json!({"status": status});
                self.merge([plural, namespace, name], &status, &["--subresource=status"]);
            }
        }
    }

    /// Only the double does.
    pub(super) fn predate(&self, plural: &str, namespace: &str, name: &str, created_at: &str) {
        if let Self::Double(double) = self {
            double.predate(plural, namespace, name, created_at);
        }
    }

    /// Only the double does.
    pub(super) fn add_to_log(&self, namespace: &str, pod: &str, container: &str, lines: &str) {
        if let Self::Double(double) = self {
            double.add_to_log(namespace, pod, container, lines);
        }
    }

    /// Whatever holds it: who would let it go is not there.
    pub(super) fn delete(&self, plural: &str, namespace: &str, name: &str) {
        match self {
            Self::Double(double) => double.delete(plural, namespace, name),
            Self::Kubectl(_) => {
                let delete = ["delete", plural, name, "--namespace", namespace, "--wait=false"];
                self.kubectl(delete, "");
                if self.get(plural, namespace, name).is_some() {
                    let free = json!({"metadata": {"finalizers": null}});
                    self.merge([plural, namespace, name], &free, &[]);
                }
            }
        }
    }

    fn merge(&self, [plural, namespace, name]: [&str; 3], patch: &Value, more: &[&str]) {
        let patch = format!("--patch={patch}");
        let merge = ["patch", plural, name, "--namespace", namespace, "--type=merge", &patch];
        self.kubectl([&merge[..], more].concat(), "");
    }

    fn kubectl<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &str) -> String {
        let Self::Kubectl(kubeconfig) = self else { unreachable!("the double is asked at once") };
        let mut command = Command::new(tools::manifests("kubectl"));
        command.arg("--kubeconfig").arg(kubeconfig).args(args);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut kubectl = piped.spawn().unwrap();
        kubectl.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let finished = kubectl.wait_with_output().unwrap();
        assert!(finished.status.success(), "{command:?}: {finished:?}");
        String::from_utf8(finished.stdout).unwrap()
    }
}

const JSON: &str = "--output=json";
