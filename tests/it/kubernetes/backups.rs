//! Backups that fail, hang, are missed or are not there, by the `Backup`s and the bucket together.

use chrono::TimeDelta;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;

use crate::kubernetes::objects::to_store;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::MadeArchive;
use crate::program::Daemon;

const MAIN: &str = "main";

/// Plugin, store, cluster, daily schedule, and the archive.
async fn set_up(archive: &MadeArchive) -> (World, Daemon) {
    let world = World::begin().await;
    world.install_cluster(MAIN, archive).await;
    let daemon = world.daemon(Options::default()).await;
    (world, daemon)
}

/// A time as a status has it.
fn ago(time: TimeDelta) -> String {
    (clock::now() - time).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test]
async fn a_failed_backup_is_a_risk_until_the_next_one_is_stored() {
    let mut archive = MadeArchive::healthy(8);
    let (world, daemon) = set_up(&archive).await;
    world.findings_become(&daemon, MAIN, &[]).await;

    let failed = world.backup("main-1", MAIN);
    world.server.apply(&failed).await;
    let status = json!({
        "phase": "failed", "error": "exit status 1",
        "startedAt": ago(TimeDelta::seconds(90)), "stoppedAt": ago(TimeDelta::seconds(80)),
    });
    world.server.set_status(&failed, &status).await;
    let told = world.findings_become(&daemon, MAIN, &["backup_failed"]).await;
    let found = finding(&told, "backup_failed");
    assert_eq!(found["severity"], "warning");
    assert_eq!(found["message"], "Backup main-1 failed: exit status 1");
    assert_eq!(told["verdict"], "at_risk");

    let id = archive.add_backup(clock::now(), 7, 8);
    world.store(&archive, MAIN);
    let next = world.backup("main-2", MAIN);
    world.server.apply(&next).await;
    let status = json!({
        "phase": "completed", "backupId": id,
        "startedAt": ago(TimeDelta::seconds(30)), "stoppedAt": ago(TimeDelta::zero()),
    });
    world.server.set_status(&next, &status).await;
    let told =
        world.cluster_when(&daemon, MAIN, "superseded", |it| it["verdict"] == "recoverable").await;
    let found = finding(&told, "backup_failed");
    assert_eq!(found["severity"], "info");
    let says = "Backup main-1 failed: exit status 1; a later backup succeeded";
    assert_eq!(found["message"], says);
    assert!(told["backups"].to_string().contains(&id), "{told:#}");
    world.server.delete(&failed).await;
    world.findings_become(&daemon, MAIN, &[]).await;
}

#[tokio::test]
async fn a_backup_that_is_not_stored_or_never_ends_is_told() {
    let (world, daemon) = set_up(&MadeArchive::healthy(8)).await;
    let absent = world.backup("main-1", MAIN);
    world.server.apply(&absent).await;
    let status = json!({
        "phase": "completed", "backupId": "20260101T000000",
        "startedAt": ago(TimeDelta::minutes(50)), "stoppedAt": ago(TimeDelta::minutes(40)),
    });
    world.server.set_status(&absent, &status).await;
    let told = world.findings_become(&daemon, MAIN, &["backup_incomplete"]).await;
    let evidence = &finding(&told, "backup_incomplete")["evidence"];
    assert_eq!(evidence["backup_id"], "20260101T000000");

    // One that has just ended may not be listed yet.
    let status = json!({"stoppedAt": ago(TimeDelta::minutes(5))});
    world.server.set_status(&absent, &status).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    world.server.delete(&absent).await;

    let stuck = world.backup("main-2", MAIN);
    world.server.apply(&stuck).await;
    let status = json!({"phase": "started", "startedAt": ago(TimeDelta::hours(9))});
    world.server.set_status(&stuck, &status).await;
    let told = world.findings_become(&daemon, MAIN, &["backup_stuck"]).await;
    let found = finding(&told, "backup_stuck");
    assert!(found["message"].as_str().unwrap().ends_with(" and blocks ScheduledBackup main"));
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.starts_with("kubectl delete backups.postgresql.cnpg.io main-2"), "{hint}");
    world.server.delete(&stuck).await;
    world.findings_become(&daemon, MAIN, &[]).await;
}

#[tokio::test]
async fn a_schedule_that_misses_once_is_a_warning_and_twice_is_critical() {
    let aged = |hours: i64| {
        let mut archive = MadeArchive::empty();
        let age = TimeDelta::hours(hours);
        archive.add_segment(1, archive.now - age);
        archive.add_segment(2, archive.now - age);
        for number in 3..8 {
            archive.add_segment(number, archive.now);
        }
        archive.add_backup(archive.now - age, 1, 2);
        archive
    };
    let (world, daemon) = set_up(&aged(27)).await;
    let overdue = |world: &World, archive: &Value| {
        let found = finding(archive, "backup_overdue");
        (world.namespace.clone(), found["severity"].clone()).1
    };
    let told = world.findings_become(&daemon, MAIN, &["backup_overdue"]).await;
    assert_eq!(overdue(&world, &told), "warning");
    assert_eq!(told["verdict"], "at_risk");

    // Within a day and two hours nothing was missed yet.
    let fresh = aged(25);
    world.store(&fresh, MAIN);
    world.findings_become(&daemon, MAIN, &[]).await;

    // A cluster whose schedule has missed twice.
    world.store(&aged(51), "second");
    world.apply(&[world.plugin_cluster("second", to_store()), world.schedule("second")]).await;
    let told = world.findings_become(&daemon, "second", &["backup_overdue"]).await;
    assert_eq!(overdue(&world, &told), "critical");
    world.store(&aged(1), "second");
    world.findings_become(&daemon, "second", &[]).await;
}
