//! The kinds that the server knows: those it was born with, and those that a
//! `CustomResourceDefinition` adds.

use serde_json::Value;
use serde_json::json;

/// One served resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ResourceType {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) short_names: Vec<String>,
    pub(super) namespaced: bool,
    pub(super) has_status: bool,
    /// Whether `metadata.generation` counts changes.
    pub(super) has_generation: bool,
    /// The structural schema of a custom resource; `None` for a kind born with the server.
    pub(super) schema: Option<Value>,
}

impl ResourceType {
    /// `plural.group`, or the plural alone in the core group.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `group/version`, or the version alone in the core group.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    pub(super) fn is_custom(&self) -> bool {
        self.schema.is_some()
    }

    pub(super) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// The field selectors that the kind supports, beside those on the metadata.
    pub(super) fn selectable_fields(&self) -> &'static [&'static str] {
        match (self.group.as_str(), self.plural.as_str()) {
            ("", "pods") => &["status.phase", "spec.nodeName", "spec.serviceAccountName"],
            ("", "secrets") => &["type"],
            ("", "namespaces") => &["status.phase"],
            ("events.k8s.io", "events") => &[
                "reason",
                "type",
                "reportingController",
                "regarding.kind",
                "regarding.name",
                "regarding.namespace",
                "regarding.uid",
            ],
            _ => &[],
        }
    }

    /// The resource, and its subresources, as discovery lists them.
    pub(super) fn api_resources(&self) -> Vec<Value> {
        let verbs =
            ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        let mut listed = vec![json!({
            "name": self.plural, "singularName": self.singular, "namespaced": self.namespaced,
            "kind": self.kind, "verbs": verbs, "shortNames": self.short_names,
        })];
        if self.has_status {
            listed.push(json!({
                "name": format!("{}/status", self.plural), "singularName": "",
                "namespaced": self.namespaced, "kind": self.kind,
                "verbs": ["get", "patch", "update"],
            }));
        }
        if self.is("", "pods") {
            listed.push(json!({
                "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod",
                "verbs": ["get"],
            }));
        }
        if self.is("", "serviceaccounts") {
            listed.push(json!({
                "name": "serviceaccounts/token", "singularName": "", "namespaced": true,
                "kind": "TokenRequest", "group": "authentication.k8s.io", "version": "v1",
                "verbs": ["create"],
            }));
        }
        listed
    }
}

const CLUSTER: u8 = 1;
const STATUS: u8 = 2;
const GENERATION: u8 = 4;

/// The kinds of Kubernetes itself that the daemon, its manifests and its tests meet.
pub(super) fn built_in() -> Vec<ResourceType> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let table = [
        ("", "Namespace", "namespaces", "ns", CLUSTER | STATUS),
        ("", "Pod", "pods", "po", STATUS | GENERATION),
        ("", "Secret", "secrets", "", 0),
        ("", "Service", "services", "svc", STATUS),
        ("", "ConfigMap", "configmaps", "cm", 0),
        ("", "ServiceAccount", "serviceaccounts", "sa", 0),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", STATUS),
        ("apps", "Deployment", "deployments", "deploy", STATUS | GENERATION),
        ("batch", "Job", "jobs", "", STATUS | GENERATION),
        ("batch", "CronJob", "cronjobs", "cj", STATUS | GENERATION),
        ("coordination.k8s.io", "Lease", "leases", "", 0),
        ("events.k8s.io", "Event", "events", "ev", 0),
        ("networking.k8s.io", "NetworkPolicy", "networkpolicies", "netpol", GENERATION),
        (RBAC, "Role", "roles", "", 0),
        (RBAC, "RoleBinding", "rolebindings", "", 0),
        (RBAC, "ClusterRole", "clusterroles", "", CLUSTER),
        (RBAC, "ClusterRoleBinding", "clusterrolebindings", "", CLUSTER),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            "crd",
            CLUSTER | STATUS | GENERATION,
        ),
    ];
    table
        .into_iter()
        .map(|(group, kind, plural, short, traits)| ResourceType {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: (!short.is_empty()).then(|| short.to_owned()).into_iter().collect(),
            namespaced: traits & CLUSTER == 0,
            has_status: traits & STATUS != 0,
            has_generation: traits & GENERATION != 0,
            schema: None,
        })
        .collect()
}
