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

use crate::made_archive::MadeArchive;
use crate::made_archive::SERVER_NAME;
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

/// Somebody deletes a backup that the retention still keeps, and the bucket has a rule that will.
#[tokio::test]
async fn what_was_deleted_too_early_is_told_across_restarts() {
    let server = S3Server::start().await.unwrap();
    let mut made = MadeArchive::under("cluster");
    (1..10).for_each(|number| drop(made.add_segment(number, made.minutes_ago(10 - number))));
    let backups = [(40, 1), (20, 4), (10, 7)];
    let ids = backups
        .map(|(days, first)| made.add_backup(made.minutes_ago(days * 24 * 60), first, first + 1));
    made.put_into(&server);
    let ledger = Account::own().temporary_directory();
    let start = async || {
        let directory = Account::own().temporary_directory();
        let config = config(&server, "1s", &directory, &ledger);
        let config = config.replace("cadence: daily", "cadence: never");
        let config = config.replace("server_name: main", &format!("server_name: {SERVER_NAME}"));
        let config = format!("{config}  retention_policy: 30d\n");
        Daemon::configured(&config, None, directory).await
    };
    let codes = |archive: &Value| {
        let findings = archive["findings"].as_array().unwrap().iter();
        findings.map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let tells = |archive: &Value, code: &str| codes(archive).iter().any(|it| it == code);
    let delete = |id: &str| {
        for key in server.keys("backups", &format!("cluster/{SERVER_NAME}/base/{id}/")) {
            server.delete("backups", &key);
        }
    };

    let mut daemon = start().await;
    let is_listed = |it: &Value| it["backups"].as_array().is_some_and(|it| it.len() == 3);
    let seen = daemon.archive_when("all is listed", is_listed).await;
    assert!(!tells(&seen, "deleted_early"), "{seen:#}");
    // Retention would delete the oldest once another one is older than the window.
    delete(&ids[0]);
    let early = daemon.archive_when("it is told", |it| tells(it, "deleted_early")).await;
    assert!(early["findings"].to_string().contains(&ids[0]), "{early:#}");
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    delete(&ids[1]);
    server.set_lifecycle_days("backups", 14);
    let daemon = start().await;
    let is_told = |it: &Value| it["findings"].to_string().contains(&ids[1]);
    let told = daemon.archive_when("both are told", is_told).await;
    assert!(told["findings"].to_string().contains(&ids[0]), "{told:#}");
    assert!(tells(&told, "lifecycle_rule_conflict"), "{told:#}");
}

/// Whoever is killed while it writes leaves a ledger that can be read, and that claims nothing which
/// was not read.
#[tokio::test]
async fn a_ledger_survives_that_its_process_is_killed_at_any_moment() {
    let server = S3Server::start().await.unwrap();
    MadeArchive::under("cluster").with_healthy(60).put_into(&server);
    let ledger = Account::own().temporary_directory();
    let start = async |everything| {
        let directory = Account::own().temporary_directory();
        let config = config(&server, everything, &directory, &ledger);
        let config = config.replace("server_name: main", &format!("server_name: {SERVER_NAME}"));
        Daemon::configured(&config, None, directory).await
    };
    for round in 0..12 {
        let mut daemon = start("1s").await;
        tokio::time::sleep(Duration::from_millis(round * 37)).await;
        daemon.kill().await;
    }
    assert!(!ledger.path().join("ledger.sqlite.old").exists(), "it was set aside");
    let mut daemon = start("1s").await;
    let is_read = |archive: &Value| {
        archive["proof"]["segments"] == 60
            && archive["proof"]["segments"] == archive["proof"]["segments_read"]
            && archive["proof"]["backups"] == archive["proof"]["backups_read"]
    };
    let read = daemon.archive_when("all is read", is_read).await;
    assert_eq!((&read["verdict"], &read["findings"]), (&json!("recoverable"), &json!([])));
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    // One from an old snapshot, of which some has been replaced since, is read again where it differs.
    let snapshot = std::fs::read(ledger.path().join("ledger.sqlite")).unwrap();
    let other = MadeArchive::under("cluster").with_healthy(60);
    for number in 20..24 {
        let key = other.segment_key(1, number);
        let (content, uploaded_at) = &other.objects[&key];
        let mut content = content.to_vec();
        content.extend(b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0");
        server.put_at("backups", &key, content, *uploaded_at);
    }
    let mut daemon = start("1s").await;
    daemon.archive_when("what differs is read again", is_read).await;
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));
    std::fs::write(ledger.path().join("ledger.sqlite"), snapshot).unwrap();
    let daemon = start("1s").await;
    let read = daemon.archive_when("and once more", is_read).await;
    assert_eq!((&read["verdict"], &read["findings"]), (&json!("recoverable"), &json!([])));
}

/// What a listing of everything shows to be as it was costs nothing.
#[tokio::test]
async fn of_an_archive_that_was_read_nothing_is_read_again() {
    let server = S3Server::start().await.unwrap();
    let mut made = MadeArchive::under("cluster");
    for number in 1..=600 {
        made.add_segment(number, made.minutes_ago(600 - number));
    }
    made.add_backup(made.minutes_ago(300), 300, 301);
    made.put_into(&server);
    let ledger = Account::own().temporary_directory();
    let start = async || {
        let directory = Account::own().temporary_directory();
        let config = config(&server, "1h", &directory, &ledger);
        let config = config.replace("server_name: main", &format!("server_name: {SERVER_NAME}"));
        Daemon::configured(&config, None, directory).await
    };
    // backup.info, the newest segment and the ends of the backup: a look opens them for their times.
    let of_a_look = 6.0;
    let mut daemon = start().await;
    daemon.archive_when("all is read", is_all_read).await;
    assert!(600.0 <= gets(&daemon).await);
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let daemon = start().await;
    daemon.archive_when("nothing has changed", is_all_read).await;
    let again = gets(&daemon).await;
    assert!(again <= of_a_look, "{again}: {}", daemon.log());
}

/// A ledger that knows another archive by this one's name would have it taken for read.
#[tokio::test]
async fn a_ledger_of_another_archive_is_believed_nothing() {
    let server = S3Server::start().await.unwrap();
    MadeArchive::under("cluster").with_healthy(60).put_into(&server);
    let mut other = MadeArchive::under("other").with_healthy(60);
    let key = other.segment_key(1, 50);
    let (content, uploaded_at) = other.objects[&key].clone();
    let mut content = content.to_vec();
    let middle = content.len() / 2;
    content[middle] ^= 0xFF;
    other.objects.insert(key.clone(), (content.into(), uploaded_at));
    other.put_into(&server);
    let ledger = Account::own().temporary_directory();
    let start = async |folder: &str| {
        let directory = Account::own().temporary_directory();
        let config = config(&server, "1s", &directory, &ledger);
        let config = config.replace("server_name: main", &format!("server_name: {SERVER_NAME}"));
        let config = config.replace("s3://backups/cluster", &format!("s3://backups/{folder}"));
        Daemon::configured(&config, None, directory).await
    };
    let mut daemon = start("cluster").await;
    let is_read = |it: &Value| {
        it["proof"]["segments"] == 60 && it["proof"]["segments"] == it["proof"]["segments_read"]
    };
    daemon.archive_when("all is read", is_read).await;
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let file = rusqlite::Connection::open(ledger.path().join("ledger.sqlite")).unwrap();
    let renamed =
        file.execute("UPDATE archives SET address = replace(address, 'cluster', 'other')", []);
    assert_eq!(renamed.unwrap(), 1);
    drop(file);
    let daemon = start("other").await;
    let found = daemon.archive_with_verdict("unrecoverable").await;
    let name = &key[key.rfind('/').unwrap() + 1..key.rfind('.').unwrap()];
    assert!(found["findings"].to_string().contains(name), "{found:#}");
}

/// A record that goes on from a segment that was read before a restart into one that came after it.
#[tokio::test]
async fn a_record_that_began_before_a_restart_is_held_to_its_checksum() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let options = Options::archiving(&barman, Codec::None);
    let primary = Postgres::start(&Options { wal_segment_size: Some(1), ..options }).await;
    let none = BackupOptions { codec: Codec::None, ..BackupOptions::default() };
    barman.backup(&primary, &none).await;
    // Segments that are filled, and do not end with a switch.
    primary
        .sql("CREATE TABLE kept AS SELECT n, md5(n::text) FROM generate_series(1, 24000) n")
        .await;
    primary.archive_segments(1).await;
    drop(primary);
    let server = S3Server::start().await.unwrap();
    server.create_bucket("backups");
    let keys = s3.keys("backups");
    let read = |key: &str| std::fs::read(s3.path("backups", key)).unwrap();
    let is_segment = |key: &String| {
        key.contains("/wals/") && key.rsplit('/').next().is_some_and(|name| name.len() == 24)
    };
    // Of the page at its start so many bytes belong to a record that began before.
    let goes_on = |key: &&String| {
        let content = read(key);
        content[2] & 1 == 1 && 24 <= u32::from_le_bytes(content[16..20].try_into().unwrap())
    };
    let continued = keys.iter().filter(|key| is_segment(key)).rev().find(goes_on).unwrap().clone();
    keys.iter().filter(|key| !is_segment(key) || **key < continued).for_each(|key| {
        server.put("backups", key, read(key));
    });
    let ledger = Account::own().temporary_directory();
    let start = async || {
        let directory = Account::own().temporary_directory();
        let config = config(&server, "1s", &directory, &ledger);
        Daemon::configured(&config, None, directory).await
    };
    let mut daemon = start().await;
    daemon.archive_when("all is read", is_all_read).await;
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));

    let mut content = read(&continued);
    content[40 + 10] ^= 1;
    server.put("backups", &continued, content);
    let daemon = start().await;
    let name = continued.rsplit('/').next().unwrap();
    let is_told = |it: &Value| it["findings"].to_string().contains(name);
    let found = daemon.archive_when("it is told", is_told).await;
    assert_eq!(found["findings"][0]["code"], "wal_damaged", "{found:#}");
}
