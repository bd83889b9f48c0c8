//! Results of restore drills, as whoever runs them leaves them, and what the daemon makes of them.

use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;

use crate::deploy::manifests;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";

/// The drills run beside the cluster here, so the role of the other namespace is moved.
async fn world_with_role() -> World {
    let world = World::begin().await;
    for object in role(&world) {
        world.server.apply(&object).await;
    }
    world
}

fn role(world: &World) -> Vec<Value> {
    let text = manifests::read("deploy/kustomize/drills/role-daemon.yaml");
    let documents = text.split("---\n").filter(|it| !it.trim().is_empty());
    let objects = documents.map(|it| {
        let mut object: Value = serde_saphyr::from_str(it).unwrap();
        object["metadata"]["namespace"] = json!(world.namespace);
        if let Some(subjects) = object.get_mut("subjects") {
            subjects[0]["namespace"] = json!(world.namespace);
        }
        object
    });
    objects.collect()
}

fn result(world: &World, name: &str, report: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": world.namespace,
            "labels": {"backup-verifier.monosense.dev/drill-result": "true"},
        },
        "data": {"report.json": report.to_string()},
    })
}

/// Ended so many minutes ago, at the newest state.
fn report(world: &World, class: &str, minutes: i64) -> Value {
    let ended_at = clock::now() - TimeDelta::minutes(minutes);
    let phase = |name: &str, seconds: f64| json!({"name": name, "seconds": seconds});
    json!({
        "form": 1, "kind": "full", "way": "operator",
        "namespace": world.namespace, "cluster": MAIN, "server_name": MAIN,
        "began_at": ended_at - TimeDelta::minutes(2), "ended_at": ended_at,
        "class": class, "detail": "as told", "backup_id": "20260110T000000",
        "target": {"time": null, "timeline": null, "seed": 7},
        "phases": [
            phase("start", 20.0), phase("base", 60.0), phase("replay", 30.0), phase("promote", 10.0),
        ],
        "volume": {"base_bytes": 1_000_000, "wal_bytes": 100_000, "wal_segments": 2},
        "predicted": null, "reached": null, "checks": [],
        "versions": {"verifier": "1", "postgres": null, "operator": null},
    })
}

async fn daemon(world: &World) -> Daemon {
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    world.daemon(Options { drills: true, ..Options::default() }).await
}

#[tokio::test]
async fn what_a_drill_left_is_judged_and_published_as_soon_as_it_is_there() {
    let world = world_with_role().await;
    let daemon = daemon(&world).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    // Nobody has drilled it yet.
    let next = daemon.get("/api/v1/drills/next").await;
    assert_eq!(next.json()["cnpg_cluster"], MAIN, "{}", next.body);

    let failed = result(&world, "drill-1", &report(&world, "wal_missing", 30));
    world.server.apply(&failed).await;
    let archive = world.findings_become(&daemon, MAIN, &["restore_drill_failed"]).await;
    let found = finding(&archive, "restore_drill_failed");
    assert_eq!(
        (&found["severity"], &found["evidence"]["class"]),
        (&"critical".into(), &"wal_missing".into())
    );
    assert_eq!(archive["proof"]["restored"], Value::Null);

    let quota = result(&world, "drill-2", &report(&world, "quota", 20));
    world.server.apply(&quota).await;
    let both = ["restore_drill_failed", "restore_drill_inconclusive"];
    world.findings_become(&daemon, MAIN, &both).await;

    let passed = result(&world, "drill-3", &report(&world, "succeeded", 10));
    world.server.apply(&passed).await;
    let archive = world.findings_become(&daemon, MAIN, &[]).await;
    let classes = archive["drills"].as_array().unwrap().iter().map(|it| it["class"].clone());
    assert_eq!(classes.collect::<Vec<_>>(), ["succeeded", "quota", "wal_missing"]);
    assert!(archive["proof"]["restored"].is_string(), "{archive:#}");
    let seconds = |name: &str| archive["recovery_time"][name].as_i64().unwrap();
    assert!(0 < seconds("lower_seconds") && seconds("lower_seconds") < seconds("upper_seconds"));
    let metrics = daemon.get("/metrics").await.body;
    for series in
        ["restore_drill_phase_seconds", "recovery_time_estimate_seconds", "restore_drill_class"]
    {
        assert!(metrics.contains(&format!("backup_verifier_{series}{{")), "{series}");
    }
    let page = daemon.get(&format!("/archives/{}/{MAIN}", world.namespace)).await.body;
    assert!(page.contains("Restore drills") && page.contains("inconclusive: quota"), "{page}");
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_told_and_no_drill_is_missed_for_it() {
    let world = World::begin().await;
    let daemon = daemon(&world).await;
    let archive = world.findings_become(&daemon, MAIN, &["kubernetes_unreadable"]).await;
    let says = finding(&archive, "kubernetes_unreadable")["message"].as_str().unwrap().to_owned();
    assert!(says.contains("configmaps") && says.contains("forbidden"), "{says}");
    // The right is given, and the daemon takes it without a restart.
    for object in role(&world) {
        world.server.apply(&object).await;
    }
    world.findings_become(&daemon, MAIN, &[]).await;
    let newer = result(&world, "drill-1", &json!({"form": 2}));
    world.server.apply(&newer).await;
    let archive = world.findings_become(&daemon, MAIN, &["kubernetes_unreadable"]).await;
    let says = finding(&archive, "kubernetes_unreadable")["message"].as_str().unwrap().to_owned();
    assert!(says.contains("drill-1") && says.contains("the form 2"), "{says}");
    assert!(
        daemon.log().contains("the result of a restore drill is not understood"),
        "{}",
        daemon.log()
    );
    world.server.delete(&newer).await;
    world.findings_become(&daemon, MAIN, &[]).await;
}
