//! Values of a custom resource, held to its structural schema
//! (`apiextensions-apiserver/pkg/apiserver/validation/validation.go`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::DateTime;
use regex::Regex;
use serde_json::Value;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::rules;
use crate::kubernetes::types::ResourceType;

/// The faults of an object; `live` is what it replaces.
pub(super) fn object(kind: &ResourceType, object: &Value, live: Option<&Value>) -> Vec<Cause> {
    let Some(schema) = &kind.schema else { return Vec::new() };
    let mut causes = Vec::new();
    value(&Place { schema, value: object, live, path: String::new() }, &mut causes);
    causes
}

/// A value, with its schema and with what stood there before.
pub(super) struct Place<'a> {
    pub(super) schema: &'a Value,
    pub(super) value: &'a Value,
    pub(super) live: Option<&'a Value>,
    pub(super) path: String,
}

fn value(place: &Place<'_>, causes: &mut Vec<Cause>) {
    let Place { schema, value, path, .. } = place;
    let wanted = schema["type"].as_str().unwrap_or("");
    if !has_type(schema, value) {
        let shown = Value::from(type_of(value));
        let detail = format!("{path} in body must be of type {wanted}: {shown}");
        causes.push(Cause::wrong_type(path, &shown, &detail));
        return;
    }
    let known = schema["enum"].as_array().map_or(&[][..], Vec::as_slice);
    if !known.is_empty() && !known.contains(value) {
        causes.push(Cause::unsupported(path, value, known));
    }
    match value {
        Value::String(_) => text(place, causes),
        Value::Number(_) => number(place, causes),
        Value::Array(items) => array(place, items, causes),
        Value::Object(_) => map(place, causes),
        Value::Null | Value::Bool(_) => {}
    }
    rules::check(place, causes);
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema["type"].as_str() {
        _ if value.is_null() => schema["nullable"] == true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn text(place: &Place<'_>, causes: &mut Vec<Cause>) {
    let Place { schema, value, path, .. } = place;
    let text = value.as_str().unwrap_or("");
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let mut refuse = |detail: String| {
        causes.push(Cause::invalid(path, value, &format!("{path} in body {detail}")));
    };
    if let Some(least) = schema["minLength"].as_u64()
        && length < least
    {
        refuse(format!("should be at least {least} chars long"));
    }
    if let Some(most) = schema["maxLength"].as_u64()
        && length > most
    {
        refuse(format!("should be at most {most} chars long"));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let regex = Regex::new(pattern).expect("checked with the definition");
        if !regex.is_match(text) {
            refuse(format!("should match '{pattern}'"));
        }
    }
    let fits = match schema["format"].as_str() {
        Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
        Some("byte") => BASE64_STANDARD.decode(text).is_ok(),
        _ => true,
    };
    if !fits {
        refuse(format!("must be of type {}: {value}", schema["format"].as_str().unwrap_or("")));
    }
}

fn number(place: &Place<'_>, causes: &mut Vec<Cause>) {
    let Place { schema, value, path, .. } = place;
    let is = value.as_f64().unwrap_or(0.0);
    let mut refuse = |detail: String| {
        causes.push(Cause::invalid(path, value, &format!("{path} in body {detail}")));
    };
    if let Some(least) = schema["minimum"].as_f64()
        && is < least
    {
        refuse(format!("should be greater than or equal to {least}"));
    }
    if let Some(most) = schema["maximum"].as_f64()
        && is > most
    {
        refuse(format!("should be less than or equal to {most}"));
    }
    if schema["format"] == "int32" && value.as_i64().is_none_or(|n| i32::try_from(n).is_err()) {
        refuse(format!("must be of type int32: {value}"));
    }
}

fn array(place: &Place<'_>, items: &[Value], causes: &mut Vec<Cause>) {
    let Place { schema, value: whole, path, .. } = place;
    let length = u64::try_from(items.len()).unwrap_or(u64::MAX);
    if let Some(least) = schema["minItems"].as_u64()
        && length < least
    {
        let detail = format!("{path} in body should have at least {least} items");
        causes.push(Cause::invalid(path, whole, &detail));
    }
    for (index, item) in items.iter().enumerate() {
        // Rules about changes need an old element, which only lists with keys have.
        let path = format!("{path}[{index}]");
        value(&Place { schema: &schema["items"], value: item, live: None, path }, causes);
    }
}

fn map(place: &Place<'_>, causes: &mut Vec<Cause>) {
    let Place { schema, value: whole, live, path } = place;
    let child = |key: &str| {
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if whole.get(key).is_none() {
            causes.push(Cause::required(child(key), ""));
        }
    }
    for (key, field) in whole.as_object().into_iter().flatten() {
        let is_identity = path.is_empty() && matches!(&**key, "apiVersion" | "kind" | "metadata");
        let known = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        if let Some(schema) = known.filter(|schema| schema.is_object() && !is_identity) {
            let live = live.and_then(|live| live.get(key));
            value(&Place { schema, value: field, live, path: child(key) }, causes);
        }
    }
}
