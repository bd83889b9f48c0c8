//! Each value of the schema does something, and nothing that is wrong gets past it.
//!
//! The schema carries an example of each value. So a new one without an example, or without a use in
//! the templates, fails here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::deploy::chart::helm;
use crate::deploy::chart::helm::CHART;
use crate::deploy::chart::wrong;
use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::deploy::schemas;

/// A value that has examples, such as `/image/tag`.
pub(super) struct Leaf {
    pub(super) pointer: String,
    pub(super) schema: Value,
    /// Values without which this one does nothing.
    needs: Value,
}

impl Leaf {
    pub(super) fn examples(&self) -> &[Value] {
        self.schema["examples"].as_array().unwrap()
    }

    /// What it needs, with dashboards only where they are meant: they are long.
    fn before(&self) -> Value {
        let mut before = self.needs.clone();
        if !self.pointer.starts_with("/monitoring/dashboards") {
            let none = json!({"monitoring": {"dashboards": {"enabled": false}}});
            before = helm::merged(none, &before);
        }
        let others = NEEDS.iter().filter(|(start, _)| self.pointer.starts_with(start));
        others.fold(before, |before, (_, text)| {
            helm::merged(before, &serde_json::from_str(text).unwrap())
        })
    }
}

/// What a value needs besides an `enabled` beside or above it.
const NEEDS: [(&str, &str); 6] = [
    (
        "/credentials/objectStoreSecrets",
        r#"{"credentials": {"source": "objectStore",
            "objectStoreSecrets": [{"namespace": "a", "names": ["a"]}]}}"#,
    ),
    (
        "/monitoring/dashboards/folderAnnotation",
        r#"{"monitoring": {"dashboards": {"folder": "A"}}}"#,
    ),
    ("/monitoring/", r#"{"monitoring": {"serviceMonitor": {"enabled": true}}}"#),
    ("/podDisruptionBudget/", r#"{"replicas": 3}"#),
    ("/rbac/clusterWide", r#"{"config": {"kubernetes": {"namespaces": ["databases"]}}}"#),
    ("/serviceAccount/create", r#"{"serviceAccount": {"name": "reader"}}"#),
];

#[tokio::test]
async fn each_value_changes_what_is_rendered_into_something_valid() {
    let leaves = leaves();
    let mut cases = Vec::new();
    for leaf in &leaves {
        let own: Vec<Value> = leaf
            .examples()
            .iter()
            .map(|it| helm::merged(leaf.before(), &at(&leaf.pointer, it)))
            .collect();
        cases.push((leaf, leaf.before(), own));
    }
    let values: Vec<Value> = cases
        .iter()
        .flat_map(|(_, before, own)| [before].into_iter().chain(own))
        .cloned()
        .collect();
    let mut answers = helm::render(&values).await.into_iter();
    let mut objects: Vec<Object> = Vec::new();
    for (leaf, _, own) in &cases {
        let before = answers.next().unwrap();
        for _ in own {
            let after = answers.next().unwrap();
            assert_eq!(after.error(), None, "{}", leaf.pointer);
            let is_on_by_itself = leaf.pointer == "/monitoring/serviceMonitor/enabled";
            let is_changed = before.texts() != after.texts();
            assert!(is_changed || is_on_by_itself, "{} changes nothing", leaf.pointer);
            objects.extend(after.objects());
        }
    }
    let problems = schemas::problems(&objects).await;
    for (object, problems) in objects.iter().zip(problems) {
        assert!(problems.is_empty(), "{}: {problems:#?} {:#}", object.origin, object.value);
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_named() {
    let cases: Vec<(String, Value)> = wrong::cases(&schema());
    assert!(400 < cases.len(), "{} cases", cases.len());
    let values: Vec<Value> = cases.iter().map(|(pointer, wrong)| at(pointer, wrong)).collect();
    let answers = helm::render(&values).await;
    let mut accepted = Vec::new();
    for ((pointer, wrong), answer) in cases.iter().zip(answers) {
        // As the library says it: at '/image/tag': got number, want string.
        let (above, key) = pointer.rsplit_once('/').unwrap_or_default();
        let is_missed = format!("at '{above}': missing property '{key}'");
        let names_it = |error: &str| {
            error.contains(&format!("at '{pointer}"))
                || wrong.is_null() && error.contains(&is_missed)
        };
        if !answer.error().is_some_and(names_it) {
            accepted.push(format!("{pointer}: {wrong}: {:?}", answer.error()));
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let cases = [
        ("replicas", json!({"replicas": 2, "ledger": {"volume": {"enabled": true}}})),
        ("podDisruptionBudget", json!({"podDisruptionBudget": {"enabled": true}})),
        (
            "ciliumNetworkPolicy",
            json!({"networkPolicy": {"enabled": true}, "ciliumNetworkPolicy": {"enabled": true}}),
        ),
        ("credentials.objectStoreSecrets", json!({"credentials": {"source": "objectStore"}})),
        (
            "contentJobs.enabled",
            json!({"credentials": {"source": "environment"}, "contentJobs": {"enabled": true}}),
        ),
        ("rbac.clusterWide", json!({"rbac": {"clusterWide": false}})),
        ("serviceAccount.name", json!({"serviceAccount": {"create": false}})),
        ("drills.namespace", json!({"drills": {"enabled": true, "namespace": "backups"}})),
        (
            "drills.sourceNamespaces",
            json!({"drills": {"enabled": true, "sourceNamespaces": ["restore-drills"]}}),
        ),
        (
            "config.drills.namespace",
            json!({"drills": {"enabled": true}, "config": {"drills": {"namespace": "elsewhere"}}}),
        ),
    ];
    let values = cases.each_ref().map(|(_, values)| values.clone());
    for ((named, _), answer) in cases.iter().zip(helm::render(&values).await) {
        assert!(answer.error().is_some_and(|error| error.contains(named)), "{named}: {answer:?}");
    }
}

/// Helm adds this key where another chart depends on this one.
#[tokio::test]
async fn another_chart_can_bring_it() {
    let [alone, brought] = [json!({}), json!({"global": {"region": "eu"}})];
    let answers = helm::render(&[alone, brought]).await;
    assert_eq!(answers[0].texts(), answers[1].texts());
}

#[tokio::test]
async fn helm_has_nothing_to_complain_about() {
    let monitoring =
        json!({"serviceMonitor": {"enabled": true}, "prometheusRule": {"enabled": true}});
    let drills = json!({"drills": {"enabled": true}});
    let cases = [json!({}), json!({"monitoring": monitoring}), drills];
    for answer in helm::lint(&cases).await {
        assert_eq!(answer.complaints(), Vec::<&str>::new());
    }
    let wrong = [json!({"replicas": "one"})];
    assert_ne!(helm::lint(&wrong).await[0].complaints(), Vec::<&str>::new());
}

/// The settings of the daemon are those of its documentation, but for what the chart says itself.
#[test]
fn the_configuration_has_the_keys_of_the_daemon() {
    let own = |key: &str| {
        let own = [
            "listen",
            "content.ledger",
            "content.base_backups.run_as",
            "content.jobs.pod",
            "kubernetes.instance_metrics",
        ];
        own.contains(&key) || key.starts_with("credentials.")
    };
    let table = manifests::read("docs/configuration.md");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys = rows.map(|row| row.split('`').next().unwrap().to_owned());
    let documented: BTreeSet<String> = keys.filter(|key| !own(key)).collect();
    let schema = schema();
    let mut found = BTreeSet::new();
    keys_below(&schema, &schema["properties"]["config"], "", &mut found);
    assert_eq!(found, documented);
}

fn keys_below(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = wrong::resolved(root, schema);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, inner) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            keys_below(root, inner, &path, found);
        }
    } else if schema["items"].get("properties").is_some() {
        keys_below(root, &schema["items"], &format!("{path}[]"), found);
    } else {
        found.insert(path.to_owned());
    }
}

pub(super) fn schema() -> Value {
    serde_json::from_str(&manifests::read(&format!("{CHART}/values.schema.json"))).unwrap()
}

/// Everything with examples, and a failure for what has neither examples nor values in it.
pub(super) fn leaves() -> Vec<Leaf> {
    let schema = schema();
    let mut found = Vec::new();
    collect(&schema, "", &json!({}), &mut found);
    assert!(80 < found.len(), "{} values", found.len());
    found
}

fn collect(schema: &Value, pointer: &str, needs: &Value, found: &mut Vec<Leaf>) {
    if schema.get("examples").is_some() {
        let (pointer, schema, needs) = (pointer.to_owned(), schema.clone(), needs.clone());
        return found.push(Leaf { pointer, schema, needs });
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.unwrap_or_else(|| panic!("no example of {pointer}"));
    let switch = properties.contains_key("enabled").then(|| {
        let on = at(&format!("{pointer}/enabled"), &json!(true));
        helm::merged(needs.clone(), &on)
    });
    // Helm's own.
    for (key, inner) in properties.iter().filter(|(key, _)| *key != "global") {
        let needs = switch.as_ref().filter(|_| key != "enabled").unwrap_or(needs);
        collect(inner, &format!("{pointer}/{key}"), needs, found);
    }
}

/// The first example of each value below a pointer.
pub(super) fn examples(start: &str) -> Value {
    let leaves = leaves().into_iter().filter(|leaf| leaf.pointer.starts_with(start));
    leaves.fold(json!({}), |values, leaf| {
        helm::merged(values, &at(&leaf.pointer, &leaf.examples()[0]))
    })
}

/// Values in which this pointer leads to that value.
fn at(pointer: &str, value: &Value) -> Value {
    pointer.rsplit('/').filter(|key| !key.is_empty()).fold(value.clone(), |inner, key| {
        Value::Object([(key.to_owned(), inner)].into_iter().collect())
    })
}

#[test]
fn defaults_are_no_examples() {
    let defaults: Value =
        serde_saphyr::from_str(&manifests::read(&format!("{CHART}/values.yaml"))).unwrap();
    let same: BTreeMap<String, Value> = leaves()
        .into_iter()
        .filter(|leaf| {
            leaf.examples().contains(defaults.pointer(&leaf.pointer).unwrap_or(&Value::Bool(true)))
        })
        .map(|leaf| (leaf.pointer.clone(), leaf.schema))
        .collect();
    assert!(same.is_empty(), "{same:?}");
}
