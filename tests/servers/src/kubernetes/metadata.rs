//! The metadata of objects: what a client may say, and what only the server says
//! (`api/validation/objectmeta.go`, `registry/rest/meta.go`).

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::call::Target;
use crate::kubernetes::cause::Cause;
use crate::kubernetes::json::items;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::json::set_or_remove;
use crate::kubernetes::json::text;
use crate::kubernetes::json::text_map;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;
use crate::kubernetes::write::Writer;

/// Fields that a client cannot set.
const OWN: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// The body must be of the kind that the path serves.
pub(super) fn check_kind(kind: &ResourceType, object: &Value) -> Result<(), Failure> {
    let (version, name) = (text(object, "/apiVersion"), text(object, "/kind"));
    if version == kind.api_version() && name == kind.kind {
        return Ok(());
    }
    if name.is_empty() && object.is_object() {
        let message = format!("Object 'Kind' is missing in '{object}'");
        return Err(Failure::bad_request(message));
    }
    let message = format!(
        "the API version in the data ({version}, {name}) does not match the expected API version \
         ({}, {})",
        kind.api_version(),
        kind.kind
    );
    Err(Failure::bad_request(message))
}

/// Name and namespace in the body, where given, must be those of the path.
pub(super) fn check_address(
    kind: &ResourceType,
    target: &Target,
    object: &Value,
) -> Result<(), Failure> {
    let namespace = text(object, "/metadata/namespace");
    if kind.namespaced && !namespace.is_empty() && namespace != target.namespace {
        let message =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    let name = text(object, "/metadata/name");
    if !target.name.is_empty() && target.verb != "create" && name != target.name {
        let message = format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            target.name
        );
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

/// Gives a new object its namespace and, from `generateName`, its name.
pub(super) fn prepare_new(writer: &mut Writer<'_>, object: &mut Value) -> Result<(), Failure> {
    let namespace = writer.kind.namespaced.then(|| json!(writer.target.namespace));
    if !text(object, "/metadata/resourceVersion").is_empty() {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Failure::new(500, "", message));
    }
    let prefix = text(object, "/metadata/generateName").to_owned();
    if text(object, "/metadata/name").is_empty() && !prefix.is_empty() {
        let uid = writer.state.new_uid();
        let suffix: String = uid.chars().rev().take(5).collect();
        metadata_mut(object).insert("name".to_owned(), json!(format!("{prefix}{suffix}")));
    }
    let metadata = metadata_mut(object);
    for field in OWN {
        metadata.remove(field);
    }
    set_or_remove(metadata, "namespace", namespace);
    let name = text(object, "/metadata/name").to_owned();
    if name.is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return writer.invalid("", &[cause]);
    }
    let mut causes = Vec::new();
    let is_rbac = writer.kind.group == "rbac.authorization.k8s.io";
    if !is_rbac && !is_subdomain(&name) {
        let detail = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                      characters, '-' or '.', and must start and end with an alphanumeric \
                      character";
        causes.push(Cause::invalid("metadata.name", &json!(name), detail));
    }
    for (key, value) in text_map(object, "/metadata/labels") {
        if !is_label_value(&value) || key.is_empty() {
            let detail = "a valid label must be an empty string or consist of alphanumeric \
                          characters, '-', '_' or '.', and must start and end with an \
                          alphanumeric character";
            causes.push(Cause::invalid("metadata.labels", &json!(value), detail));
        }
    }
    writer.invalid(&name, &causes)
}

/// A namespace must exist, and must not be on its way out, to take new objects.
pub(super) fn check_namespace(
    writer: &Writer<'_>,
    namespace: &str,
    name: &str,
) -> Result<(), Failure> {
    if namespace.is_empty() {
        return Ok(());
    }
    let kind = writer.state.find_type("", "namespaces").expect("a kind of Kubernetes");
    let found = writer.state.get(&kind, "", namespace);
    let found = found.ok_or_else(|| Failure::not_found("", "namespaces", namespace))?;
    if found["metadata"].get("deletionTimestamp").is_some() {
        let what = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let message = format!("namespace {namespace} is being terminated");
        return Err(Failure::forbidden(&writer.kind.group, &writer.kind.plural, name, &what)
            .caused_by("NamespaceTerminating", &message));
    }
    Ok(())
}

/// The version and the identity that a write names, if any, must be the live ones.
pub(super) fn check_unchanged(
    writer: &Writer<'_>,
    live: &Value,
    object: &Value,
) -> Result<(), Failure> {
    let (kind, name) = (writer.kind, &writer.target.name);
    let asked = text(object, "/metadata/uid");
    let uid = text(live, "/metadata/uid");
    if !asked.is_empty() && asked != uid {
        let why =
            format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {uid}");
        return Err(Failure::conflict(kind, name, &why));
    }
    let asked = text(object, "/metadata/resourceVersion");
    if !asked.is_empty() && asked != text(live, "/metadata/resourceVersion") {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        return Err(Failure::conflict(kind, name, why));
    }
    Ok(())
}

/// Keeps the server's own fields.
pub(super) fn carry_over(live: &Value, object: &mut Value) {
    let metadata = metadata_mut(object);
    for field in OWN.into_iter().chain(["name", "namespace", "resourceVersion"]) {
        set_or_remove(metadata, field, live["metadata"].get(field).cloned());
    }
}

/// An object that is being deleted takes no new finalizers.
pub(super) fn check_update(live: &Value, object: &Value) -> Vec<Cause> {
    let before = items(live, "/metadata/finalizers");
    let added = items(object, "/metadata/finalizers").iter().any(|f| !before.contains(f));
    if live["metadata"].get("deletionTimestamp").is_some() && added {
        let detail = "no new finalizers can be added if the object is being deleted";
        return vec![Cause::forbidden("metadata.finalizers", detail)];
    }
    Vec::new()
}

/// `IsDNS1123Subdomain` in `apimachinery/pkg/util/validation`.
pub(super) fn is_subdomain(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_end)
            && label.ends_with(is_end)
            && label.chars().all(|c| is_end(c) || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `IsValidLabelValue` in `apimachinery/pkg/util/validation`.
fn is_label_value(value: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    value.is_empty()
        || (value.len() <= 63
            && value.starts_with(is_end)
            && value.ends_with(is_end)
            && value.chars().all(|c| is_end(c) || "-_.".contains(c)))
}
