//! RBAC, from the objects that the server keeps
//! (`plugin/pkg/auth/authorizer/rbac/rbac.go`, `pkg/apis/rbac/v1/evaluation_helpers.go`).

use serde_json::Value;

use crate::kubernetes::call::Target;
use crate::kubernetes::identity::User;
use crate::kubernetes::json::items;
use crate::kubernetes::json::text;
use crate::kubernetes::json::texts;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;

const GROUP: &str = "rbac.authorization.k8s.io";

/// What an API server grants before anybody binds a role.
pub(super) const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// Refuses what no role of the user grants.
pub(super) fn authorize(
    state: &State,
    user: &User,
    target: &Target,
    path: &str,
) -> Result<(), Failure> {
    if is_allowed(state, user, target, path) {
        return Ok(());
    }
    let Target { verb, group, namespace, name, .. } = target;
    if !target.is_resource() {
        let message = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
        return Err(Failure::new(403, "Forbidden", message));
    }
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {namespace:?}")
    };
    let resource = target.resource_path();
    let what = format!(
        "User {:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}",
        user.name
    );
    Err(Failure::forbidden(group, &target.resource, name, &what))
}

/// Whether a role of the user grants the request.
pub(super) fn is_allowed(state: &State, user: &User, target: &Target, path: &str) -> bool {
    user.groups.iter().any(|group| group == "system:masters")
        || rules_of(state, user).iter().any(|granted| {
            granted.namespace.as_ref().is_none_or(|namespace| *namespace == target.namespace)
                && granted.allows(target, path)
        })
}

/// A rule that a binding gives to a user.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    /// `None` when it holds in all namespaces.
    pub(super) namespace: Option<String>,
    /// The binding that gives it.
    pub(super) binding: String,
    pub(super) rule: Value,
}

impl Granted {
    fn allows(&self, target: &Target, path: &str) -> bool {
        let has = |pointer: &str, wanted: &str| {
            texts(&self.rule, pointer).any(|entry| entry == "*" || entry == wanted)
        };
        if !has("/verbs", target.verb) {
            return false;
        }
        if !target.is_resource() {
            // Only a binding for the whole cluster can grant a path.
            return self.namespace.is_none()
                && texts(&self.rule, "/nonResourceURLs").any(|url| match url.strip_suffix('*') {
                    Some(prefix) => path.starts_with(prefix),
                    None => path == url,
                });
        }
        let resource = target.resource_path();
        let any_of_subresource = format!("*/{}", target.subresource);
        let names = items(&self.rule, "/resourceNames");
        has("/apiGroups", &target.group)
            && (has("/resources", &resource)
                || (!target.subresource.is_empty() && has("/resources", &any_of_subresource)))
            && (names.is_empty() || names.iter().any(|name| *name == *target.name))
    }
}

/// All rules that hold for a user, of all bindings.
pub(super) fn rules_of(state: &State, user: &User) -> Vec<Granted> {
    let mut granted = Vec::new();
    for plural in ["clusterrolebindings", "rolebindings"] {
        for binding in state.objects(GROUP, plural) {
            let namespace = text(&binding, "/metadata/namespace");
            if !items(&binding, "/subjects").iter().any(|subject| names(subject, user, namespace)) {
                continue;
            }
            let role_namespace = match text(&binding, "/roleRef/kind") {
                "Role" => namespace,
                _ => "",
            };
            let roles = if role_namespace.is_empty() { "clusterroles" } else { "roles" };
            let kind = state.find_type(GROUP, roles).expect("a kind of Kubernetes");
            let role = state.get(&kind, role_namespace, text(&binding, "/roleRef/name"));
            for rule in role.iter().flat_map(|role| items(role, "/rules")) {
                granted.push(Granted {
                    namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
                    binding: text(&binding, "/metadata/name").to_owned(),
                    rule: rule.clone(),
                });
            }
        }
    }
    granted
}

fn names(subject: &Value, user: &User, binding_namespace: &str) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = match text(subject, "/namespace") {
                "" => binding_namespace,
                namespace => namespace,
            };
            user.as_service_account() == Some((namespace, name))
        }
        _ => false,
    }
}
