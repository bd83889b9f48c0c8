//! A restored copy of a database does nothing to the world, and nobody can make it.

use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::barman::Endpoint;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::process::wait_until;
use test_servers::s3::S3Server;

use crate::drills::succeed;

/// A subscriber loses for ever what its copy takes from the publisher's slot.
#[tokio::test]
async fn a_subscription_in_the_copy_takes_nothing_from_its_publisher() {
    let s3 = S3Server::start().await.unwrap();
    s3.create_bucket("backups");
    let barman = Barman::new(endpoint(&s3), "s3://backups/cluster", "main");
    let publisher = Postgres::start(&Options::default().with_setting("wal_level", "logical")).await;
    publisher.sql("CREATE TABLE told (n int PRIMARY KEY)").await;
    publisher.sql("CREATE PUBLICATION all_of_it FOR ALL TABLES").await;
    let mut subscriber = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    subscriber.sql("CREATE TABLE told (n int PRIMARY KEY)").await;
    let port = publisher.port();
    let address = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let subscribe =
        format!("CREATE SUBSCRIPTION everything CONNECTION '{address}' PUBLICATION all_of_it");
    subscriber.sql(&subscribe).await;
    publisher.sql("INSERT INTO told VALUES (1)").await;
    is_told(&subscriber, "1").await;
    barman.backup(&subscriber, &BackupOptions::default()).await;
    subscriber.archive_segments(1).await;
    subscriber.stop(test_servers::postgres::Shutdown::Fast).await;
    publisher.sql("INSERT INTO told VALUES (2)").await;
    let position = "SELECT confirmed_flush_lsn FROM pg_replication_slots";
    let before = publisher.sql(position).await;

    s3.reset_requests();
    let root = Account::own().temporary_directory();
    succeed(&barman, root.path(), &["--kind", "full", "--dump"]).await;
    assert_eq!(publisher.sql(position).await, before);
    // Nothing was written to the store either.
    assert_eq!(s3.requests().writes(), 0, "{:#?}", s3.request_log());

    subscriber.resume().await;
    is_told(&subscriber, "2").await;
}

async fn is_told(subscriber: &Postgres, rows: &str) {
    wait_until("the subscriber has it", Duration::from_secs(60), async || {
        let count = subscriber.sql("SELECT count(*) FROM told").await;
        (count == rows).then_some(())
    })
    .await;
}

pub(super) fn endpoint(s3: &S3Server) -> Endpoint {
    Endpoint {
        url: s3.endpoint_url(),
        access_key_id: s3.access_key().to_owned(),
        secret_access_key: s3.secret_key().to_owned(),
    }
}
