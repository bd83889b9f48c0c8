//! What the chart renders is what the kustomize base and its components build, object for object.
//!
//! Names are made equal by a release that is called as the base calls its objects, in the namespace
//! that `manifests::build_with` names. Left out of the comparison are the four labels that Helm's own
//! tools read, the order of variables and volumes, which kustomize changes where it patches, and how a changed configuration starts a new pod: by a hash in the name
//! of the `ConfigMap` there, by one in an annotation of the pod here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::deploy::chart::helm;
use crate::deploy::chart::values;
use crate::deploy::daemon;
use crate::deploy::manifests;
use crate::deploy::manifests::Object;

/// Of what runs drills.
const DRILLS: &str = "deploy/kustomize/drills";
const DRILLS_OF_FLUX: &str = "deploy/kubernetes/apps/databases/cnpg-restore-drills/app";

const COMPONENTS: &str = "deploy/kustomize/components";

/// What makes the chart the base.
fn bare() -> Value {
    json!({
        "instanceMetrics": {"enabled": false},
        "monitoring": {"release": "", "dashboards": {"enabled": false}},
    })
}

/// Components, and the values that are their counterpart. The policies name the instances' port only
/// where it is used.
fn counterparts() -> Vec<(Vec<String>, Value)> {
    let instance_metrics = json!({"instanceMetrics": {"enabled": true}});
    let secrets = json!([{"namespace": "databases", "names": ["cnpg-r2-secret"]}]);
    let with_metrics = |key: &str| {
        let mut values = instance_metrics.clone();
        values[key] = json!({"enabled": true});
        values
    };
    let credentials = json!({"source": "objectStore", "objectStoreSecrets": secrets});
    let monitoring = |key: &str| json!({"monitoring": {key: {"enabled": true}}});
    let pairs = [
        (vec![], json!({})),
        (vec!["instance-metrics"], instance_metrics.clone()),
        (vec!["content-jobs"], json!({"contentJobs": {"enabled": true}})),
        (vec!["ledger-volume"], json!({"ledger": {"volume": {"enabled": true}}})),
        (vec!["secret-reading"], json!({"credentials": credentials})),
        (vec!["service-monitor"], monitoring("serviceMonitor")),
        (vec!["network-policy", "instance-metrics"], with_metrics("networkPolicy")),
        (vec!["cilium-egress", "instance-metrics"], with_metrics("ciliumNetworkPolicy")),
        (vec!["../../../alerts"], monitoring("prometheusRule")),
        (vec!["../../../dashboards"], monitoring("dashboards")),
        (vec!["restore-drills"], drills()),
    ];
    let path = |name: &str| match name.strip_prefix("../../../") {
        Some(folder) => folder.to_owned(),
        None => format!("{COMPONENTS}/{name}"),
    };
    let pairs = pairs.into_iter();
    pairs.map(|(names, values)| (names.into_iter().map(path).collect(), values)).collect()
}

/// What runs drills comes with them, as in the app for Flux.
fn drills() -> Value {
    let [(_, bucket), (_, account), _] = manifests::VARIABLES;
    let store = json!({
        "destinationPath": format!("s3://{bucket}/"),
        "endpointURL": format!("https://{account}.r2.cloudflarestorage.com"),
    });
    json!({"drills": {
        "enabled": true, "sourceNamespaces": ["databases"], "objectStores": [store],
    }})
}

/// With the daemon in the namespace that everything is rendered for, not in that of the app for Flux.
async fn what_runs_drills() -> Vec<Object> {
    let mut objects = manifests::built_from(DRILLS).await;
    objects.push(manifests::one(DRILLS_OF_FLUX, "ObjectStore").await);
    for object in &mut objects {
        let (kind, name) = (object.kind().to_owned(), object.name().to_owned());
        let mut set = |pointer: &str, value: &str| {
            let place = object.value.pointer_mut(pointer).unwrap();
            assert!(place.as_str().unwrap().contains("databases"), "{place}");
            *place = json!(value);
        };
        match kind.as_str() {
            "RoleBinding" if name.ends_with("-drill-results") => {
                set("/subjects/0/namespace", "backups");
            }
            "NetworkPolicy" => {
                let peer = "/spec/egress/2/to/0/namespaceSelector/matchLabels";
                set(&format!("{peer}/kubernetes.io~1metadata.name"), "backups");
            }
            "CronJob" => {
                let arguments = "/spec/jobTemplate/spec/template/spec/containers/0/args";
                let address = "http://cnpg-backup-verifier.backups:8080";
                set(&format!("{arguments}/2"), address);
            }
            _ => {}
        }
    }
    objects
}

#[tokio::test]
async fn it_renders_what_the_base_with_a_component_builds() {
    let pairs = counterparts();
    let cases: Vec<Value> = pairs.iter().map(|(_, values)| helm::merged(bare(), values)).collect();
    let rendered = helm::render(&cases).await;
    for ((components, values), rendered) in pairs.iter().zip(rendered) {
        let components: Vec<&str> = components.iter().map(String::as_str).collect();
        let mut expected = manifests::build_with(&components).await;
        if values.get("drills").is_some() {
            expected.extend(what_runs_drills().await);
        }
        let expected = comparable(expected);
        let found = comparable(rendered.objects());
        let names = |objects: &BTreeMap<String, Value>| -> Vec<String> {
            objects.keys().cloned().collect()
        };
        assert_eq!(names(&found), names(&expected), "{components:?}");
        for (name, object) in &found {
            assert_eq!(object, &expected[name], "{components:?}: {name}");
        }
    }
}

#[test]
fn every_component_has_a_counterpart() {
    let has_one: BTreeSet<String> = counterparts().into_iter().flat_map(|(it, _)| it).collect();
    let mut components: BTreeSet<String> = manifests::folders("Component").into_iter().collect();
    components.extend(["alerts", "dashboards"].map(str::to_owned));
    assert_eq!(has_one, components);
}

#[tokio::test]
async fn by_default_it_needs_nothing_that_a_cluster_may_lack() {
    let objects = helm::objects(json!({})).await;
    let groups: BTreeSet<&str> = objects.iter().map(|it| it.text("/apiVersion")).collect();
    let known = ["v1", "apps/v1", "rbac.authorization.k8s.io/v1"];
    assert_eq!(groups, known.into());
    let kinds: BTreeSet<&str> = objects.iter().map(Object::kind).collect();
    assert!(!kinds.contains("PersistentVolumeClaim"), "{kinds:?}");
}

#[tokio::test]
async fn a_policy_opens_the_port_of_the_instances_only_where_it_is_asked() {
    for policy in ["networkPolicy", "ciliumNetworkPolicy"] {
        for is_asked in [true, false] {
            let values =
                json!({policy: {"enabled": true}, "instanceMetrics": {"enabled": is_asked}});
            let objects = helm::objects(values).await;
            let mut policies = objects.iter().filter(|it| it.kind().ends_with("NetworkPolicy"));
            let text = policies.next().unwrap().value.to_string();
            assert_eq!(text.contains("9187"), is_asked, "{policy}");
        }
    }
}

#[tokio::test]
async fn two_releases_in_one_namespace_select_their_own() {
    let objects = helm::objects(json!({})).await;
    let labels = json!({
        "app.kubernetes.io/name": "cnpg-backup-verifier",
        "app.kubernetes.io/instance": "cnpg-backup-verifier",
    });
    let selectors = [("Deployment", "/spec/selector/matchLabels"), ("Service", "/spec/selector")];
    for (kind, pointer) in selectors {
        let object = objects.iter().find(|it| it.kind() == kind).unwrap();
        assert_eq!(object.at(pointer), &labels, "{kind}");
    }
}

#[tokio::test]
async fn a_changed_configuration_starts_a_new_pod() {
    let config = json!({"config": {"poll_interval": "5m"}});
    let [before, after] = [json!({}), config].map(|values| async {
        let objects = helm::objects(values).await;
        let deployment = objects.iter().find(|it| it.kind() == "Deployment").unwrap();
        deployment.at("/spec/template/metadata/annotations/checksum~1config").clone()
    });
    assert_ne!(before.await, after.await);
}

#[tokio::test]
async fn the_program_understands_what_the_chart_tells_it() {
    let secrets = json!([{"namespace": "databases", "names": ["cnpg-r2-secret"]}]);
    // Everything that can be said.
    let of_schema = values::examples("/config");
    let cases = [
        json!({}),
        json!({"credentials": {"source": "objectStore", "objectStoreSecrets": secrets}}),
        json!({"log": {"level": "debug", "format": "text"}}),
        of_schema,
    ];
    for answer in helm::render(&cases).await {
        assert_eq!(daemon::refused_settings(&answer.objects()).await, BTreeSet::new());
    }
}

/// Objects by kind, namespace and name, without what may differ.
fn comparable(objects: Vec<Object>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for object in objects {
        let mut value = object.value;
        normalize(&mut value);
        let namespace = &value["metadata"]["namespace"];
        let name = format!("{} {namespace} {}", value["kind"], value["metadata"]["name"]);
        assert!(found.insert(name.clone(), value).is_none(), "{name} twice");
    }
    found
}

/// Without Helm's labels, hashes of the configuration and comments in it, and with variables and volumes
/// in the order of their names.
fn normalize(value: &mut Value) {
    const OF_HELM: [&str; 5] = [
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "helm.sh/chart",
        "checksum/config",
    ];
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !OF_HELM.contains(&key.as_str()));
            if let Some(Value::String(text)) = map.get_mut("config.yaml") {
                let parsed: Value = serde_saphyr::from_str(text).unwrap();
                map["config.yaml"] = parsed;
            }
            for list in ["env", "volumes"] {
                if let Some(Value::Array(named)) = map.get_mut(list) {
                    named.sort_by_key(|it| it["name"].to_string());
                }
            }
            map.values_mut().for_each(normalize);
            map.retain(|key, value| key != "annotations" || value != &json!({}));
        }
        Value::Array(list) => list.iter_mut().for_each(normalize),
        Value::String(text) => {
            // Of kustomize's alphabet for hashes.
            let is_hash = |text: &str| text.chars().all(|c| "2456789bcdfghkmt".contains(c));
            for name in ["cnpg-backup-verifier", "cnpg-restore-drills"] {
                let hash = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
                if hash.is_some_and(|hash| hash.len() == 10 && is_hash(hash)) {
                    *text = name.to_owned();
                }
            }
        }
        _ => {}
    }
}
