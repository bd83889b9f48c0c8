//! What the server says about itself: version, health, groups, resources, and as much of
//! `OpenAPI` as `kubectl` reads before it asks for strict validation.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::answer::Answer;
use crate::kubernetes::api::is_read;
use crate::kubernetes::call::Call;
use crate::kubernetes::state::State;
use crate::kubernetes::types::ResourceType;

/// The release that the server behaves like.
const VERSION: &str = "v1.36.0";

/// Answers a path that tells about the server; `None` for all others.
pub(super) fn answer(state: &State, call: &Call) -> Option<Answer> {
    if !is_read(&call.method) {
        return None;
    }
    let parts: Vec<&str> = call.path.split('/').filter(|part| !part.is_empty()).collect();
    Some(match parts.as_slice() {
        ["version"] => Answer::ok(json!({
            "major": "1", "minor": "36", "gitVersion": VERSION, "platform": "linux/amd64",
            "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "", "compiler": "",
        })),
        ["healthz" | "livez" | "readyz", ..] => Answer::Text("ok".into()),
        ["api"] => Answer::ok(json!({ "kind": "APIVersions", "versions": ["v1"] })),
        ["apis"] => {
            let groups: Vec<Value> = groups(state).keys().map(|group| group_of(group)).collect();
            Answer::ok(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        ["apis", group] if groups(state).contains_key(*group) => {
            let mut body = group_of(group);
            body["kind"] = json!("APIGroup");
            body["apiVersion"] = json!("v1");
            Answer::ok(body)
        }
        ["api", "v1"] => resources(state, ""),
        ["apis", group, "v1"] if groups(state).contains_key(*group) => resources(state, group),
        ["openapi", "v3"] => {
            let address =
                |path: &str| json!({ "serverRelativeURL": format!("/openapi/v3/{path}") });
            let mut paths = json!({ "api/v1": address("api/v1") });
            for group in groups(state).keys() {
                let path = format!("apis/{group}/v1");
                paths[&path] = address(&path);
            }
            Answer::ok(json!({ "paths": paths }))
        }
        ["openapi", "v3", "api", "v1"] => Answer::ok(open_api(state, "")),
        ["openapi", "v3", "apis", group, "v1"] => Answer::ok(open_api(state, group)),
        _ => return None,
    })
}

/// The kinds by group; the core group, and groups of other versions than `v1`, are not among them.
fn groups(state: &State) -> BTreeMap<&str, Vec<&ResourceType>> {
    let mut groups: BTreeMap<&str, Vec<&ResourceType>> = BTreeMap::new();
    let virtual_groups = ["authentication.k8s.io", "authorization.k8s.io"];
    for group in virtual_groups {
        groups.insert(group, Vec::new());
    }
    for kind in state.types.iter().filter(|kind| !kind.group.is_empty() && kind.version == "v1") {
        groups.entry(&kind.group).or_default().push(kind);
    }
    groups
}

fn group_of(group: &str) -> Value {
    let version = json!({ "groupVersion": format!("{group}/v1"), "version": "v1" });
    json!({ "name": group, "versions": [version], "preferredVersion": version })
}

fn resources(state: &State, group: &str) -> Answer {
    let mut listed: Vec<Value> = state
        .types
        .iter()
        .filter(|kind| kind.group == group)
        .flat_map(|kind| kind.api_resources())
        .collect();
    if group == "authorization.k8s.io" {
        listed.push(json!({
            "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview",
            "namespaced": false, "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        }));
    }
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    Answer::ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
        "resources": listed,
    }))
}

/// That a PATCH of each kind knows `fieldValidation`, and nothing else.
fn open_api(state: &State, group: &str) -> Value {
    let mut paths = json!({});
    for kind in state.types.iter().filter(|kind| kind.group == group) {
        let parameter = json!({
            "name": "fieldValidation", "in": "query",
            "schema": { "type": "string", "uniqueItems": true },
        });
        let path = format!("/{}/{{name}}", kind.plural);
        paths[path] = json!({ "patch": {
            "parameters": [parameter], "responses": {},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {
                "group": kind.group, "version": kind.version, "kind": kind.kind,
            },
        }});
    }
    json!({
        "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": VERSION },
        "paths": paths,
    })
}
