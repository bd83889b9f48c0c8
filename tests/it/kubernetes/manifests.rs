//! Every manifest that `deploy` offers is what the API server takes, and the form that is often
//! copied is not.

use serde_json::Value;
use serde_json::json;

use crate::deploy::manifests;
use crate::kubernetes::objects;
use crate::kubernetes::objects::merge;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::made_archive::MadeArchive;

const CLUSTER: &str = "deploy/kubernetes/apps/databases/cloudnative-pg/cluster";
const STORE: &str = "deploy/kubernetes/apps/databases/cloudnative-pg/objectstore";

/// Kinds of groups that these servers know. Those of Flux and of operators for secrets and metrics
/// are held to their schemas elsewhere.
const GROUPS: [&str; 6] = [
    "postgresql.cnpg.io",
    "barmancloud.cnpg.io",
    "rbac.authorization.k8s.io",
    "apps",
    "v1",
    "batch",
];

#[tokio::test]
async fn every_manifest_is_accepted_field_by_field() {
    let world = World::begin().await;
    let mut objects = manifests::build_with(&[]).await;
    for file in manifests::files("deploy/examples", ".yaml") {
        let text = manifests::substituted(&manifests::read(&file));
        objects.extend(manifests::objects(&file, &text));
    }
    for folder in [CLUSTER, STORE] {
        objects.extend(manifests::built_from(folder).await);
    }
    let mut kinds = Vec::new();
    for object in objects {
        let group = object.text("/apiVersion").split('/').next().unwrap().to_owned();
        if !GROUPS.contains(&group.as_str()) {
            continue;
        }
        let placed = placed(&world, object.value.clone());
        let applied = world.server.try_dry_run(&placed).await;
        let kind = object.kind().to_owned();
        assert!(applied.is_ok(), "{} {kind}: {applied:?}", object.origin);
        kinds.push(kind);
    }
    for kind in ["Cluster", "ObjectStore", "ScheduledBackup", "Backup", "Deployment", "Role"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn the_object_store_that_is_often_copied_is_refused() {
    let world = World::begin().await;
    let store = manifests::one(STORE, "ObjectStore").await.value;
    let store = placed(&world, store);
    let cases = [
        ("serverName", json!("main"), "use the 'serverName' plugin parameter"),
        ("retentionPolicy", json!("30d"), "retentionPolicy"),
    ];
    for (field, value, why) in cases {
        let mut copied = store.clone();
        copied["spec"]["configuration"][field] = value;
        let refused = world.server.try_apply(&copied).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{field}: {refused}");
    }
    world.server.apply(&store).await;
}

#[tokio::test]
async fn the_recovery_of_a_discovered_cluster_is_accepted_as_it_is_printed() {
    let world = World::begin().await;
    world.install_cluster("main", &MadeArchive::healthy(8)).await;
    let shape = json!({
        "imageName": "ghcr.io/cloudnative-pg/postgresql:17.6",
        "storage": {"size": "3Gi", "storageClass": "fast"},
        "walStorage": {"size": "1Gi"},
        "postgresql": {"parameters": {"max_connections": "300"}},
    });
    let mut cluster = world.plugin_cluster("main", to_store());
    merge(&mut cluster["spec"], shape.clone());
    world.server.apply(&cluster).await;
    let daemon = world.daemon(Options::default()).await;
    world
        .cluster_when(&daemon, "main", "it can be restored", |it| it["verdict"] == "recoverable")
        .await;
    let path = format!("/api/v1/restore-plan/{}/main?to=latest", world.namespace);
    let plan = daemon.get(&path).await.json();
    let manifest: Value = serde_saphyr::from_str(plan["manifest"].as_str().unwrap()).unwrap();
    for (field, expected) in shape.as_object().unwrap() {
        assert_eq!(&manifest["spec"][field], expected);
    }
    let origin = &manifest["spec"]["externalClusters"][0]["plugin"]["parameters"];
    assert_eq!(origin, &json!({"barmanObjectName": objects::STORE, "serverName": "main"}));
    world.server.try_dry_run(&manifest).await.unwrap();
}

/// In the world's namespace, whatever the manifest says.
fn placed(world: &World, mut object: Value) -> Value {
    let is_cluster_wide = object["kind"].as_str().unwrap().starts_with("ClusterRole");
    let metadata = object["metadata"].as_object_mut().unwrap();
    if is_cluster_wide {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), json!(world.namespace));
    }
    // What is to be created with a generated name cannot be applied.
    if let Some(prefix) = metadata.remove("generateName") {
        metadata.insert("name".to_owned(), json!(format!("{}1", prefix.as_str().unwrap())));
    }
    object
}
