//! What changed, as Events on the `Cluster`.

use serde_json::Value;
use test_servers::process::wait_until;

use crate::kubernetes::objects::STORE;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;

const MAIN: &str = "main";

#[tokio::test]
async fn a_change_is_one_event_whoever_sees_it_and_a_restart_repeats_none() {
    let world = World::begin().await;
    world.install_plugin().await;
    let archive = MadeArchive::healthy(40);
    world.store(&archive, MAIN);
    world.server.apply(&world.object_store(STORE, "/")).await;
    let cluster = world.server.apply(&world.plugin_cluster(MAIN, to_store())).await;
    world.server.apply(&world.schedule(MAIN)).await;
    let daemon = world.daemon(Options::default()).await;
    let second = world.daemon(Options::default()).await;
    for daemon in [&daemon, &second] {
        world.findings_become(daemon, MAIN, &[]).await;
    }
    assert_eq!(world.events().await, Vec::<Value>::new());

    // Too old to be on its way still, as the last minutes of WAL may be.
    let key = archive.segment_key(1, 25).replacen(archive.folder().as_str(), "main/", 1);
    world.s3.delete(BUCKET, &key);
    for daemon in [&daemon, &second] {
        world.cluster_when(daemon, MAIN, "the gap", |it| it["verdict"] == "unrecoverable").await;
    }
    let expected = [("Unrecoverable", "Warning"), ("WALGapDetected", "Warning")];
    let written = events_are(&world, &expected).await;
    for event in &written {
        let regarding = &event["regarding"];
        assert_eq!(regarding["kind"], "Cluster");
        assert_eq!(regarding["apiVersion"], "postgresql.cnpg.io/v1");
        assert_eq!(regarding["name"], MAIN);
        assert_eq!(regarding["uid"], cluster["metadata"]["uid"]);
        assert_eq!(
            event["reportingController"],
            "backup-verifier.monosense.dev/cnpg-backup-verifier"
        );
    }

    // The gap was there before this one came.
    drop(second);
    let third = world.daemon(Options::default()).await;
    world.cluster_when(&third, MAIN, "the gap", |it| it["verdict"] == "unrecoverable").await;
    world.store(&archive, MAIN);
    for daemon in [&daemon, &third] {
        world.findings_become(daemon, MAIN, &[]).await;
    }
    let expected = [
        ("Recoverable", "Normal"),
        ("Unrecoverable", "Warning"),
        ("WALGapCleared", "Normal"),
        ("WALGapDetected", "Warning"),
    ];
    let written = events_are(&world, &expected).await;
    assert_eq!(written.len(), 4);
    assert!(!daemon.log().contains("no event was written"), "{}", daemon.log());
}

/// Waits for exactly these reasons and types.
async fn events_are(world: &World, expected: &[(&str, &str)]) -> Vec<Value> {
    wait_until("the events", LIMIT, async || {
        let events = world.events().await;
        let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
        let mut found: Vec<_> =
            events.iter().map(|it| (text(it, "reason"), text(it, "type"))).collect();
        found.sort();
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        (found == expected).then_some(events)
    })
    .await
}
