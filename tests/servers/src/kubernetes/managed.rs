//! Who set which field: `metadata.managedFields`, and server-side apply on top of it
//! (`sigs.k8s.io/structured-merge-diff/merge/update.go`).
//!
//! Every list counts as one value: lists with keys are not merged.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::call::Query;
use crate::kubernetes::json::items;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

type Path = Vec<String>;
type Paths = BTreeSet<Path>;

/// Who writes, and how.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    name: String,
    subresource: String,
    /// The fields that an apply declares; `None` for any other write.
    applied: Option<Paths>,
}

impl Manager {
    pub(super) fn update(name: String, subresource: &str) -> Self {
        Self { name, subresource: subresource.to_owned(), applied: None }
    }

    pub(super) fn apply(name: String, subresource: &str, patch: &Value) -> Self {
        let applied = Some(leaves(patch));
        Self { name, subresource: subresource.to_owned(), applied }
    }

    pub(super) fn is_apply(&self) -> bool {
        self.applied.is_some()
    }

    fn operation(&self) -> &'static str {
        if self.is_apply() { "Apply" } else { "Update" }
    }

    fn is_of(&self, entry: &Value) -> bool {
        entry["manager"] == *self.name
            && entry["operation"] == self.operation()
            && entry["subresource"].as_str().unwrap_or("") == self.subresource
    }
}

/// Merges an applied configuration into the live object, and takes away what the manager applied
/// before and declares no more.
pub(super) fn merge(
    live: &Value,
    patch: &Value,
    manager: &Manager,
    query: &Query,
) -> Result<Value, Failure> {
    let declared = manager.applied.clone().unwrap_or_else(|| leaves(patch));
    let entries = items(live, "/metadata/managedFields");
    let (mine, others): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|entry| manager.is_of(entry));
    let mut conflicts = Vec::new();
    for entry in &others {
        for owned in fields_of(entry) {
            let is_contested = declared.iter().any(|path| {
                let (is, wanted) = (at(live, path), at(patch, path));
                let are_maps =
                    is.is_some_and(Value::is_object) && wanted.is_some_and(Value::is_object);
                (path.starts_with(&owned) || owned.starts_with(path)) && is != wanted && !are_maps
            });
            if is_contested {
                let by = format!(
                    "{} using {}",
                    entry["manager"],
                    entry["apiVersion"].as_str().unwrap_or("")
                );
                conflicts.push((by, format!(".{}", owned.join("."))));
            }
        }
    }
    if !conflicts.is_empty() && !query.is_true("force") {
        return Err(Failure::apply_conflict(&conflicts));
    }
    let mut merged = live.clone();
    let before: Paths = mine.into_iter().flat_map(fields_of).collect();
    let kept: Paths = others.into_iter().flat_map(fields_of).collect();
    for path in before.difference(&declared).filter(|path| !kept.contains(*path)) {
        take_away(&mut merged, path);
    }
    lay_over(&mut merged, patch);
    Ok(merged)
}

/// Books the fields that a write changed to its manager.
pub(super) fn book(
    live: Option<&Value>,
    object: &mut Value,
    manager: &Manager,
    kind: &ResourceType,
    stamp: &Value,
) {
    let now = leaves(object);
    let changed: Paths = now
        .iter()
        .filter(|path| live.is_none_or(|live| at(live, path) != at(object, path)))
        .cloned()
        .collect();
    let (mut mine, mut entries) = (Paths::new(), Vec::new());
    let mut before = Value::Null;
    for entry in live.map_or(&[][..], |live| items(live, "/metadata/managedFields")) {
        if manager.is_of(entry) {
            mine = fields_of(entry);
            before = entry.clone();
            continue;
        }
        let fields = fields_of(entry);
        let kept: Paths =
            fields.iter().filter(|f| now.contains(*f) && !changed.contains(*f)).cloned().collect();
        if !kept.is_empty() {
            let mut entry = entry.clone();
            entry["fieldsV1"] = encode(&kept);
            entries.push(entry);
        }
    }
    let mine: Paths = match &manager.applied {
        Some(applied) => applied.intersection(&now).cloned().collect(),
        None => mine.union(&changed).filter(|path| now.contains(*path)).cloned().collect(),
    };
    if !mine.is_empty() {
        let mut entry = json!({
            "manager": manager.name, "operation": manager.operation(),
            "apiVersion": kind.api_version(), "time": stamp, "fieldsType": "FieldsV1",
            "fieldsV1": encode(&mine),
        });
        if !manager.subresource.is_empty() {
            entry["subresource"] = json!(manager.subresource);
        }
        // A write that changes nothing leaves the time as it was.
        if changed.is_empty() && before["fieldsV1"] == entry["fieldsV1"] {
            entry = before;
        }
        entries.push(entry);
    }
    // In a lasting order, so that a write that changes nothing is seen as such.
    entries.sort_by_key(|entry| {
        ["operation", "manager", "subresource"]
            .map(|key| entry[key].as_str().unwrap_or("").to_owned())
    });
    metadata_mut(object).insert("managedFields".to_owned(), Value::Array(entries));
}

/// The paths of all values but those that the server books itself.
fn leaves(object: &Value) -> Paths {
    let mut paths = Paths::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
                    if let Some(value) = value.get(field) {
                        collect(value, &mut vec![key.clone(), field.to_owned()], &mut paths);
                    }
                }
            }
            _ => collect(value, &mut vec![key.clone()], &mut paths),
        }
    }
    paths
}

fn collect(value: &Value, path: &mut Path, paths: &mut Paths) {
    match value.as_object() {
        Some(map) if !map.is_empty() => {
            for (key, value) in map {
                path.push(key.clone());
                collect(value, path, paths);
                path.pop();
            }
        }
        _ => {
            paths.insert(path.clone());
        }
    }
}

fn at<'a>(object: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

fn take_away(object: &mut Value, path: &[String]) {
    let [key, rest @ ..] = path else { return };
    let Some(map) = object.as_object_mut() else { return };
    let is_gone = match map.get_mut(key) {
        Some(child) if !rest.is_empty() => {
            take_away(child, rest);
            child.as_object().is_some_and(Map::is_empty)
        }
        _ => true,
    };
    if is_gone {
        map.remove(key);
    }
}

fn lay_over(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                lay_over(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

fn encode(paths: &Paths) -> Value {
    let mut root = json!({});
    for path in paths {
        let mut node = &mut root;
        for key in path {
            node = &mut node[format!("f:{key}")];
            if node.is_null() {
                *node = json!({});
            }
        }
    }
    root
}

fn fields_of(entry: &Value) -> Paths {
    fn walk(node: &Value, path: &mut Path, paths: &mut Paths) {
        for (key, child) in node.as_object().into_iter().flatten() {
            path.push(key.trim_start_matches("f:").to_owned());
            if child.as_object().is_none_or(Map::is_empty) {
                paths.insert(path.clone());
            }
            walk(child, path, paths);
            path.pop();
        }
    }
    let mut paths = Paths::new();
    walk(&entry["fieldsV1"], &mut Path::new(), &mut paths);
    paths
}
