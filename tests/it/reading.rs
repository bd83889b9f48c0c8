//! The daemon reads archives to their last byte beside its looks, and remembers what it has read.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::Account;
use test_servers::rclone::Rclone;
use test_servers::s3::S3Server;

use crate::program::Daemon;

const LIMIT: Duration = Duration::from_secs(10);

/// Reads all there is, and looks for what was replaced each time this has passed.
fn config(server: &S3Server, everything: &str, directory: &TempDir, ledger: &TempDir) -> String {
    let url = server.endpoint_url();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    format!(
        "poll_interval: 1s\nfull_listing_interval: {everything}\nkubernetes: {{enabled: false}}\n\
         content: {{wal: true, base_backups: {{cadence: daily}}, ledger: {}}}\n\
         credentials: {{access_key_id_file: {}, secret_access_key_file: {}}}\n\
         archives:\n- namespace: databases\n  cluster: main\n  server_name: main\n\
         \x20 destination_path: s3://backups/cluster\n  endpoint_url: {url}\n",
        ledger.path().join("ledger.sqlite").display(),
        file("id", server.access_key()),
        file("secret", server.secret_key()),
    )
}

fn is_all_read(archive: &Value) -> bool {
    let proof = &archive["proof"];
    proof["segments"] == proof["segments_read"]
        && proof["backups"] == proof["backups_read"]
        && proof["backups"] == 1
}

async fn gets(daemon: &Daemon) -> f64 {
    let metrics = daemon.get("/metrics").await.body;
    let line = metrics.lines().find(|line| {
        line.starts_with("backup_verifier_object_store_requests_total{operation=\"get\"}")
    });
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
}

#[tokio::test]
async fn what_is_read_once_is_not_read_again_and_what_is_replaced_is() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    primary.sql("CREATE TABLE kept (n int)").await;
    let gzip = BackupOptions { codec: Codec::Gzip, ..BackupOptions::default() };
    barman.backup(&primary, &gzip).await;
    let mut names = Vec::new();
    for n in 0..6 {
        primary.sql(&format!("INSERT INTO kept VALUES ({n})")).await;
        names.extend(primary.archive_segments(1).await);
    }
    drop(primary);
    // rclone notices late what is put behind its back.
    let server = S3Server::start().await.unwrap();
    server.create_bucket("backups");
    for key in s3.keys("backups") {
        server.put("backups", &key, std::fs::read(s3.path("backups", &key)).unwrap());
    }

    let account = Account::own();
    let ledger = account.temporary_directory();
    let start = async |everything| {
        let directory = Account::own().temporary_directory();
        let config = config(&server, everything, &directory, &ledger);
        Daemon::configured(&config, None, directory).await
    };
    let mut daemon = start("1s").await;
    let archive = daemon.archive_when("all is read", is_all_read).await;
    assert_eq!((&archive["verdict"], &archive["findings"]), (&json!("recoverable"), &json!([])));
    let read_first = gets(&daemon).await;
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let mut daemon = start("1h").await;
    let known = daemon.archive_when("all is known", is_all_read).await;
    let read_at = |archive: &Value| archive["observed_at"].as_str().map(str::to_owned);
    for look in 0..3 {
        let before = read_at(&daemon.archive().await);
        daemon.archive_when(&format!("look {look}"), |archive| read_at(archive) != before).await;
    }
    assert_eq!(known["findings"], json!([]));
    let again = gets(&daemon).await;
    // backup.info, and the newest segment for its time.
    assert!(again <= 4.0 && again < read_first, "{again} of {read_first}: {}", daemon.log());
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let mut daemon = start("1s").await;
    daemon.archive_when("all is known", is_all_read).await;

    let lost = &names[2];
    let key = format!("cluster/main/wals/{}/{lost}.gz", &lost[..16]);
    let whole = std::fs::read(s3.path("backups", &key)).unwrap();
    let mut damaged = whole.clone();
    // A single bit may mean nothing: a run of zeros is the same from wherever it is copied.
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xFF);
    server.put("backups", &key, damaged);
    let at_risk = daemon.archive_with_verdict("unrecoverable").await;
    assert!(at_risk["findings"].to_string().contains(lost), "{at_risk:#}");
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let daemon = start("1s").await;
    let archive = daemon.archive_with_verdict("unrecoverable").await;
    assert!(archive["findings"].to_string().contains(lost), "{archive:#}");
    server.put("backups", &key, whole);
    let mended = daemon.archive_with_verdict("recoverable").await;
    assert_eq!(mended["findings"], json!([]));
}
