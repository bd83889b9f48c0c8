//! Objects as JSON, for tests that arrange a cluster without a client.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use serde_json::Value;

use crate::kubernetes::User;
use crate::kubernetes::answer::Answer;
use crate::kubernetes::api;
use crate::kubernetes::api::Shared;
use crate::kubernetes::call::Call;
use crate::kubernetes::call::Query;
use crate::kubernetes::json::text;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// Reads and writes past RBAC and the log of requests, with all other rules of the server. A
/// resource is named by its plural; a namespace is empty for what has none.
///
/// Panics with the server's message where it refuses, unless the name begins with `try_`.
#[derive(Debug)]
pub struct Admin<'a> {
    shared: &'a Arc<Shared>,
}

impl<'a> Admin<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Applies every object of a YAML text of one or more documents.
    pub fn apply(&self, yaml: &str) {
        self.try_apply(yaml).unwrap_or_else(|message| panic!("{message}"));
    }

    /// Applies every object of a YAML text, up to the first that is refused.
    ///
    /// # Errors
    ///
    /// The server's message.
    pub fn try_apply(&self, yaml: &str) -> Result<(), String> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).map_err(|e| e.to_string())?;
        for document in documents.iter().filter(|document| !document.is_null()) {
            let kind = self.type_of(document)?;
            let mut namespace = text(document, "/metadata/namespace");
            if namespace.is_empty() && kind.namespaced {
                namespace = "default";
            }
            let name = text(document, "/metadata/name");
            let path = format!("{}?fieldManager=tests&force=true", path(&kind, namespace, name));
            let body = document.to_string();
            self.send(Method::PATCH, &path, "application/apply-patch+yaml", &body)
                .map_err(|failure| format!("{name}: {}", failure.message()))?;
        }
        Ok(())
    }

    /// One object, if there is one.
    #[must_use]
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.send(Method::GET, &self.path(plural, namespace, name), "", "");
        match found {
            Ok(object) => Some(object),
            Err(failure) if failure.code() == 404 => None,
            Err(failure) => panic!("{}", failure.message()),
        }
    }

    /// All objects of one namespace or, with an empty one, of all.
    #[must_use]
    pub fn list(&self, plural: &str, namespace: &str) -> Vec<Value> {
        let mut list = self.expect(Method::GET, &self.path(plural, namespace, ""), "", "");
        list["items"].as_array_mut().map(std::mem::take).expect("a list")
    }

    /// Creates an object and returns it as stored; its status is dropped, as everywhere.
    pub fn create(&self, object: &Value) -> Value {
        let kind = self.type_of(object).unwrap_or_else(|message| panic!("{message}"));
        let path = path(&kind, text(object, "/metadata/namespace"), "");
        self.expect(Method::POST, &path, JSON, &object.to_string())
    }

    /// Replaces an object and returns it as stored.
    pub fn replace(&self, object: &Value) -> Value {
        let kind = self.type_of(object).unwrap_or_else(|message| panic!("{message}"));
        let (namespace, name) =
            (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        self.expect(Method::PUT, &path(&kind, namespace, name), JSON, &object.to_string())
    }

    /// Changes an object by a merge patch.
    pub fn patch(&self, plural: &str, namespace: &str, name: &str, patch: &Value) -> Value {
        self.expect(Method::PATCH, &self.path(plural, namespace, name), MERGE, &patch.to_string())
    }

    /// Merges into the status of an object, as its operator does.
    pub fn patch_status(&self, plural: &str, namespace: &str, name: &str, status: &Value) -> Value {
        let path = format!("{}/status", self.path(plural, namespace, name));
        let patch = serde_json::json!({ "status": status });
        self.expect(Method::PATCH, &path, MERGE, &patch.to_string())
    }

    /// Has an object be created at another time, as it would be after a long wait.
    pub fn predate(&self, plural: &str, namespace: &str, name: &str, created_at: &str) {
        let mut state = self.shared.state();
        let kind = state.types.iter().find(|kind| kind.plural == plural).cloned();
        let kind = kind.unwrap_or_else(|| panic!("no resource {plural}"));
        let object = state.get(&kind, namespace, name);
        let mut object = Value::clone(&object.unwrap_or_else(|| panic!("no {plural} {name}")));
        object["metadata"]["creationTimestamp"] = Value::from(created_at);
        state.put(&kind, object);
    }

    /// Adds lines to what a container has logged, each behind its time as the kubelet puts it there.
    pub fn add_to_log(&self, namespace: &str, pod: &str, container: &str, lines: &str) {
        self.shared.state().add_to_log([namespace, pod, container], lines);
    }

    /// Deletes an object.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        self.expect(Method::DELETE, &self.path(plural, namespace, name), "", "");
    }

    fn path(&self, plural: &str, namespace: &str, name: &str) -> String {
        let state = self.shared.state();
        let kind = state.types.iter().find(|kind| kind.plural == plural);
        let kind = kind.unwrap_or_else(|| panic!("no resource {plural}"));
        path(kind, namespace, name)
    }

    fn type_of(&self, object: &Value) -> Result<Arc<ResourceType>, String> {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let found = self.shared.state().type_of(version, kind);
        found.ok_or_else(|| {
            format!("no matches for kind {kind:?} in version {version:?}, install its CRD first")
        })
    }

    fn expect(&self, method: Method, path: &str, content_type: &str, body: &str) -> Value {
        self.send(method, path, content_type, body)
            .unwrap_or_else(|failure| panic!("{path}: {}", failure.message()))
    }

    fn send(
        &self,
        method: Method,
        uri: &str,
        content_type: &str,
        body: &str,
    ) -> Result<Value, Failure> {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut headers = HeaderMap::new();
        let content_type = HeaderValue::try_from(content_type).expect("a content type");
        headers.insert("content-type", content_type);
        headers.insert("user-agent", HeaderValue::from_static("tests"));
        let call = Call {
            method,
            path: path.to_owned(),
            query: Query::parse(&format!("{query}&fieldValidation=Strict")),
            headers,
            body: Bytes::from(body.to_owned()),
            user: User::admin(),
        };
        match api::answer_unlogged(self.shared, &call)? {
            Answer::Json { body, .. } => Ok(body),
            Answer::Text(_) | Answer::Watch(_) => panic!("{uri} is no object"),
        }
    }
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

fn path(kind: &ResourceType, namespace: &str, name: &str) -> String {
    let root = if kind.group.is_empty() { "/api" } else { "/apis" };
    let scope =
        if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    let name = if name.is_empty() { String::new() } else { format!("/{name}") };
    format!("{root}/{}{scope}/{}{name}", kind.api_version(), kind.plural)
}
