//! `CustomResourceDefinition`: what one installs, and the four that the server can install itself.
//!
//! Of a definition with several versions only the stored one is served.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::json::items;
use crate::kubernetes::json::text;
use crate::kubernetes::json::texts;
use crate::kubernetes::rules;
use crate::kubernetes::state::State;
use crate::kubernetes::types::ResourceType;

/// The definitions of CloudNativePG 1.30 and of the Barman Cloud Plugin 0.14, by name, as far as
/// backups are concerned: fewer fields than upstream's, and the same rules for them.
pub(super) const DEFINITIONS: [(&str, &str); 4] = [
    ("clusters.postgresql.cnpg.io", include_str!("crds/clusters.yaml")),
    ("backups.postgresql.cnpg.io", include_str!("crds/backups.yaml")),
    ("scheduledbackups.postgresql.cnpg.io", include_str!("crds/scheduledbackups.yaml")),
    ("objectstores.barmancloud.cnpg.io", include_str!("crds/objectstores.yaml")),
];

/// The faults of a definition, among them what this server cannot judge.
pub(super) fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(definition, "/metadata/name");
    let (plural, group) = (text(definition, "/spec/names/plural"), text(definition, "/spec/group"));
    let expected = format!("{plural}.{group}");
    if name != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &json!(name), detail));
    }
    let Some(version) = stored_version(definition) else {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &json!("array"), detail));
        return causes;
    };
    match version.pointer("/schema/openAPIV3Schema") {
        Some(schema) => check_schema(schema, "openAPIV3Schema", &mut causes),
        None => causes.push(Cause::required("spec.versions[0].schema.openAPIV3Schema", "")),
    }
    causes
}

fn check_schema(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = Regex::new(pattern)
    {
        causes.push(Cause::invalid(path, &json!(pattern), &error.to_string()));
    }
    for validation in items(schema, "/x-kubernetes-validations") {
        let rule = text(validation, "/rule");
        if !rules::is_known(rule) {
            causes.push(Cause::invalid(path, &json!(rule), "a rule that cannot be judged here"));
        }
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        check_schema(schema, &format!("{path}.{key}"), causes);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(schema) = schema.get(key).filter(|schema| schema.is_object()) {
            check_schema(schema, path, causes);
        }
    }
}

fn stored_version(definition: &Value) -> Option<&Value> {
    items(definition, "/spec/versions").iter().find(|version| version["storage"] == true)
}

fn served_type(definition: &Value) -> Option<ResourceType> {
    let version = stored_version(definition).filter(|version| version["served"] == true)?;
    let names = &definition["spec"]["names"];
    let name = |key: &str| names[key].as_str().unwrap_or("").to_owned();
    let kind = name("kind");
    let singular = match names["singular"].as_str() {
        Some(singular) => singular.to_owned(),
        None => kind.to_lowercase(),
    };
    Some(ResourceType {
        group: text(definition, "/spec/group").to_owned(),
        version: text(version, "/name").to_owned(),
        kind,
        plural: name("plural"),
        singular,
        short_names: texts(names, "/shortNames").map(str::to_owned).collect(),
        namespaced: text(definition, "/spec/scope") == "Namespaced",
        has_status: version.pointer("/subresources/status").is_some(),
        has_generation: true,
        schema: version.pointer("/schema/openAPIV3Schema").cloned(),
    })
}

/// Serves what a stored definition defines; any other object is returned as it is.
pub(super) fn established(
    state: &mut State,
    kind: &Arc<ResourceType>,
    stored: Arc<Value>,
) -> Arc<Value> {
    if !kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
        return stored;
    }
    let (group, plural) = (text(&stored, "/spec/group"), text(&stored, "/spec/names/plural"));
    let known = state.find_type(group, plural);
    match served_type(&stored) {
        Some(defined) if known.as_deref() == Some(&defined) => {}
        Some(defined) => state.install(defined),
        None => state.uninstall(group, plural),
    }
    if stored.pointer("/status/conditions").is_some() {
        return stored;
    }
    let since = &stored["metadata"]["creationTimestamp"];
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": since,
        })
    };
    let version = stored_version(&stored).map_or("", |version| text(version, "/name"));
    let status = json!({
        "acceptedNames": stored["spec"]["names"], "storedVersions": [version],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
    let mut established = Value::clone(&stored);
    established["status"] = status;
    state.put(kind, established)
}

/// Ends what a deleted definition defined.
pub(super) fn withdrawn(state: &mut State, kind: &Arc<ResourceType>, deleted: &Value) {
    if kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
        state.uninstall(text(deleted, "/spec/group"), text(deleted, "/spec/names/plural"));
    }
}
