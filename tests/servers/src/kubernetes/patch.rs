//! PATCH in its four forms (`apiserver/pkg/endpoints/handlers/patch.go`).

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::api;
use crate::kubernetes::call::Target;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::fields;
use crate::kubernetes::json::map_mut;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::managed;
use crate::kubernetes::managed::Manager;
use crate::kubernetes::metadata;
use crate::kubernetes::rbac;
use crate::kubernetes::status::Failure;
use crate::kubernetes::write;
use crate::kubernetes::write::Writer;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, \
    application/apply-patch+yaml";

/// Changes an object, or creates it when the patch is an applied configuration.
pub(super) fn patch(mut writer: Writer<'_>) -> Result<Answer, Failure> {
    let content_type = writer.call.header("content-type");
    match content_type.split(';').next().unwrap_or("").trim() {
        "application/apply-patch+yaml" => apply(writer),
        "application/json-patch+json" => {
            let live = api::find(writer.state, writer.kind, writer.target)?;
            let patch: json_patch::Patch = serde_json::from_slice(&writer.call.body)
                .map_err(|error| Failure::bad_request(error.to_string()))?;
            let mut object = Value::clone(&live);
            json_patch::patch(&mut object, &patch).map_err(|error| {
                Failure::new(422, "Invalid", format!("the server rejected our request: {error}"))
            })?;
            change(&mut writer, &live, object)
        }
        "application/merge-patch+json" => {
            let live = api::find(writer.state, writer.kind, writer.target)?;
            let patch = read_json(&writer)?;
            let mut object = Value::clone(&live);
            json_patch::merge(&mut object, &patch);
            change(&mut writer, &live, object)
        }
        "application/strategic-merge-patch+json" if !writer.kind.is_custom() => {
            let live = api::find(writer.state, writer.kind, writer.target)?;
            let patch = read_json(&writer)?;
            let mut object = Value::clone(&live);
            merge_by_name(&mut object, &patch);
            change(&mut writer, &live, object)
        }
        _ => Err(Failure::unsupported_media_type(ACCEPTED)),
    }
}

fn change(
    writer: &mut Writer<'_>,
    live: &Arc<Value>,
    mut object: Value,
) -> Result<Answer, Failure> {
    metadata::check_kind(writer.kind, &object)?;
    metadata::check_address(writer.kind, writer.target, &object)?;
    let warnings = fields::check(writer.kind, writer.call, &mut object)?;
    let manager = Manager::update(writer.call.field_manager(), &writer.target.subresource);
    write::update(writer, live, object, &manager).map(|answer| answer.with_warnings(warnings))
}

fn read_json(writer: &Writer<'_>) -> Result<Value, Failure> {
    serde_json::from_slice(&writer.call.body)
        .map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))
}

/// Server-side apply.
fn apply(mut writer: Writer<'_>) -> Result<Answer, Failure> {
    let Some(manager) = writer.call.query.get("fieldManager") else {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Failure::invalid("meta.k8s.io", "PatchOptions", "", &[cause]));
    };
    let text = String::from_utf8_lossy(&writer.call.body);
    let mut patch: Value = serde_saphyr::from_str(&text)
        .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))?;
    if patch.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let name = json!(writer.target.name);
    metadata_mut(&mut patch).entry("name").or_insert(name);
    metadata::check_kind(writer.kind, &patch)?;
    metadata::check_address(writer.kind, writer.target, &patch)?;
    refuse_undeclared(&writer, &mut patch)?;
    let namespace = if writer.kind.namespaced { &*writer.target.namespace } else { "" };
    let live = writer.state.get(writer.kind, namespace, &writer.target.name);
    if writer.is_status() {
        patch.as_object_mut().expect("a kind").retain(|key, _| key != "spec");
    } else if writer.kind.has_status {
        map_mut(&mut patch, "metadata");
        patch.as_object_mut().expect("a kind").remove("status");
    }
    let manager = Manager::apply(manager.to_owned(), &writer.target.subresource, &patch);
    let Some(live) = live else {
        if writer.is_status() {
            let Target { group, resource, name, .. } = writer.target;
            return Err(Failure::not_found(group, resource, name));
        }
        let creation = Target { verb: "create", ..writer.target.clone() };
        rbac::authorize(writer.state, &writer.call.user, &creation, &writer.call.path)?;
        return write::insert(&mut writer, patch, &manager);
    };
    let object = managed::merge(&live, &patch, &manager, &writer.call.query)?;
    write::update(&mut writer, &live, object, &manager)
}

/// The typed object of an apply has no place for fields that the schema does not know.
fn refuse_undeclared(writer: &Writer<'_>, patch: &mut Value) -> Result<(), Failure> {
    let unknown = fields::unknown(writer.kind, patch)?;
    if unknown.is_empty() {
        return Ok(());
    }
    let faults: Vec<String> =
        unknown.iter().map(|path| format!("{path}: field not declared in schema")).collect();
    let faults = match faults.as_slice() {
        [only] => only.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    let (kind, target) = (writer.kind, writer.target);
    let message = format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): {faults}",
        target.namespace,
        target.name,
        kind.api_version(),
        kind.kind
    );
    Err(Failure::new(500, "", message))
}

/// A merge in which lists of named things are merged by name, as those of a pod are
/// (`patchMergeKey` in `api/core/v1/types.go`).
fn merge_by_name(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge_by_name(object.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (Value::Array(items), Value::Array(patches)) if is_named(items) && is_named(patches) => {
            for patch in patches {
                match items.iter_mut().find(|item| item["name"] == patch["name"]) {
                    Some(item) => merge_by_name(item, patch),
                    None => items.push(patch.clone()),
                }
            }
        }
        (object, patch) => {
            *object = Value::Null;
            json_patch::merge(object, patch);
        }
    }
}

fn is_named(items: &[Value]) -> bool {
    items.iter().all(|item| item["name"].is_string())
}
