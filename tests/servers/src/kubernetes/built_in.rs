//! The kinds of Kubernetes itself: their fields, from `k8s-openapi`, and the checks that clients
//! run into (`pkg/apis/*/validation`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1 as rbac;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::serde::Serialize;
use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::crd;
use crate::kubernetes::event;
use crate::kubernetes::fields;
use crate::kubernetes::json::items;
use crate::kubernetes::json::map_mut;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::json::text;
use crate::kubernetes::json::text_map;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// Takes out what the kind has no field for, and returns the paths of it.
pub(super) fn prune(kind: &ResourceType, object: &mut Value) -> Result<Vec<String>, Failure> {
    let known = match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => known::<core::Namespace>(object),
        ("", "pods") => known::<core::Pod>(object),
        ("", "secrets") => known::<core::Secret>(object),
        ("", "services") => known::<core::Service>(object),
        ("", "configmaps") => known::<core::ConfigMap>(object),
        ("", "serviceaccounts") => known::<core::ServiceAccount>(object),
        ("", "persistentvolumeclaims") => known::<core::PersistentVolumeClaim>(object),
        ("apps", "deployments") => known::<Deployment>(object),
        ("batch", "jobs") => known::<Job>(object),
        ("batch", "cronjobs") => known::<CronJob>(object),
        ("coordination.k8s.io", "leases") => known::<Lease>(object),
        ("events.k8s.io", "events") => known::<Event>(object),
        ("networking.k8s.io", "networkpolicies") => known::<NetworkPolicy>(object),
        (_, "roles") => known::<rbac::Role>(object),
        (_, "rolebindings") => known::<rbac::RoleBinding>(object),
        (_, "clusterroles") => known::<rbac::ClusterRole>(object),
        (_, "clusterrolebindings") => known::<rbac::ClusterRoleBinding>(object),
        (_, "customresourcedefinitions") => {
            known::<apiextensions::CustomResourceDefinition>(object)
        }
        (group, plural) => unreachable!("{plural} of {group:?} has no type"),
    };
    let known = known.map_err(|error| fields::unreadable(kind, &error.to_string()))?;
    let mut unknown = Vec::new();
    compare(object, &known, "", &mut unknown);
    Ok(unknown)
}

/// The object with the fields of its type only.
fn known<T: Serialize + DeserializeOwned>(object: &Value) -> serde_json::Result<Value> {
    serde_json::to_value(T::deserialize(object)?)
}

fn compare(sent: &mut Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match sent {
        Value::Object(fields) => fields.retain(|key, value| {
            let path = format!("{path}.{key}");
            match known.get(key) {
                Some(known) => {
                    compare(value, known, &path, unknown);
                    true
                }
                None if value.is_null() => false,
                None => {
                    unknown.push(path);
                    false
                }
            }
        }),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                compare(item, &known[index], &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Fills in what the server itself fills in, as far as a client can see it.
pub(super) fn default(kind: &ResourceType, object: &mut Value) -> Result<(), Failure> {
    let mut fill = |place: &str, key: &str, value: Value| {
        map_mut(object, place).entry(key.to_owned()).or_insert(value);
    };
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => {
            fill("spec", "finalizers", json!(["kubernetes"]));
            fill("status", "phase", json!("Active"));
            let name = json!(text(object, "/metadata/name"));
            let labels = metadata_mut(object).entry("labels").or_insert_with(|| json!({}));
            labels["kubernetes.io/metadata.name"] = name;
        }
        ("", "pods" | "persistentvolumeclaims") => fill("status", "phase", json!("Pending")),
        ("", "services") => fill("spec", "type", json!("ClusterIP")),
        ("apps", "deployments") => fill("spec", "replicas", json!(1)),
        ("", "secrets") => {
            let texts = text_map(object, "/stringData");
            let secret = object.as_object_mut().expect("checked before");
            secret.remove("stringData");
            secret.entry("type").or_insert(json!("Opaque"));
            for (key, value) in texts {
                map_mut(object, "data").insert(key, json!(BASE64_STANDARD.encode(value)));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The faults of an object; `live` is what it replaces.
pub(super) fn check(kind: &ResourceType, object: &Value, live: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("events.k8s.io", "events") => return event::check(object, live),
        ("apiextensions.k8s.io", _) => return crd::check(object),
        ("batch", "jobs") => {
            if !matches!(text(object, "/spec/template/spec/restartPolicy"), "Never" | "OnFailure") {
                let detail = "valid values: \"OnFailure\", \"Never\"";
                causes.push(Cause::required("spec.template.spec.restartPolicy", detail));
            }
            containers(object, "/spec/template/spec", "spec.template.spec", &mut causes);
            let template = |object: &Value| object["spec"].get("template").cloned();
            if live.is_some_and(|live| template(live) != template(object)) {
                let value = json!("object");
                causes.push(Cause::invalid("spec.template", &value, "field is immutable"));
            }
        }
        ("apps", "deployments") => {
            let selector = text_map(object, "/spec/selector/matchLabels");
            let labels = text_map(object, "/spec/template/metadata/labels");
            if selector.is_empty() {
                causes.push(Cause::required("spec.selector", ""));
            }
            if selector.iter().any(|(key, value)| labels.get(key) != Some(value)) {
                let detail = "`selector` does not match template `labels`";
                let field = "spec.template.metadata.labels";
                causes.push(Cause::invalid(field, &json!(labels), detail));
            }
            containers(object, "/spec/template/spec", "spec.template.spec", &mut causes);
            let selector = |object: &Value| object["spec"].get("selector").cloned();
            if live.is_some_and(|live| selector(live) != selector(object)) {
                let value = json!("object");
                causes.push(Cause::invalid("spec.selector", &value, "field is immutable"));
            }
        }
        ("", "pods") => containers(object, "/spec", "spec", &mut causes),
        ("", "secrets") => {
            if let Some(live) = live
                && live["type"] != object["type"]
            {
                causes.push(Cause::invalid("type", &object["type"], "field is immutable"));
            }
            if live.is_some_and(|live| live["immutable"] == true && live["data"] != object["data"])
            {
                let detail = "field is immutable when `immutable` is set";
                causes.push(Cause::forbidden("data", detail));
            }
        }
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => rules(kind, object, &mut causes),
        ("rbac.authorization.k8s.io", _) => {
            if live.is_some_and(|live| live["roleRef"] != object["roleRef"]) {
                let detail = "cannot change roleRef";
                causes.push(Cause::invalid("roleRef", &object["roleRef"], detail));
            }
            if text(object, "/roleRef/apiGroup") != "rbac.authorization.k8s.io" {
                let known = [json!("rbac.authorization.k8s.io")];
                let value = json!(text(object, "/roleRef/apiGroup"));
                causes.push(Cause::unsupported("roleRef.apiGroup", &value, &known));
            }
        }
        _ => {}
    }
    causes
}

fn containers(object: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    let containers = items(object, &format!("{pointer}/containers"));
    if containers.is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    for (index, container) in containers.iter().enumerate() {
        for required in ["name", "image"] {
            if text(container, &format!("/{required}")).is_empty() {
                causes.push(Cause::required(format!("{field}.containers[{index}].{required}"), ""));
            }
        }
    }
}

/// `ValidatePolicyRule` in `pkg/apis/rbac/validation`.
fn rules(kind: &ResourceType, object: &Value, causes: &mut Vec<Cause>) {
    for (index, rule) in items(object, "/rules").iter().enumerate() {
        let field = |name: &str| format!("rules[{index}].{name}");
        if items(rule, "/verbs").is_empty() {
            let detail = "verbs must contain at least one value";
            causes.push(Cause::required(field("verbs"), detail));
        }
        if !items(rule, "/nonResourceURLs").is_empty() {
            if kind.namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                let urls = &rule["nonResourceURLs"];
                causes.push(Cause::invalid(field("nonResourceURLs"), urls, detail));
            }
            continue;
        }
        for (name, detail) in [
            ("apiGroups", "resource rules must supply at least one api group"),
            ("resources", "resource rules must supply at least one resource"),
        ] {
            if items(rule, &format!("/{name}")).is_empty() {
                causes.push(Cause::required(field(name), detail));
            }
        }
    }
}
