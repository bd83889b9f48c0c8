//! Archives that no `Cluster` names.

use cnpg_backup_verifier::sources::limits;
use serde_json::Value;
use serde_json::json;
use test_servers::process;
use test_servers::process::wait_until;

use crate::kubernetes::objects::PLUGIN;
use crate::kubernetes::objects::STORE;
use crate::kubernetes::objects::merge;
use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::kubernetes::world::wait_or_tell;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;
use crate::program::codes;
use crate::program::program;

const MAIN: &str = "main";

/// A cluster with its store, and an archive of each of these names.
async fn world_with(folders: &[&str]) -> World {
    let world = World::begin().await;
    world.install_plugin().await;
    let archive = MadeArchive::healthy(8);
    folders.iter().for_each(|folder| world.store(&archive, folder));
    let (cluster, schedule) = (world.plugin_cluster(MAIN, to_store()), world.schedule(MAIN));
    world.apply(&[world.object_store(STORE, "/"), cluster, schedule]).await;
    world
}

/// The orphans of this world once they are these, by server name.
async fn orphans_become(world: &World, daemon: &Daemon, expected: &[&str]) -> Vec<Value> {
    let mut last = Vec::new();
    let found = wait_or_tell(async || {
        last = world.archives(daemon).await;
        last.retain(|it| it["orphaned"] == true);
        let is_read = last.iter().all(|it| it["observed_at"].is_string());
        let names: Vec<&str> = last.iter().map(|it| it["server_name"].as_str().unwrap()).collect();
        (is_read && names == expected).then(|| last.clone())
    });
    let found = found.await;
    found.unwrap_or_else(|| panic!("{expected:?}: {last:#?}\n{}", daemon.log()))
}

/// Why orphans may be missing, once that fits.
async fn unread_becomes(daemon: &Daemon, what: &str, accept: impl Fn(&[Value]) -> bool) {
    let mut last = Value::Null;
    let found = wait_or_tell(async || {
        last = daemon.get("/api/v1/status").await.json()["orphan_search"].clone();
        last["unread"].as_array().is_some_and(|unread| accept(unread)).then_some(())
    });
    let found = found.await;
    found.unwrap_or_else(|| panic!("{what}: {last:#}\n{}", daemon.log()));
}

#[tokio::test]
async fn an_archive_that_no_cluster_names_is_shown_and_counts_in_no_verdict() {
    let world = world_with(&[MAIN, "old", "predecessor"]).await;
    let broken = MadeArchive::healthy(40);
    world.store(&broken, "broken");
    let key = broken.segment_key(1, 25).replacen(broken.folder().as_str(), "broken/", 1);
    world.s3.delete(BUCKET, &key);
    world.s3.put(BUCKET, "dump/pg.sql", "no archive");
    let mut recovered = world.plugin_cluster("recovered", to_store());
    let external = json!([{
        "name": "predecessor",
        "plugin": {"name": PLUGIN, "parameters": to_store()},
    }]);
    merge(&mut recovered["spec"], json!({"externalClusters": external}));
    world.store(&MadeArchive::healthy(8), "recovered");
    world.apply(&[recovered, world.schedule("recovered")]).await;
    let daemon = world.daemon(Options::default()).await;
    let orphans = orphans_become(&world, &daemon, &["broken", "old"]).await;
    assert_eq!([&orphans[0]["verdict"], &orphans[1]["verdict"]], ["unrecoverable", "recoverable"]);
    assert_eq!(codes(&orphans[1]), ["archive_orphaned"]);
    let found = finding(&orphans[1], "archive_orphaned");
    assert_eq!(
        (&found["severity"], &found["evidence"]["object_store"]),
        (&json!("info"), &json!(STORE))
    );
    assert_eq!(orphans[1]["cnpg_cluster"], "");
    let status = daemon.get("/api/v1/status").await.json();
    assert_eq!(
        (&status["verdict"], &status["orphan_search"]),
        (&json!("recoverable"), &json!({"unread": []}))
    );
    let metrics = daemon.get("/metrics").await.body;
    assert!(metrics.contains("\nbackup_verifier_orphans 2\n"), "{metrics}");
    assert!(
        !metrics.contains("finding{cnpg_namespace=\"verifier\",cnpg_cluster=\"\""),
        "{metrics}"
    );
    let page = daemon.get("/").await.body;
    assert!(page.contains("Orphaned archives") && page.contains("/- (old)"), "{page}");
    let address = format!("/archive?namespace={}&server_name=old", world.namespace);
    assert!(daemon.get(&address).await.body.contains("no Cluster uses this archive"));
}

#[tokio::test]
async fn a_deleted_cluster_keeps_its_archive_as_long_as_its_store_stays() {
    let world = world_with(&[MAIN]).await;
    let daemon = world.daemon(Options::default()).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    world.server.delete(&world.plugin_cluster(MAIN, to_store())).await;
    let orphan = orphans_become(&world, &daemon, &[MAIN]).await.remove(0);
    assert_eq!((&orphan["verdict"], &orphan["kubernetes"]), (&json!("recoverable"), &Value::Null));
    let found = finding(&orphan, "archive_orphaned");
    let deleted = format!("{}/{MAIN}", world.namespace);
    assert_eq!(found["evidence"]["deleted_cluster"], json!(deleted));
    let event = wait_until("the Event", LIMIT, async || {
        world.events().await.into_iter().find(|event| event["reason"] == "ArchiveOrphaned")
    });
    let event = event.await;
    assert_eq!((&event["type"], &event["regarding"]["name"]), (&json!("Warning"), &json!(MAIN)));
    let told = format!("cluster {deleted} is gone; its archive s3://{BUCKET}/{MAIN} is orphaned");
    assert_eq!(daemon.log().matches(&told).count(), 1, "{}", daemon.log());

    // It comes back, and goes for good.
    world.apply(&[world.plugin_cluster(MAIN, to_store())]).await;
    orphans_become(&world, &daemon, &[]).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    world.server.delete(&world.plugin_cluster(MAIN, to_store())).await;
    orphans_become(&world, &daemon, &[MAIN]).await;
    world.server.delete(&world.object_store(STORE, "/")).await;
    orphans_become(&world, &daemon, &[]).await;
    let told = "no ObjectStore leads to the orphaned archive";
    assert_eq!(daemon.log().matches(told).count(), 1, "{}", daemon.log());
}

#[tokio::test]
async fn where_nobody_can_look_for_orphans_that_is_told_and_is_no_alarm() {
    let world = world_with(&[MAIN]).await;
    for number in 0..limits::SERVERS_AT_A_PLACE_MAX + 10 {
        world.s3.put(BUCKET, format!("a{number:04}/file"), "");
    }
    let mut elsewhere = world.object_store("elsewhere", "/");
    elsewhere["spec"]["configuration"]["destinationPath"] = json!("s3://no-such-bucket/");
    world.apply(&[elsewhere]).await;
    let daemon = world.daemon(Options::default()).await;
    let cut = "only the first 1000 folders are looked into";
    let is_told = |unread: &[Value]| {
        let says = |part: &str| unread.iter().any(|it| it.as_str().unwrap().contains(part));
        unread.len() == 2 && says(cut) && says("no such bucket")
    };
    unread_becomes(&daemon, "both places", is_told).await;
    let main = world.findings_become(&daemon, MAIN, &[]).await;
    assert_eq!(main["verdict"], "recoverable");
    let status = daemon.get("/api/v1/status").await.json();
    assert_eq!(status["verdict"], "recoverable", "{status:#}");
    let log = daemon.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("look for orphans")).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().all(|line| !line.contains("WARN")), "{told:#?}");
}

#[tokio::test]
async fn a_check_shows_orphans_below_its_verdict() {
    let world = world_with(&[MAIN, "old"]).await;
    world.write_new_token().await;
    world.write_keys(world.s3.access_key(), world.s3.secret_key());
    let run = async |arguments: &[&str]| {
        let mut command = program();
        command.env("KUBECONFIG", world.write_kubeconfig());
        command.env("AWS_ACCESS_KEY_ID", world.s3.access_key());
        command.env("AWS_SECRET_ACCESS_KEY", world.s3.secret_key());
        command.env("CNPG_BACKUP_VERIFIER_KUBERNETES_NAMESPACES", &world.namespace);
        command.env("CNPG_BACKUP_VERIFIER_KUBERNETES_ENABLED", "true");
        let system = &world.operator_namespace;
        command.env("CNPG_BACKUP_VERIFIER_KUBERNETES_OPERATOR_NAMESPACE", system);
        command.arg("check").args(["--namespace", &world.namespace]).args(arguments);
        process::run(command, LIMIT).await
    };
    let all = run(&[]).await;
    assert_eq!(all.code, Some(0), "{all:#?}");
    let (above, below) = all.stdout.split_once("ORPHANED").unwrap();
    assert!(above.starts_with("RECOVERABLE") && !above.contains("old"), "{all:#?}");
    assert!(below.contains(&format!("s3://{BUCKET}/old")), "{all:#?}");
    let one = run(&["--cluster", MAIN]).await;
    assert!(one.code == Some(0) && !one.stdout.contains("ORPHANED"), "{one:#?}");
}
