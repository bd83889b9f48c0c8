//! Writes: what the server adds to an object, refuses in it, and keeps of it
//! (`registry/rest/create.go`, `registry/rest/update.go`, `registry/generic/registry/store.go`).

use std::sync::Arc;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::admission;
use crate::kubernetes::answer::Answer;
use crate::kubernetes::api;
use crate::kubernetes::built_in;
use crate::kubernetes::call::Call;
use crate::kubernetes::call::Target;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::crd;
use crate::kubernetes::delete;
use crate::kubernetes::fields;
use crate::kubernetes::json::carry;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::json::set_or_remove;
use crate::kubernetes::json::text;
use crate::kubernetes::managed;
use crate::kubernetes::managed::Manager;
use crate::kubernetes::metadata;
use crate::kubernetes::state::State;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;
use crate::kubernetes::validate;

/// What every write needs.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) state: &'a mut State,
    pub(super) kind: &'a Arc<ResourceType>,
    pub(super) call: &'a Call,
    pub(super) target: &'a Target,
    pub(super) now: DateTime<Utc>,
}

impl Writer<'_> {
    pub(super) fn stamp(&self) -> Value {
        json!(self.now.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    pub(super) fn invalid(&self, name: &str, causes: &[Cause]) -> Result<(), Failure> {
        if causes.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid(&self.kind.group, &self.kind.kind, name, causes))
    }

    pub(super) fn is_status(&self) -> bool {
        self.target.subresource == "status"
    }
}

/// POST of a new object.
pub(super) fn create(mut writer: Writer<'_>) -> Result<Answer, Failure> {
    let mut object = body(&writer)?;
    let manager = Manager::update(writer.call.field_manager(), "");
    let warnings = fields::check(writer.kind, writer.call, &mut object)?;
    insert(&mut writer, object, &manager).map(|answer| answer.with_warnings(warnings))
}

/// Creates an object whose fields are known ones.
pub(super) fn insert(
    writer: &mut Writer<'_>,
    mut object: Value,
    manager: &Manager,
) -> Result<Answer, Failure> {
    let kind = Arc::clone(writer.kind);
    metadata::prepare_new(writer, &mut object)?;
    let name = text(&object, "/metadata/name").to_owned();
    let namespace = text(&object, "/metadata/namespace").to_owned();
    metadata::check_namespace(writer, &namespace, &name)?;
    if kind.has_status
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    default(&kind, &mut object)?;
    writer.invalid(&name, &validate::object(&kind, &object, None))?;
    writer.invalid(&name, &built_in::check(&kind, &object, None))?;
    let warnings = admission::review(&kind, &object)?;
    if writer.state.get(&kind, &namespace, &name).is_some() {
        return Err(Failure::already_exists(&kind, &name));
    }
    let stamp = writer.stamp();
    let uid = writer.state.new_uid();
    let metadata = metadata_mut(&mut object);
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), stamp.clone());
    if kind.has_generation {
        metadata.insert("generation".to_owned(), json!(1));
    }
    managed::book(None, &mut object, manager, &kind, &stamp);
    if writer.call.is_dry_run() {
        return Ok(Answer::created(object).with_warnings(warnings));
    }
    let stored = writer.state.put(&kind, object);
    let stored = crd::established(writer.state, &kind, stored);
    Ok(Answer::created(Value::clone(&stored)).with_warnings(warnings))
}

/// PUT of a whole object, or of its status.
pub(super) fn replace(mut writer: Writer<'_>) -> Result<Answer, Failure> {
    let mut object = body(&writer)?;
    let warnings = fields::check(writer.kind, writer.call, &mut object)?;
    let live = api::find(writer.state, writer.kind, writer.target)?;
    if writer.kind.is_custom() && text(&object, "/metadata/resourceVersion").is_empty() {
        let detail = "must be specified for an update";
        let cause = Cause::invalid("metadata.resourceVersion", &json!("0x0"), detail);
        writer.invalid(&writer.target.name, &[cause])?;
    }
    let manager = Manager::update(writer.call.field_manager(), &writer.target.subresource);
    update(&mut writer, &live, object, &manager).map(|answer| answer.with_warnings(warnings))
}

/// Puts a new state in place of the live one.
pub(super) fn update(
    writer: &mut Writer<'_>,
    live: &Arc<Value>,
    mut object: Value,
    manager: &Manager,
) -> Result<Answer, Failure> {
    let kind = Arc::clone(writer.kind);
    let name = writer.target.name.clone();
    metadata::check_unchanged(writer, live, &object)?;
    if writer.is_status() {
        let mut whole = Value::clone(live);
        carry(&object, &mut whole, "status");
        object = whole;
    } else {
        metadata::carry_over(live, &mut object);
        if kind.has_status {
            carry(live, &mut object, "status");
        }
    }
    default(&kind, &mut object)?;
    writer.invalid(&name, &metadata::check_update(live, &object))?;
    writer.invalid(&name, &validate::object(&kind, &object, Some(live)))?;
    writer.invalid(&name, &built_in::check(&kind, &object, Some(live)))?;
    let warnings = admission::review(&kind, &object)?;
    if kind.has_generation && !writer.is_status() && differs_in_spec(live, &object) {
        let generation = live["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
        metadata_mut(&mut object).insert("generation".to_owned(), json!(generation));
    }
    if is_same(live, &object) && !manager.is_apply() {
        return Ok(Answer::ok(Value::clone(live)).with_warnings(warnings));
    }
    managed::book(Some(live), &mut object, manager, &kind, &writer.stamp());
    if object == **live {
        return Ok(Answer::ok(object).with_warnings(warnings));
    }
    if writer.call.is_dry_run() {
        return Ok(Answer::ok(object).with_warnings(warnings));
    }
    let stored = writer.state.put(&kind, object);
    crd::established(writer.state, &kind, Arc::clone(&stored));
    delete::finish(writer.state, &kind, &stored);
    Ok(Answer::ok(Value::clone(&stored)).with_warnings(warnings))
}

/// The object in the body, which must be of the kind that the path names.
fn body(writer: &Writer<'_>) -> Result<Value, Failure> {
    let content_type = writer.call.header("content-type");
    let content_type = content_type.split(';').next().unwrap_or("").trim();
    let body = &writer.call.body;
    let object: Value = match content_type {
        "" | "application/json" => serde_json::from_slice(body)
            .map_err(|error| Failure::bad_request(format!("couldn't get version/kind; {error}")))?,
        "application/yaml" => {
            let text = String::from_utf8_lossy(body);
            serde_saphyr::from_str(&text)
                .map_err(|error| Failure::bad_request(format!("yaml: {error}")))?
        }
        _ => {
            let accepted = "application/json, application/yaml";
            return Err(Failure::unsupported_media_type(accepted));
        }
    };
    metadata::check_kind(writer.kind, &object)?;
    metadata::check_address(writer.kind, writer.target, &object)?;
    Ok(object)
}

fn default(kind: &ResourceType, object: &mut Value) -> Result<(), Failure> {
    match &kind.schema {
        Some(schema) => {
            fields::fill_defaults(schema, object);
            Ok(())
        }
        None => built_in::default(kind, object),
    }
}

/// Whether anything but the metadata and the status changed.
fn differs_in_spec(live: &Value, object: &Value) -> bool {
    let spec = |value: &Value| {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.remove("metadata");
            map.remove("status");
        }
        value
    };
    spec(live) != spec(object)
}

/// Whether nothing changed but what the server books.
fn is_same(live: &Value, object: &Value) -> bool {
    let mut object = object.clone();
    for field in ["managedFields", "resourceVersion"] {
        let kept = live["metadata"].get(field).cloned();
        set_or_remove(metadata_mut(&mut object), field, kept);
    }
    object == *live
}
