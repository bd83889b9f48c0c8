//! Every object is one that an API server accepts, with unknown fields forbidden.
//!
//! The validators for custom resources, and for Kubernetes' own kinds, are compiled from the
//! published definitions; `ObjectStore` has a schema of ours, as nobody publishes one. See
//! `tests/manifests/validate.mjs`, which also says how unknown fields are found. Kubernetes' own
//! kinds go the same way rather than through `k8s-openapi`: its types take any text for an
//! enumeration and do not know what is required.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use serde_json::json;
use test_servers::process::run_with_input;
use test_servers::tools;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

#[tokio::test]
async fn every_object_is_what_its_schema_says() {
    let objects = all().await;
    let problems = problems(&objects).await;
    for (object, problems) in objects.iter().zip(problems) {
        let Object { origin, .. } = object;
        assert!(problems.is_empty(), "{origin}: {} {problems:#?}", object.kind());
    }
}

#[tokio::test]
async fn the_alerts_join_the_daemon() {
    let objects = manifests::build_with(&["alerts"]).await;
    let problems = problems(&objects).await;
    for (object, problems) in objects.iter().zip(problems) {
        assert!(problems.is_empty(), "{} {problems:#?}", object.kind());
    }
    let kinds: BTreeSet<&str> = objects.iter().map(Object::kind).collect();
    assert!(kinds.is_superset(&["Deployment", "PrometheusRule"].into()), "{kinds:?}");
}

/// What makes the test above mean something: an invented field is refused at every place, except
/// where the content is free.
#[tokio::test]
async fn a_field_that_does_not_exist_is_refused_everywhere() {
    let objects = all().await;
    let mut broken = Vec::new();
    let mut places = Vec::new();
    for object in &objects {
        for pointer in maps(&object.value, "") {
            let mut value = object.value.clone();
            value.pointer_mut(&pointer).unwrap()["notAField"] = json!("text");
            broken.push(Object { origin: object.origin.clone(), value });
            places.push(format!("{}{pointer}", object.kind()));
        }
    }
    let accepted: BTreeSet<String> = problems(&broken)
        .await
        .into_iter()
        .zip(places)
        .filter(|(problems, _)| problems.is_empty())
        .map(|(_, place)| place)
        .collect();
    // Names that are the operator's to choose.
    let free = ["/annotations", "/labels", "/matchLabels", "/parameters", "/spec/selector"];
    // The definition leaves routes inside of routes open.
    let is_route = |place: &String| place.starts_with("AlertmanagerConfig/spec/route/routes/");
    let is_free = |place: &String| is_route(place) || free.iter().any(|end| place.ends_with(end));
    let others: Vec<&String> = accepted.iter().filter(|place| !is_free(place)).collect();
    let expected = [
        "ConfigMap/data",
        // What the chart takes is between it and Helm.
        "HelmRelease/spec/values",
        "HelmRelease/spec/values/resources",
        "HelmRelease/spec/values/resources/limits",
        "HelmRelease/spec/values/resources/requests",
    ];
    assert_eq!(others, expected);
}

#[tokio::test]
async fn wrong_types_words_and_omissions_are_refused() {
    let objects = all().await;
    let cases = [
        ("Cluster", "/spec/instances", json!("three"), "/spec/instances"),
        ("Cluster", "/spec/plugins/0/name", Value::Null, "name"),
        ("ScheduledBackup", "/spec/method", json!("plugn"), "/spec/method"),
        ("ScheduledBackup", "/spec/schedule", Value::Null, "schedule"),
        ("Backup", "/spec/target", json!("standby"), "/spec/target"),
        ("HelmRelease", "/spec/install/crds", json!("Replace"), "/spec/install/crds"),
        ("HelmRelease", "/spec/interval", Value::Null, "interval"),
        ("ExternalSecret", "/spec/target/creationPolicy", json!("Own"), "creationPolicy"),
        ("ObjectStore", "/spec/configuration/destinationPath", json!(""), "destinationPath"),
        ("ObjectStore", "/spec/configuration/data/compression", json!("zstd"), "compression"),
        ("ObjectStore", "/spec/configuration/wal/maxParallel", json!(0), "maxParallel"),
        ("ObjectStore", "/spec/retentionPolicy", json!("30 days"), "retentionPolicy"),
        ("ServiceMonitor", "/spec/endpoints", json!("http"), "/spec/endpoints"),
        ("Deployment", "/spec/replicas", json!("1"), "/spec/replicas"),
        ("Deployment", "/spec/selector", Value::Null, "selector"),
        ("ClusterRole", "/rules/0/verbs", Value::Null, "verbs"),
        ("NetworkPolicy", "/spec/egress/0/ports", json!(53), "ports"),
    ];
    let broken = cases.iter().map(|(kind, pointer, replacement, _)| {
        let has_it =
            |object: &&Object| object.kind() == *kind && object.value.pointer(pointer).is_some();
        let object = objects.iter().find(has_it);
        let mut object = object.unwrap_or_else(|| panic!("no {kind} with {pointer}")).clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = object.value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match replacement {
            Value::Null => parent.remove(name),
            text => parent.insert(name.to_owned(), text.clone()),
        };
        object
    });
    let broken: Vec<Object> = broken.collect();
    for ((kind, pointer, _, named), problems) in cases.iter().zip(problems(&broken).await) {
        let says_so = problems.iter().any(|problem| problem.contains(named));
        assert!(says_so, "{kind}{pointer}: {problems:?}");
    }
}

#[tokio::test]
async fn an_object_without_a_schema_is_a_problem() {
    let unknown = json!({"apiVersion": "v1", "kind": "Pood", "metadata": {"name": "a"}});
    let foreign = json!({"apiVersion": "example.com/v1", "kind": "Pod", "metadata": {}});
    let objects = [unknown, foreign].map(|value| Object { origin: String::new(), value });
    assert!(problems(&objects).await.iter().all(|problems| problems.len() == 1));
}

/// What is wrong with each object, by its schema.
pub(crate) async fn problems(objects: &[Object]) -> Vec<Vec<String>> {
    let values: Vec<&Value> = objects.iter().map(|object| &object.value).collect();
    let mut command = manifests::node();
    command.arg(manifests::root().join("tests/manifests/validate.mjs"));
    command.arg(tools::manifests("node_modules"));
    let input = serde_json::to_string(&values).unwrap();
    let output = run_with_input(command, &input, manifests::LIMIT).await.expect_success();
    let problems: Vec<Vec<String>> = serde_json::from_str(&output).unwrap();
    assert_eq!(problems.len(), objects.len());
    problems
}

/// Everything built, every manifest as it lies in `deploy`, and every one in a document.
async fn all() -> Vec<Object> {
    let mut objects = manifests::built().await.to_vec();
    for file in manifests::files("deploy", ".yaml") {
        if !is_part(&file) {
            objects.extend(manifests::objects(&file, &substituted(&file)));
        }
    }
    for file in ["alerts/prometheusrule.yaml", "alerts/examples/alertmanagerconfig.yaml"] {
        objects.extend(manifests::objects(file, &manifests::read(file)));
    }
    for document in documents() {
        for text in blocks(&manifests::read(&document)) {
            let found = manifests::objects(&document, &manifests::substituted(&text));
            // Others are our own configuration, or a part of an object.
            objects.extend(found.into_iter().filter(|it| it.value.get("apiVersion").is_some()));
        }
    }
    objects
}

fn substituted(file: &str) -> String {
    manifests::substituted(&manifests::read(file))
}

/// Files that are no objects by themselves, but are built with the others: what kustomize reads,
/// which refuses unknown fields itself, its patches, and our own configuration.
fn is_part(file: &str) -> bool {
    let is_patch = file.contains("/components/") && file.ends_with("/deployment.yaml");
    // Templates and values, which other tests render.
    let is_of_chart = file.starts_with("deploy/chart/");
    let is_kustomization = file.ends_with("/kustomization.yaml");
    is_patch || is_of_chart || is_kustomization || file.ends_with("/config.yaml")
}

fn documents() -> Vec<String> {
    let of_docs = manifests::files("docs", ".md");
    of_docs.into_iter().chain(manifests::files("deploy", ".md")).collect()
}

/// The blocks of a document that are marked as YAML.
pub(super) fn blocks(text: &str) -> Vec<String> {
    let blocks = text.split("\n```yaml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// Pointers to every map in a value.
fn maps(value: &Value, pointer: &str) -> Vec<String> {
    let below = |name: &str, value: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        maps(value, &format!("{pointer}/{name}"))
    };
    match value {
        Value::Object(map) => {
            let inner = map.iter().flat_map(|(name, value)| below(name, value));
            [pointer.to_owned()].into_iter().chain(inner).collect()
        }
        Value::Array(list) => {
            let inner = list.iter().enumerate();
            inner.flat_map(|(index, value)| below(&index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn patches_and_settings_are_the_only_parts() {
    let parts = manifests::files("deploy", ".yaml").into_iter().filter(|file| is_part(file));
    let parts = parts.filter(|file| !file.ends_with("/kustomization.yaml"));
    let parts = parts.filter(|file| !file.starts_with("deploy/chart/"));
    for part in parts {
        let (folder, name) = part.rsplit_once('/').unwrap();
        let kustomization = manifests::root().join(folder).join("kustomization.yaml");
        assert!(fs::read_to_string(kustomization).unwrap().contains(name), "{part} is not used");
    }
}
