//! What must not be drilled, and what a drill must not touch.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use test_servers::barman::BackupOptions;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::wait_until;

use crate::deploy::manifests;
use crate::deploy::schemas;
use crate::operator_drills::FULL;
use crate::operator_drills::beside;
use crate::operator_drills::killed::holder;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
use crate::operator_drills::report;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::Stage;

#[tokio::test]
async fn a_drill_that_would_prove_nothing_or_do_harm_is_refused_before_it_begins() {
    let stage = Stage::new().await;
    let refused = async |arguments: &[&str], why: &str| {
        let finished = stage.run(&[&FULL[..], arguments].concat()).await;
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert!(finished.stderr.contains(why), "{finished:#?}");
        assert_eq!(stage.left(), Vec::<String>::new());
    };
    stage.apply(&stage.store("s3://backups/other/"));
    refused(&[], "no ObjectStore in namespace").await;
    refused(&["--plan"], "no ObjectStore in namespace").await;
    stage.apply(&stage.store("s3://backups/prod/"));
    let planned = stage.run(&[&FULL[..], &["--plan"]].concat()).await;
    assert_eq!(planned.code, Some(0), "{planned:#?}");
    for line in
        ["kind: Cluster", "backupID:", "max_logical_replication_workers", "schedulerName: own"]
    {
        assert!(planned.stdout.contains(line), "{line}: {planned:#?}");
    }
    assert!(!planned.stdout.contains("isWALArchiver"), "{planned:#?}");
    // As CloudNativePG's own definition has it.
    let objects = manifests::objects("the plan", &planned.stdout);
    assert_eq!(schemas::problems(&objects).await, [Vec::<String>::new()]);
    assert_eq!(stage.left(), Vec::<String>::new());
    assert_eq!(stage.reports(), Vec::<Value>::new());
}

const POSITION: &str = "SELECT confirmed_flush_lsn FROM pg_replication_slots";
const FOLLOWERS: &str = "SELECT count(*) FROM pg_stat_replication";

/// A publisher, and the archive of its subscriber.
async fn subscribed() -> (Postgres, Stage) {
    let publisher = Postgres::start(&Options::default().with_setting("wal_level", "logical")).await;
    publisher.sql("CREATE TABLE told (n int PRIMARY KEY)").await;
    publisher.sql("CREATE PUBLICATION all_of_it FOR ALL TABLES").await;
    let address = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", publisher.port());
    let stage = Stage::after(async |subscriber, barman| {
        subscriber.sql("CREATE TABLE told (n int PRIMARY KEY)").await;
        let subscribe =
            format!("CREATE SUBSCRIPTION everything CONNECTION '{address}' PUBLICATION all_of_it");
        subscriber.sql(&subscribe).await;
        publisher.sql("INSERT INTO told VALUES (1)").await;
        wait_until("the subscriber has it", Duration::from_secs(60), async || {
            (subscriber.sql("SELECT count(*) FROM told").await == "1").then_some(())
        })
        .await;
        barman.backup(subscriber, &BackupOptions::default()).await;
        subscriber.archive_segments(2).await
    })
    .await;
    publisher.sql("INSERT INTO told VALUES (2)").await;
    (publisher, stage)
}

/// A subscriber loses for ever what its copy takes from the publisher's slot.
#[tokio::test]
async fn a_subscription_in_the_copy_takes_nothing_from_its_publisher() {
    let (publisher, stage) = subscribed().await;
    let before = publisher.sql(POSITION).await;
    stage.s3.reset_requests();
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    assert_eq!(publisher.sql(POSITION).await, before);
    // Nothing was written to the store either.
    assert_eq!(stage.s3.requests().writes(), 0, "{:#?}", stage.s3.request_log());

    // Without what the manifest says the copy does connect, so that the test above can fail.
    let forgotten = &["max_logical_replication_workers"];
    let harmful = Habits { forgotten, ..Habits::default() };
    let seen = wait_until("the copy has connected", LIMIT, async || {
        let moved = publisher.sql(POSITION).await != before;
        (moved || publisher.sql(FOLLOWERS).await != "0").then_some(())
    });
    let waits = "SELECT pg_sleep(30) IS NOT NULL";
    let drill = stage.run_with_check(waits, &FULL);
    tokio::select! {
        () = seen => {}
        finished = drill => panic!("it is over, and nobody connected: {finished:#?}"),
        () = Operator::new(&stage, harmful).work() => unreachable!("it never ends"),
    }
}

/// Whoever holds the lease says which name its objects will have.
#[tokio::test]
async fn what_somebody_else_has_under_the_name_of_a_drill_stays_as_it_is() {
    let stage = Stage::new().await;
    // It reads the archive for long enough.
    stage.s3.set_latency(Duration::from_secs(1));
    let faster = async {
        let holder = wait_until("the lease is taken", LIMIT, async || holder(&stage)).await;
        let theirs = json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": format!("drill-{holder}"), "namespace": DRILLS,
                "labels": {"owner": "somebody"}},
            "spec": {"instances": 1, "storage": {"size": "1Gi"}},
        });
        stage.admin().create(&theirs);
        let before = stage.admin().list("clusters", DRILLS);
        stage.s3.set_latency(Duration::ZERO);
        before
    };
    let (finished, before) = tokio::join!(stage.run(&FULL), faster);
    assert_eq!(finished.code, Some(3), "{finished:#?}");
    assert!(finished.stderr.contains("there is already a cluster"), "{finished:#?}");
    assert_eq!((before.len(), &stage.admin().list("clusters", DRILLS)), (1, &before));
    assert_eq!(stage.reports(), Vec::<Value>::new());
}
