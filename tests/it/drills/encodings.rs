//! Clusters whose text is no UTF-8.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::rclone::Rclone;

use crate::drills::drill;
use crate::drills::entries;
use crate::drills::succeed;
use crate::program::document;

/// Makes a server with this encoding that archives, and has one row of text in it.
async fn server(barman: &Barman, encoding: &str) -> Postgres {
    let mut options = Options::archiving(barman, Codec::Gzip);
    options.encoding = Some(encoding.to_owned());
    let server = Postgres::start(&options).await;
    server.sql("CREATE TABLE kept (text text)").await;
    barman.backup(&server, &BackupOptions::default()).await;
    server
}

/// Names are in the encoding of the database in which they were given.
#[tokio::test]
async fn text_and_names_in_latin1_are_read_back() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let server = server(&barman, "LATIN1").await;
    // By escapes: psql speaks the encoding of the database.
    server.sql(r"INSERT INTO kept VALUES (U&'Gr\00FC\00DFe')").await;
    server.sql(r#"CREATE DATABASE U&"B\00FCcher""#).await;
    server.archive_segments(1).await;
    drop(server);
    let folder = Account::own().temporary_directory();
    let config = folder.path().join("config.yaml");
    let check = "kubernetes: {enabled: false}\n\
                 drills:\n  checks:\n  - {name: text, database: postgres, \
                 query: SELECT max(text) FROM public.kept, expected: Grüße}\n";
    fs::write(&config, check).unwrap();
    let root = Account::own().temporary_directory();
    let arguments = ["--kind", "full", "--config", config.to_str().unwrap()];
    let report = succeed(&barman, root.path(), &arguments).await;
    let checks: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["detail"].as_str().unwrap())
        .collect();
    assert_eq!(
        checks,
        ["2 databases answer, 1 was not asked: its name is no UTF-8", "the answer is as expected"]
    );
}

/// A tablespace that recovery cannot make is named in the log by the bytes that it has.
#[tokio::test]
async fn a_line_of_the_log_in_latin1_is_understood() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let server = server(&barman, "LATIN1").await;
    let outside = server.new_directory("outside");
    let place = outside.join(OsString::from_vec(b"sp\xe4ter".to_vec()));
    Account::unprivileged().create_directory(&place);
    let made = format!(r"CREATE TABLESPACE later LOCATION U&'{}/sp\00E4ter'", outside.display());
    server.sql(&made).await;
    server.archive_segments(1).await;
    drop(server);
    let root = Account::own().temporary_directory();
    let finished = drill(&barman, root.path(), &["--kind", "full", "-o", "json"]).await;
    let report = document(&finished);
    assert_eq!(report["class"], "tablespace_missing", "{report:#}");
    let detail = report["detail"].as_str().unwrap();
    assert!(detail.contains("/sp\u{fffd}ter\" does not exist"), "{detail}");
    assert_eq!(entries(root.path()), 0);
}

/// Any bytes may be in there, and whoever asks gets text in UTF-8 or none.
#[tokio::test]
async fn an_answer_that_is_no_text_fails_its_check_and_nothing_else() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let server = server(&barman, "SQL_ASCII").await;
    server.sql("INSERT INTO kept VALUES (convert_from('\\xe4', 'SQL_ASCII'))").await;
    server.archive_segments(1).await;
    drop(server);
    let folder = Account::own().temporary_directory();
    let config = folder.path().join("config.yaml");
    let check = "kubernetes: {enabled: false}\n\
                 drills:\n  checks:\n  - {name: text, database: postgres, \
                 query: SELECT max(text) FROM public.kept, expected: ä}\n";
    fs::write(&config, check).unwrap();
    let root = Account::own().temporary_directory();
    let arguments = ["--kind", "full", "-o", "json", "--config", config.to_str().unwrap()];
    let finished = drill(&barman, root.path(), &arguments).await;
    let report = document(&finished);
    assert_eq!((finished.code, &report["class"]), (Some(2), &"check_failed".into()), "{report:#}");
    assert_eq!(report["checks"][0]["is_passed"], true, "{report:#}");
    assert_eq!(entries(root.path()), 0);
}
