//! The API server as an administrator uses it.

use std::path::Path;

use hyper::Request;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::ResourceExt;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::ValidationDirective;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;

/// The double, or another server.
pub(super) struct Server {
    double: Option<ApiServer>,
    client: Client,
    /// The cluster entry of the administrator's kubeconfig: address and authority.
    pub(super) access: Value,
}

/// Names the kubeconfig of an administrator.
pub(crate) const VARIABLE: &str = "BACKUP_VERIFIER_KUBECONFIG";

/// On what belongs to no namespace of a test.
pub(crate) const LABEL: &str = "backup-verifier.monosense.dev/test";

/// The value on namespaces that tests share.
pub(crate) const SHARED: &str = "shared";

const CLUSTER_WIDE: [&str; 4] =
    ["Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"];

impl Server {
    /// With the custom resources.
    pub(super) async fn start() -> Self {
        if let Some(kubeconfig) = std::env::var_os(VARIABLE) {
            return Self::at(Path::new(&kubeconfig), None).await;
        }
        let server = Self::double().await;
        server.as_double().install_all_crds();
        server
    }

    /// The double, without custom resources.
    pub(super) async fn double() -> Self {
        let double = ApiServer::start().await.unwrap();
        let kubeconfig = double.kubeconfig(&User::admin());
        Self::at(&kubeconfig, Some(double)).await
    }

    async fn at(kubeconfig: &Path, double: Option<ApiServer>) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let context = kubeconfig.current_context.clone().unwrap();
        let context = kubeconfig.contexts.iter().find(|it| it.name == context);
        let name = &context.unwrap().context.as_ref().unwrap().cluster;
        let cluster = kubeconfig.clusters.iter().find(|it| it.name == *name).unwrap();
        let access = serde_json::to_value(cluster.cluster.as_ref().unwrap()).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Self { double, client: Client::try_from(config).unwrap(), access }
    }

    pub(super) fn as_double(&self) -> &ApiServer {
        self.double.as_ref().unwrap()
    }

    pub(super) fn is_double(&self) -> bool {
        self.double.is_some()
    }

    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let kind = object["kind"].as_str().unwrap();
        let version = object["apiVersion"].as_str().unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if CLUSTER_WIDE.contains(&kind) {
            return Api::all_with(self.client.clone(), &resource);
        }
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// Server-side apply with strict field validation, and what is stored then.
    pub(super) async fn try_apply(&self, object: &Value) -> Result<Value, kube::Error> {
        self.apply_with(object, PatchParams::apply("tests").force()).await
    }

    /// The same without storing anything.
    pub(super) async fn try_dry_run(&self, object: &Value) -> Result<Value, kube::Error> {
        self.apply_with(object, PatchParams::apply("tests").force().dry_run()).await
    }

    async fn apply_with(
        &self,
        object: &Value,
        mut parameters: PatchParams,
    ) -> Result<Value, kube::Error> {
        parameters.field_validation = Some(ValidationDirective::Strict);
        let stored = self.api(object).patch(name(object), &parameters, &Patch::Apply(object)).await;
        stored.map(|stored| serde_json::to_value(stored).unwrap())
    }

    pub(super) async fn apply(&self, object: &Value) -> Value {
        let applied = self.try_apply(object).await;
        applied.unwrap_or_else(|error| panic!("{error:?}: {object:#}"))
    }

    /// Writes the status of an object, as its controller does. `null` removes a field.
    pub(super) async fn set_status(&self, object: &Value, status: &Value) {
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(json!({"status": status})));
        let patched = self.api(object).patch_status(name(object), &parameters, &patch).await;
        patched.unwrap_or_else(|error| panic!("{error:?}: {object:#}"));
    }

    pub(super) async fn delete(&self, object: &Value) {
        let deleted = self.api(object).delete(name(object), &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("{error:?}: {object:#}"));
    }

    /// All objects of the kind and namespace of this one.
    pub(super) async fn list(&self, example: &Value) -> Vec<Value> {
        let listed = self.api(example).list(&ListParams::default()).await.unwrap();
        listed.items.iter().map(|item| serde_json::to_value(item).unwrap()).collect()
    }

    /// A new token of a service account, by a `TokenRequest`.
    pub(super) async fn create_token(&self, namespace: &str, account: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        });
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&request).unwrap())
            .unwrap();
        let answer: Value = self.client.request(request).await.unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn create_namespace(&self, name: &str) {
        let mut namespace = of_kind("v1", "Namespace");
        namespace["metadata"] = json!({"name": name, "labels": {LABEL: "true"}});
        let typed = serde_json::from_value(namespace.clone()).unwrap();
        let created = self.api(&namespace).create(&PostParams::default(), &typed).await;
        created.unwrap();
    }

    /// Removes what earlier tests left on a server that outlives them. A daemon that looks at all
    /// namespaces would ask for their object stores, which are gone.
    pub(super) async fn sweep(&self) {
        let left = ListParams::default().labels(LABEL);
        let namespaces = of_kind("v1", "Namespace");
        let mut gone = Vec::new();
        for namespace in self.api(&namespaces).list(&left).await.unwrap() {
            let mut clusters = of_kind("postgresql.cnpg.io/v1", "Cluster");
            clusters["metadata"]["namespace"] = json!(namespace.metadata.name);
            let (delete, all) = (DeleteParams::default(), ListParams::default());
            self.api(&clusters).delete_collection(&delete, &all).await.unwrap();
            let is_shared = namespace.labels().get(LABEL).is_some_and(|it| it == SHARED);
            // Without controllers it never goes.
            if namespace.metadata.deletion_timestamp.is_none() && !is_shared {
                gone.push((namespaces.clone(), namespace.metadata.name));
            }
        }
        for kind in ["ClusterRole", "ClusterRoleBinding"] {
            let kind = of_kind("rbac.authorization.k8s.io/v1", kind);
            let roles = self.api(&kind).list(&left).await.unwrap().items.into_iter();
            gone.extend(roles.map(|role| (kind.clone(), role.metadata.name)));
        }
        for (mut object, name) in gone {
            object["metadata"]["name"] = json!(name);
            self.delete(&object).await;
        }
    }
}

fn of_kind(version: &str, kind: &str) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {}})
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}
