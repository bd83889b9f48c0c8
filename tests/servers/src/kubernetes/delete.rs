//! DELETE: at once, or, with finalizers, once the last of them is gone
//! (`registry/generic/registry/store.go`).

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::api;
use crate::kubernetes::crd;
use crate::kubernetes::json::items;
use crate::kubernetes::json::key_of;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::json::text;
use crate::kubernetes::selector::Selector;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;
use crate::kubernetes::write::Writer;

/// Deletes one object; the answer is the object when it has to wait for its finalizers.
pub(super) fn delete(writer: Writer<'_>) -> Result<Answer, Failure> {
    let live = api::find(writer.state, writer.kind, writer.target)?;
    let options: Value = if writer.call.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&writer.call.body)
            .map_err(|error| Failure::bad_request(format!("delete options: {error}")))?
    };
    for (field, shown) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let asked = text(&options["preconditions"], &format!("/{field}"));
        let is = text(&live["metadata"], &format!("/{field}"));
        if !asked.is_empty() && asked != is {
            let why = format!(
                "Precondition failed: {shown} in precondition: {asked}, {shown} in object meta: \
                 {is}"
            );
            return Err(Failure::conflict(writer.kind, &writer.target.name, &why));
        }
    }
    let is_dry_run =
        writer.call.is_dry_run() || options["dryRun"].as_array().is_some_and(|d| !d.is_empty());
    if is_dry_run {
        return Ok(Answer::ok(Value::clone(&live)));
    }
    let stamp = writer.stamp();
    let live = if options["propagationPolicy"] == "Foreground" {
        wait_for_dependents(writer.state, writer.kind, &live)
    } else {
        live
    };
    Ok(Answer::ok(match remove(writer.state, writer.kind, &live, &stamp) {
        Some(waiting) => Value::clone(&waiting),
        None => json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {
                "name": writer.target.name, "group": writer.kind.group,
                "kind": writer.kind.plural, "uid": live["metadata"]["uid"],
            },
        }),
    }))
}

/// Holds an object until a collector of garbage has deleted what it owns
/// (`deletionFinalizersForGarbageCollection` in `registry/generic/registry/store.go`).
fn wait_for_dependents(
    state: &mut State,
    kind: &Arc<ResourceType>,
    live: &Arc<Value>,
) -> Arc<Value> {
    const FINALIZER: &str = "foregroundDeletion";
    if items(live, "/metadata/finalizers").iter().any(|it| it == FINALIZER) {
        return Arc::clone(live);
    }
    let mut object = Value::clone(live);
    let finalizers = metadata_mut(&mut object).entry("finalizers").or_insert_with(|| json!([]));
    finalizers.as_array_mut().expect("a list").push(json!(FINALIZER));
    state.put(kind, object)
}

/// Deletes all that the selectors show.
pub(super) fn delete_collection(writer: Writer<'_>) -> Result<Answer, Failure> {
    let query = &writer.call.query;
    let (labels, fields) = (query.get("labelSelector"), query.get("fieldSelector"));
    let selector = Selector::parse(writer.kind, labels, fields)?;
    let stamp = writer.stamp();
    let objects: Vec<Arc<Value>> =
        writer.state.table(writer.kind).objects.values().cloned().collect();
    let namespace = &writer.target.namespace;
    let mut deleted = Vec::new();
    for object in objects {
        let is_in_scope = namespace.is_empty() || key_of(&object).0 == *namespace;
        if is_in_scope && selector.matches(&object) {
            remove(writer.state, writer.kind, &object, &stamp);
            deleted.push(Value::clone(&object));
        }
    }
    Ok(Answer::ok(json!({
        "kind": format!("{}List", writer.kind.kind), "apiVersion": writer.kind.api_version(),
        "metadata": { "resourceVersion": writer.state.revision.to_string() }, "items": deleted,
    })))
}

/// Deletes an object; returns it when finalizers hold it.
fn remove(
    state: &mut State,
    kind: &Arc<ResourceType>,
    live: &Arc<Value>,
    stamp: &Value,
) -> Option<Arc<Value>> {
    let is_namespace = kind.is("", "namespaces");
    if !is_namespace && items(live, "/metadata/finalizers").is_empty() {
        let (namespace, name) = key_of(live);
        state.remove(kind, &namespace, &name);
        crd::withdrawn(state, kind, live);
        return None;
    }
    let already = live["metadata"].get("deletionTimestamp").is_some();
    let waiting = if already {
        Arc::clone(live)
    } else {
        let mut object = Value::clone(live);
        if is_namespace {
            object["status"]["phase"] = json!("Terminating");
        }
        let metadata = metadata_mut(&mut object);
        metadata.insert("deletionTimestamp".to_owned(), stamp.clone());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
        if kind.has_generation {
            let generation = live["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
            metadata_mut(&mut object).insert("generation".to_owned(), json!(generation));
        }
        state.put(kind, object)
    };
    if is_namespace {
        empty(state, &key_of(&waiting).1, stamp);
    }
    finish(state, kind, &waiting);
    Some(waiting)
}

/// Deletes what a namespace holds.
fn empty(state: &mut State, namespace: &str, stamp: &Value) {
    for kind in state.types.clone() {
        let held: Vec<Arc<Value>> = state
            .table(&kind)
            .objects
            .iter()
            .filter(|((holder, _), _)| holder == namespace && kind.namespaced)
            .map(|(_, object)| Arc::clone(object))
            .collect();
        for object in held {
            remove(state, &kind, &object, stamp);
        }
    }
}

/// Takes away an object that waits for nothing any more, and then a namespace that it kept.
pub(super) fn finish(state: &mut State, kind: &Arc<ResourceType>, object: &Arc<Value>) {
    let (namespace, name) = key_of(object);
    let is_leaving = object["metadata"].get("deletionTimestamp").is_some();
    if !is_leaving || !items(object, "/metadata/finalizers").is_empty() {
        return;
    }
    if kind.is("", "namespaces") {
        let holds = |kind: &Arc<ResourceType>| {
            state.table(kind).objects.keys().any(|(holder, _)| *holder == name)
        };
        if !state.types.iter().any(holds) {
            state.remove(kind, "", &name);
        }
        return;
    }
    state.remove(kind, &namespace, &name);
    crd::withdrawn(state, kind, object);
    let namespaces = state.find_type("", "namespaces").expect("a kind of Kubernetes");
    if let Some(holder) = state.get(&namespaces, "", &namespace) {
        finish(state, &namespaces, &holder);
    }
}
