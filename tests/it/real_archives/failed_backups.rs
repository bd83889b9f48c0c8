//! Backups that barman itself reports as failed, because the store refuses what it uploads.

use std::time::Duration;

use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::barman::Endpoint;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Server;
use test_servers::process::wait_until;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use test_servers::s3::Trigger;

use crate::real_archives::BUCKET;
use crate::real_archives::answer::Answer;
use crate::real_archives::bzip2;
use crate::real_archives::write;

#[tokio::test]
async fn a_backup_that_barman_calls_failed_is_none_until_the_next_succeeds() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    let endpoint = Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    let archive = Barman::new(endpoint.clone(), "s3://backups/", "main");
    let primary = Postgres::start(&Options::archiving(&archive, Codec::None)).await;
    write(&primary, 1).await;

    fail_backup(&server, &archive, &primary).await;
    Answer::of_store(&archive).await.expect("backup_failed_only");
    next_second(&primary).await;
    archive.backup(&primary, &bzip2()).await;
    write(&primary, 1).await;
    Answer::of_store(&archive).await.expect("backup_failed_then_success");

    let failed = server.keys(BUCKET, "main/base/")[0].clone();
    server.delete(BUCKET, &failed);
    next_second(&primary).await;
    fail_backup(&server, &archive, &primary).await;
    write(&primary, 1).await;
    let answer = Answer::of_store(&archive).await;
    answer.expect("backup_failed_with_end_time");
    assert!(answer.archive()["backups"][1]["end_time"].is_string(), "{:#}", answer.archive());
}

/// The only part of the tar file is refused. That comes after `pg_backup_stop`, so the failed
/// backup has an end all the same.
async fn fail_backup(server: &S3Server, archive: &Barman, primary: &Postgres) {
    // The first request begins the upload.
    let trigger = Trigger::nth(Operation::Multipart, 2).on_key("data.tar");
    server.inject(trigger, Fault::AccessDenied);
    let mut command = archive.command("barman-cloud-backup");
    command.arg("--bzip2").arg("--immediate-checkpoint").args(primary.connection_options());
    command.args([&archive.destination_path, &archive.server_name]);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    // Barman 3.19.1 may hang after it has told the failure, so nobody waits for its end.
    let _barman = Server::start("barman-cloud-backup", command, &log);
    wait_until("a failed backup", Duration::from_secs(60), async || {
        let keys = server.keys(BUCKET, "main/base/");
        let info = server.get(BUCKET, keys.iter().max()?)?;
        String::from_utf8_lossy(&info).contains("status=FAILED").then_some(())
    })
    .await;
    assert_eq!(server.faults_left(), 0);
}

/// Two backups of one second would have the same id.
async fn next_second(primary: &Postgres) {
    primary.sql("SELECT pg_sleep(1.1)").await;
}
