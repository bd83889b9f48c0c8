//! What a drill says that does not succeed: who is to act, and on what.

use std::path::Path;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use test_servers::s3::Trigger;

use crate::drills::drill;
use crate::drills::entries;
use crate::drills::harm::endpoint;
use crate::program::document;

/// An archive of some segments, and a store that fails on command.
struct Stage {
    s3: S3Server,
    barman: Barman,
    backup: String,
    segments: Vec<String>,
}

impl Stage {
    async fn set(work: &[&str]) -> Self {
        let s3 = S3Server::start().await.unwrap();
        s3.create_bucket("backups");
        let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
        let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
        primary.sql("CREATE TABLE kept (n int)").await;
        let gzip = BackupOptions { codec: Codec::Gzip, ..BackupOptions::default() };
        let backup = barman.backup(&primary, &gzip).await;
        let place = primary.new_directory("later");
        let mut segments = Vec::new();
        for statement in work {
            let statement = statement.replace("PLACE", place.to_str().unwrap());
            primary.sql(&statement).await;
            segments.extend(primary.archive_segments(1).await);
        }
        Self { s3, barman, backup, segments }
    }

    /// The class and the sentence of a drill to the newest state, which leaves nothing behind.
    async fn drill(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let root = Account::own().temporary_directory();
        let all = [&["--kind", "full", "-o", "json"], arguments].concat();
        let finished = drill(&self.barman, root.path(), &all).await;
        let report: Value = document(&finished);
        assert_eq!(entries(root.path()), 0, "{report:#}");
        let text = |field: &str| report[field].as_str().unwrap().to_owned();
        (finished.code, text("class"), text("detail"))
    }
}

const INSERT: &str = "INSERT INTO kept VALUES (1)";

#[tokio::test]
async fn what_the_store_refuses_on_the_way_is_no_missing_segment() {
    let stage = Stage::set(&[INSERT, INSERT, INSERT]).await;
    let on_segment = |times| Trigger::next(Operation::Get, times).on_key(&stage.segments[1]);
    // Once is no reason to end a recovery.
    stage.s3.inject(on_segment(1), Fault::InternalError);
    let (code, class, detail) = stage.drill(&[]).await;
    assert_eq!((code, class.as_str()), (Some(0), "succeeded"), "{detail}");

    stage.s3.inject(on_segment(u64::MAX), Fault::NoSuchKey);
    let (code, class, detail) = stage.drill(&[]).await;
    // Listed, and not given: PostgreSQL promotes without an error.
    assert_eq!((code, class.as_str()), (Some(2), "wal_missing"), "{detail}");
    assert_eq!(detail, format!("{} is missing", stage.segments[1]));
}

#[tokio::test]
async fn who_may_not_read_the_base_backup_is_told_so() {
    let stage = Stage::set(&[INSERT]).await;
    let key = format!("cluster/main/base/{}/data.tar.gz", stage.backup);
    stage.s3.inject(Trigger::always(Operation::Get).on_key(&key), Fault::AccessDenied);
    let (code, class, detail) = stage.drill(&[]).await;
    assert_eq!((code, class.as_str()), (Some(2), "denied"), "{detail}");
    assert!(detail.starts_with("read data.tar.gz: "), "{detail}");
}

#[tokio::test]
async fn a_cut_base_backup_is_unreadable_and_no_server_is_started() {
    let stage = Stage::set(&[INSERT]).await;
    let key = format!("cluster/main/base/{}/data.tar.gz", stage.backup);
    let whole = stage.s3.get("backups", &key).unwrap();
    stage.s3.put("backups", &key, whole.slice(..whole.len() / 2));
    let (code, class, detail) = stage.drill(&[]).await;
    assert_eq!((code, class.as_str()), (Some(2), "base_unreadable"), "{detail}");
    assert!(detail.starts_with("data.tar.gz cannot be decoded"), "{detail}");
}

#[tokio::test]
async fn a_tablespace_that_was_made_after_the_backup_is_named() {
    let later = "CREATE TABLESPACE later LOCATION 'PLACE'";
    let stage = Stage::set(&[INSERT, later, INSERT]).await;
    let (code, class, detail) = stage.drill(&[]).await;
    assert_eq!((code, class.as_str()), (Some(2), "tablespace_missing"), "{detail}");
}

#[tokio::test]
async fn a_wrong_answer_fails_a_drill_and_is_not_told() {
    let stage = Stage::set(&["INSERT INTO kept VALUES (4711)"]).await;
    let folder = Account::own().temporary_directory();
    let config = folder.path().join("config.yaml");
    let check = |name: &str, right: &str| {
        format!(
            "kubernetes: {{enabled: false}}\n\
             drills:\n  checks:\n  - name: {name}\n    database: postgres\n    \
             query: SELECT max(n) FROM public.kept\n    {right}\n"
        )
    };
    let run = async |text: String| {
        std::fs::write(&config, text).unwrap();
        stage.drill(&["--config", config_path(&config)]).await
    };
    let (code, class, detail) = run(check("newest-row", "expected: '4711'")).await;
    assert_eq!((code, class.as_str()), (Some(0), "succeeded"), "{detail}");
    let (code, class, detail) = run(check("newest-row", "expected: '4712'")).await;
    assert_eq!((code, class.as_str()), (Some(2), "check_failed"), "{detail}");
    assert!(detail.starts_with("newest-row: ") && !detail.contains("4711"), "{detail}");
    let (_, class, detail) = run(check("newest-row", "max_age: 1h")).await;
    assert_eq!(
        (class.as_str(), detail.as_str()),
        ("check_failed", "newest-row: the answer is not a time")
    );
}

fn config_path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let stage = Stage::set(&[INSERT, INSERT]).await;
    let hung = Trigger::always(Operation::Get).on_key(&stage.segments[1]);
    stage.s3.inject(hung, Fault::Hang);
    let (code, class, _) = stage.drill(&["--timeout", "10s"]).await;
    assert_eq!((code, class.as_str()), (Some(3), "timeout"));
}

/// Settings that were raised after the backup do not keep a recovery here from its end.
#[tokio::test]
async fn raised_parameters_are_no_obstacle_on_this_machine() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("backups");
    let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
    let mut primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    barman.backup(&primary, &BackupOptions::default()).await;
    for (name, value) in [("max_connections", "300"), ("max_prepared_transactions", "9")] {
        primary.sql(&format!("ALTER SYSTEM SET {name} = {value}")).await;
    }
    primary.restart().await;
    primary.sql("BEGIN; INSERT INTO kept VALUES (1); PREPARE TRANSACTION 'prepared'").await;
    primary.archive_segments(1).await;
    drop(primary);
    let root = Account::own().temporary_directory();
    let finished = drill(&barman, root.path(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(document(&finished)["class"], "succeeded", "{finished:#?}");
}
