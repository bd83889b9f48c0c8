//! What the backups promise: where they go, how often, for how long, and that each object finds the
//! others.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use cnpg_backup_verifier::domain::schedule::Schedule;
use serde_json::Value;
use serde_json::json;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

pub(super) const OBJECT_STORE: &str = "deploy/kubernetes/apps/databases/cloudnative-pg/objectstore";
const CLUSTER: &str = "deploy/kubernetes/apps/databases/cloudnative-pg/cluster";
const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

#[tokio::test]
async fn backups_are_stored_where_and_as_asked_for() {
    let store = manifests::one(OBJECT_STORE, "ObjectStore").await;
    assert_eq!(store.text("/apiVersion"), "barmancloud.cnpg.io/v1");
    assert_eq!(store.text("/spec/retentionPolicy"), "30d");
    let configuration = "/spec/configuration";
    assert_eq!(store.text(&format!("{configuration}/destinationPath")), "s3://cnpg/");
    assert_eq!(
        store.text(&format!("{configuration}/endpointURL")),
        "https://0123456789abcdef.r2.cloudflarestorage.com"
    );
    let wal = json!({"compression": "bzip2", "maxParallel": 2});
    assert_eq!(store.at(&format!("{configuration}/wal")), &wal);
    let data = json!({"compression": "bzip2", "jobs": 2});
    assert_eq!(store.at(&format!("{configuration}/data")), &data);
    assert_eq!(
        store.at("/spec/instanceSidecarConfiguration/env"),
        &json!([
            {"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "when_required"},
            {"name": "AWS_RESPONSE_CHECKSUM_VALIDATION", "value": "when_required"},
        ])
    );
}

#[tokio::test]
async fn credentials_come_from_the_secret_store_by_name() {
    let verifier = "deploy/kubernetes/apps/databases/cnpg-backup-verifier/app";
    let expected = [
        (OBJECT_STORE, "cnpg-r2-secret", "cnpg-r2"),
        (verifier, "cnpg-backup-verifier-r2", "cnpg-r2-read"),
    ];
    for (folder, secret, item) in expected {
        let external = manifests::one(folder, "ExternalSecret").await;
        assert_eq!(external.text("/apiVersion"), "external-secrets.io/v1");
        assert_eq!(external.text("/spec/target/name"), secret);
        assert_eq!(
            external.at("/spec/secretStoreRef"),
            &json!({"kind": "ClusterSecretStore", "name": "onepassword-connect"})
        );
        let data = external.at("/spec/data").as_array().unwrap().iter();
        let keys: Vec<&Value> = data.clone().map(|entry| &entry["secretKey"]).collect();
        assert_eq!(keys, ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"]);
        assert!(data.clone().all(|entry| entry["remoteRef"]["key"] == item));
        assert!(data.clone().all(|entry| entry["remoteRef"]["property"] == entry["secretKey"]));
    }
}

#[tokio::test]
async fn the_cluster_archives_through_the_plugin() {
    let cluster = manifests::one(CLUSTER, "Cluster").await;
    let expected = json!([{
        "name": PLUGIN,
        "isWALArchiver": true,
        "parameters": {"barmanObjectName": "postgres-r2-backup", "serverName": "postgres-main"},
    }]);
    assert_eq!(cluster.at("/spec/plugins"), &expected);
    assert_eq!(cluster.value.pointer("/spec/backup/barmanObjectStore"), None);
}

#[tokio::test]
async fn base_backups_are_daily_by_the_plugin() {
    let scheduled = manifests::one(CLUSTER, "ScheduledBackup").await;
    assert_eq!(is_daily(scheduled.text("/spec/schedule")), Ok(()));
    assert_eq!(scheduled.text("/spec/method"), "plugin");
    assert_eq!(scheduled.text("/spec/pluginConfiguration/name"), PLUGIN);
    assert_eq!(scheduled.text("/spec/backupOwnerReference"), "self");
    assert_eq!(scheduled.value.pointer("/spec/suspend"), None);
    let cluster = manifests::one(CLUSTER, "Cluster").await;
    assert_eq!(scheduled.text("/spec/cluster/name"), cluster.name());
}

/// Six fields, and one backup a day for a week, by the rules that CloudNativePG follows.
pub(super) fn is_daily(schedule: &str) -> Result<(), String> {
    let fields = schedule.split_whitespace().count();
    if fields != 6 {
        return Err(format!("{schedule:?} has {fields} fields"));
    }
    let parsed = Schedule::parse(schedule).map_err(|error| error.to_string())?;
    let monday = DateTime::from_timestamp(1_767_571_200, 0).unwrap();
    let mut due = parsed.next_after(monday).unwrap();
    for _ in 0..7 {
        let next = parsed.next_after(due).unwrap();
        if next - due != TimeDelta::days(1) {
            return Err(format!("{schedule:?} is due at {due}, then at {next}"));
        }
        due = next;
    }
    Ok(())
}

/// Built by kustomize or applied as it is: a reference leads to an object of the same namespace.
#[tokio::test]
async fn every_object_that_another_one_needs_is_there() {
    let mut objects: Vec<Object> = Vec::new();
    for folder in [OBJECT_STORE, CLUSTER] {
        objects.extend(manifests::built_from(folder).await);
    }
    let namespace = |object: &Object| {
        let own = object.value.pointer("/metadata/namespace").and_then(Value::as_str);
        own.unwrap_or("databases").to_owned()
    };
    for file in manifests::files("deploy/examples", ".yaml") {
        objects.extend(manifests::objects(&file, &manifests::read(&file)));
    }
    let mut there: BTreeSet<(String, String, String)> = BTreeSet::new();
    for object in &objects {
        let name = object.name().to_owned();
        there.insert((namespace(object), object.kind().to_owned(), name));
        if object.kind() == "ExternalSecret" {
            let target = object.text("/spec/target/name").to_owned();
            there.insert((namespace(object), "Secret".to_owned(), target));
        }
    }
    let mut needed = 0;
    for object in &objects {
        for (kind, name) in references(&object.value) {
            let reference = (namespace(object), kind.to_owned(), name);
            assert!(there.contains(&reference), "{}: {reference:?}", object.origin);
            needed += 1;
        }
    }
    assert!(8 < needed, "{needed} references");
}

/// Kinds and names that a Cluster, a backup or an `ObjectStore` refers to.
fn references(value: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(store) = value.get("barmanObjectName") {
        found.push(("ObjectStore", text(store)));
    }
    if let Some(credentials) = value.get("s3Credentials") {
        found.push(("Secret", text(&credentials["accessKeyId"]["name"])));
        found.push(("Secret", text(&credentials["secretAccessKey"]["name"])));
    }
    if let Some(cluster) = value.get("cluster").and_then(|cluster| cluster.get("name")) {
        found.push(("Cluster", text(cluster)));
    }
    let inner: Vec<&Value> = match value {
        Value::Object(map) => map.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    found.extend(inner.into_iter().flat_map(references));
    found
}

/// Who archives into the folder of the source writes over it; the plugin refuses, and then nothing
/// is archived.
#[test]
fn a_restored_cluster_archives_under_a_name_of_its_own() {
    let mut restored = 0;
    for file in manifests::files("deploy/examples", ".yaml") {
        for cluster in manifests::objects(&file, &manifests::read(&file)) {
            if cluster.kind() != "Cluster" {
                continue;
            }
            let source = cluster.text("/spec/externalClusters/0/plugin/parameters/serverName");
            assert_eq!(source, "postgres-main", "{file}");
            let own = cluster.value.pointer("/spec/plugins/0/parameters/serverName");
            assert_ne!(own, Some(&json!(source)), "{file}");
            let backup = cluster.text("/spec/bootstrap/recovery/recoveryTarget/backupID");
            assert!(backup.len() == 15, "{file}: {backup} is no id of Barman's");
            restored += 1;
        }
    }
    assert_eq!(restored, 2);
}
