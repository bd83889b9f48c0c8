//! What goes wrong in a drill by CloudNativePG, forced for real: each has its class, and leaves nothing behind.

use std::sync::atomic::Ordering;
use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Endpoint;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::postgres::Postgres;
use test_servers::postgres::Shutdown;

use crate::operator_drills::FULL;
use crate::operator_drills::beside;
use crate::operator_drills::failed;
use crate::operator_drills::operator::Fate;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::report;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::Stage;
use crate::operator_drills::stage::insert;

/// As many as the Job controller makes.
const ATTEMPTS: u32 = 7;

#[tokio::test]
async fn what_the_store_refuses_ends_a_drill_at_the_first_pod() {
    let stage = Stage::new().await;
    let secret_access_key = "wrong".to_owned();
    let endpoint = Endpoint { secret_access_key, ..stage.barman.endpoint.clone() };
    let barman = Some(Barman { endpoint, ..stage.barman.clone() });
    // Of old operators and new ones, and where the Job would go on.
    for (tells_unrecoverable, attempts) in [(false, 1), (true, 1), (true, ATTEMPTS)] {
        let barman = barman.clone();
        let habits = Habits { barman, tells_unrecoverable, attempts, ..Habits::default() };
        let (class, detail) = failed(&stage, habits, &FULL).await;
        assert_eq!(class, "denied", "{detail}");
        assert_eq!(stage.pods_made.swap(0, Ordering::Relaxed), 1);
    }
    let habits = Habits { server_name: Some("another".to_owned()), ..Habits::default() };
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "backup_not_found", "{detail}");
}

/// One failure of the network is none, two are.
#[tokio::test]
async fn the_network_has_a_second_chance_and_no_third() {
    let stage = Stage::new().await;
    let endpoint =
        Endpoint { url: "http://127.0.0.1:9".to_owned(), ..stage.barman.endpoint.clone() };
    let barman = Some(Barman { endpoint, ..stage.barman.clone() });
    let habits = Habits { barman, attempts: ATTEMPTS, ..Habits::default() };
    let heals = Habits { heals: true, ..habits.clone() };
    let finished = beside(&stage, heals, &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    assert_eq!(stage.left(), Vec::<String>::new());
    assert_eq!(stage.pods_made.swap(0, Ordering::Relaxed), 2);
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "network", "{detail}");
    assert_eq!(stage.pods_made.swap(0, Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_happens_to_the_pod_has_its_class() {
    let stage = Stage::new().await;
    let hanging = [FULL[0], FULL[1], "--timeout", "10s"];
    for (fate, arguments, class, told) in [
        (Fate::RunsOutOfMemory, &FULL[..], "oom", "OOMKilled"),
        (Fate::IsKilled, &FULL[..], "unschedulable", "exit code 137"),
        (Fate::HasNoImage, &FULL[..], "image", "ImagePullBackOff"),
        (Fate::HasNoQuota, &FULL[..], "quota", "exceeded quota"),
        (Fate::Waits, &hanging[..], "timeout", "its pod waits"),
        (Fate::Hangs, &hanging[..], "timeout", "its pod runs"),
    ] {
        let (found, detail) = failed(&stage, Habits::of(fate), arguments).await;
        assert_eq!(found, class, "{detail}");
        assert!(detail.contains(told), "{detail}");
    }
    let full = Habits { disk_is_full: true, ..Habits::default() };
    let (class, detail) = failed(&stage, full, &FULL).await;
    assert_eq!(class, "storage", "{detail}");
    assert!(detail.contains("No space left on device"), "{detail}");
}

/// Nothing is made, and what came of it is written down all the same.
#[tokio::test]
async fn what_kubernetes_refuses_has_its_class() {
    let stage = Stage::new().await;
    for (fault, class) in [
        (Fault::OverQuota, "quota"),
        (Fault::WebhookDenies, "webhook"),
        (Fault::WebhookAway, "webhook"),
    ] {
        // What came of a drill is called by the second in which it began.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let on_create = Trigger::next(1).verb("create").resource("clusters");
        stage.api.faults().inject(on_create, fault);
        let (found, detail) = failed(&stage, Habits::default(), &FULL).await;
        assert_eq!(found, class, "{detail}");
    }
    assert_eq!(stage.pods_made.load(Ordering::Relaxed), 0);
}

/// PostgreSQL promotes all the same, and answers.
#[tokio::test]
async fn a_segment_that_is_gone_when_it_is_restored_is_told() {
    let stage = Stage::new().await;
    let habits = Habits { loses: Some(stage.segments[2].clone()), ..Habits::default() };
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "stopped_early", "{detail}");
    assert!(detail.contains("the archive reaches to"), "{detail}");
}

/// Raised in a segment that nothing but the drill itself reads: neither the first nor the last.
async fn raised(primary: &mut Postgres, barman: &Barman) -> Vec<String> {
    barman.backup(primary, &BackupOptions::default()).await;
    let mut segments = insert(primary, 2).await;
    primary.sql("ALTER SYSTEM SET max_connections = 300").await;
    primary.restart().await;
    segments.extend(insert(primary, 3).await);
    segments
}

#[tokio::test]
async fn a_parameter_that_was_raised_on_the_way_is_as_high_in_the_copy() {
    let stage = Stage::after(raised).await;
    let planned = stage.run(&["--kind", "full", "--plan"]).await;
    assert!(planned.stdout.contains("max_connections: \"300\""), "{planned:#?}");
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    // Where somebody lowers it again, recovery would wait for ever.
    let habits = Habits { forgotten: &["max_connections"], ..Habits::default() };
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "parameters_insufficient", "{detail}");
    assert!(detail.contains("max_connections = 100 is a lower setting"), "{detail}");
}

#[tokio::test]
async fn a_tablespace_of_the_backup_is_restored_and_a_later_one_has_no_place() {
    let stage = Stage::after(async |primary, barman| {
        let make = |name: &str, place: &str| format!("CREATE TABLESPACE {name} LOCATION '{place}'");
        let place = primary.new_directory("first").display().to_string();
        primary.sql(&make("first", &place)).await;
        primary.sql("CREATE TABLE told TABLESPACE first AS SELECT 1 AS n").await;
        barman.backup(primary, &BackupOptions::default()).await;
        insert(primary, 2).await
    })
    .await;
    let planned = stage.run(&["--kind", "full", "--plan"]).await;
    assert!(planned.stdout.contains("tablespaces:"), "{planned:#?}");
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");

    let stage = Stage::after(async |primary, barman| {
        barman.backup(primary, &BackupOptions::default()).await;
        let mut segments = insert(primary, 1).await;
        let place = primary.new_directory("later").display().to_string();
        primary.sql(&format!("CREATE TABLESPACE later LOCATION '{place}'")).await;
        segments.extend(insert(primary, 2).await);
        segments
    })
    .await;
    let (class, detail) = failed(&stage, Habits::default(), &FULL).await;
    assert_eq!(class, "tablespace_missing", "{detail}");
    assert_eq!(stage.admin().list("clusters", DRILLS).len(), 0);
}

/// Followed by the copy of an operator that gives it the history, and by none that refuses it.
#[tokio::test]
async fn a_change_of_the_timeline_is_followed_or_the_operator_is_to_blame() {
    let stage = Stage::after(async |primary, barman| {
        barman.backup(primary, &BackupOptions::default()).await;
        insert(primary, 2).await;
        let standby = primary.standby().await;
        primary.stop(Shutdown::Fast).await;
        standby.promote().await;
        insert(&standby, 2).await
    })
    .await;
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    let told = report(&finished);
    assert_eq!((&told["class"], &told["reached"]["timeline"]), (&"succeeded".into(), &2.into()));
    let habits = Habits { drops_histories: true, ..Habits::default() };
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "operator_drops_timelines", "{detail}");
    assert!(detail.contains("CloudNativePG 1.28.1 refuses history files"), "{detail}");
}
