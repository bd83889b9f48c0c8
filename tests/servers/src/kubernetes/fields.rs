//! Unknown fields, which are refused or pruned, and defaults of a structural schema
//! (`apiextensions-apiserver/pkg/apiserver/schema/pruning`, `…/defaulting`).

use serde_json::Value;

use crate::kubernetes::built_in;
use crate::kubernetes::call::Call;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// `ObjectMeta`, whose fields every object may have.
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Takes unknown fields out of an object that was sent, and says what `fieldValidation` asks for:
/// a refusal, warnings, or nothing.
pub(super) fn check(
    kind: &ResourceType,
    call: &Call,
    object: &mut Value,
) -> Result<Vec<String>, Failure> {
    let unknown = unknown(kind, object)?;
    let told =
        unknown.iter().map(|path| format!("unknown field {:?}", path.trim_start_matches('.')));
    match call.query.get("fieldValidation").unwrap_or("Warn") {
        "Ignore" => Ok(Vec::new()),
        "Strict" if !unknown.is_empty() => {
            let told = format!("strict decoding error: {}", told.collect::<Vec<_>>().join(", "));
            if call.method == http::Method::PATCH {
                let patch = Value::String(String::from_utf8_lossy(&call.body).into_owned());
                let cause = Cause::invalid("patch", &patch, &told);
                return Err(Failure::invalid("", "", "", &[cause]));
            }
            Err(unreadable(kind, &told))
        }
        "Strict" | "Warn" => Ok(told.collect()),
        other => {
            let cause = Cause::invalid("fieldValidation", &other.into(), "must be a known mode");
            Err(Failure::invalid("meta.k8s.io", "CreateOptions", "", &[cause]))
        }
    }
}

/// 400 for a body that is no object of the kind.
pub(super) fn unreadable(kind: &ResourceType, why: &str) -> Failure {
    let (name, version) = (&kind.kind, &kind.version);
    let message = format!("{name} in version {version:?} cannot be handled as a {name}: {why}");
    Failure::bad_request(message)
}

/// Takes the unknown fields out, and returns their paths, each with a leading dot.
pub(super) fn unknown(kind: &ResourceType, object: &mut Value) -> Result<Vec<String>, Failure> {
    let mut unknown = Vec::new();
    match &kind.schema {
        None => unknown = built_in::prune(kind, object)?,
        Some(schema) => {
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| {
                    let is_known = METADATA.contains(&key.as_str());
                    if !is_known {
                        unknown.push(format!(".metadata.{key}"));
                    }
                    is_known
                });
            }
            if let Some(fields) = object.as_object_mut() {
                let identity = ["apiVersion", "kind", "metadata"];
                let kept: Vec<_> =
                    identity.iter().filter_map(|key| fields.remove_entry(*key)).collect();
                prune(schema, object, "", &mut unknown);
                if let Some(fields) = object.as_object_mut() {
                    fields.extend(kept);
                }
            }
        }
    }
    Ok(unknown)
}

fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let keeps = schema["x-kubernetes-preserve-unknown-fields"] == true;
            let more = schema.get("additionalProperties").filter(|more| **more != false);
            fields.retain(|key, value| {
                let path = format!("{path}.{key}");
                match schema["properties"].get(key).or(more) {
                    Some(schema) => {
                        prune(schema, value, &path, unknown);
                        true
                    }
                    None if keeps => true,
                    None => {
                        unknown.push(path);
                        false
                    }
                }
            });
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Sets the defaults of fields whose parent is there.
pub(super) fn fill_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = schema.get("default")
                    && fields
                        .get(key)
                        .is_none_or(|value| value.is_null() && schema["nullable"] != true)
                {
                    fields.insert(key.clone(), default.clone());
                }
                if let Some(value) = fields.get_mut(key) {
                    fill_defaults(schema, value);
                }
            }
            if let Some(more) = schema.get("additionalProperties").filter(|more| more.is_object()) {
                for value in fields.values_mut() {
                    fill_defaults(more, value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                fill_defaults(&schema["items"], item);
            }
        }
        _ => {}
    }
}
