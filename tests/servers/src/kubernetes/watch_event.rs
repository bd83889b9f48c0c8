//! The events of a watch: which changes it shows, and how.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::selector::Selector;
use crate::kubernetes::state::Change;
use crate::kubernetes::types::ResourceType;

/// What a watch shows.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) kind: Arc<ResourceType>,
    pub(super) namespace: String,
    pub(super) selector: Selector,
}

impl Scope {
    pub(super) fn contains(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace == namespace
    }

    /// How a change looks through the selector: an object that leaves it was deleted.
    pub(super) fn line(&self, change: &Change) -> Option<Bytes> {
        let namespace = change.object.pointer("/metadata/namespace");
        if !self.contains(namespace.and_then(Value::as_str).unwrap_or("")) {
            return None;
        }
        let before = change.previous.as_ref().filter(|object| self.selector.matches(object));
        let is_in = !change.is_deletion && self.selector.matches(&change.object);
        match (before, is_in) {
            (None, false) => None,
            (None, true) => Some(line("ADDED", &change.object)),
            (Some(_), true) => Some(line("MODIFIED", &change.object)),
            (Some(before), false) => {
                let mut last = Value::clone(before);
                last["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                Some(line("DELETED", &last))
            }
        }
    }
}

/// One event as it is sent.
pub(super) fn line(what: &str, object: &Value) -> Bytes {
    let mut line = json!({ "type": what, "object": object }).to_string();
    line.push('\n');
    Bytes::from(line)
}
