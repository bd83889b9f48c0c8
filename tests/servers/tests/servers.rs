//! Each helper against the real program: archive, back up, lose, restore, scrape.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use test_servers::alertmanager::{Alertmanager, amtool};
use test_servers::barman::{BackupOptions, Barman, Codec, Endpoint};
use test_servers::http;
use test_servers::postgres::{Options, Postgres, Recovery, Shutdown};
use test_servers::process::{Account, Server, accepts_connections, free_port, run, wait_until};
use test_servers::prometheus::{Prometheus, check_metrics};
use test_servers::rclone::Rclone;
use test_servers::webhook::Webhook;

#[tokio::test]
async fn what_postgres_archives_can_be_restored_until_a_segment_is_lost() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::Bzip2)).await;
    primary.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n").await;

    let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
    let id = barman.backup(&primary, &bzip2).await;
    primary.sql("INSERT INTO kept VALUES (1001)").await;
    let segments = primary.archive_segments(3).await;

    let keys = s3.keys("backups");
    let base = format!("cluster/main/base/{id}");
    for key in [format!("{base}/backup.info"), format!("{base}/data.tar.bz2")] {
        assert!(keys.contains(&key), "{key} is not among {keys:#?}");
    }
    let wal: Vec<String> = segments.iter().map(|name| wal_key(name)).collect();
    for key in &wal {
        assert!(keys.contains(key), "{key} is not among {keys:#?}");
    }

    let recovery = Recovery { barman: &barman, backup_id: &id, target: &[] };
    let recovered = Postgres::recover(&recovery, &Options::default()).await;
    assert_eq!(recovered.sql("SELECT count(*), max(n) FROM kept").await, "1001|1001");
    drop(recovered);

    // The restore point lies behind the lost segment, so the recovery ends before its target.
    primary.sql("SELECT pg_create_restore_point('behind')").await;
    primary.archive_segments(1).await;
    s3.delete("backups", &wal[1]);
    let target = [("recovery_target_name", "behind")];
    let recovery = Recovery { barman: &barman, backup_id: &id, target: &target };
    let log = Postgres::recover_in_vain(&recovery, &Options::default()).await;
    assert!(log.contains("recovery ended before configured recovery target was reached"), "{log}");
}

#[tokio::test]
async fn every_codec_of_wal_is_stored_under_its_suffix() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let primary =
        Postgres::start(&Options { wal_segment_size: Some(1), ..Options::default() }).await;
    let directory = primary.new_directory("fetched");
    for codec in Codec::ALL {
        let segment = primary.switch_wal().await;
        let file = primary.data().join("pg_wal").join(&segment);
        barman.archive_wal(codec, &file).await.expect_success();
        let key = format!("cluster/main/wals/{}/{segment}{}", &segment[..16], codec.suffix());
        assert!(s3.keys("backups").contains(&key), "{key}");
        let fetched = directory.join(&segment);
        barman.restore_wal(&segment, &fetched).await.expect_success();
        assert_eq!(read(&fetched), read(&file), "{codec:?}");
    }
}

#[tokio::test]
async fn a_backup_is_stored_under_the_suffix_of_its_codec_until_it_is_deleted() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/", "main");
    let primary = Postgres::start(&Options::archiving(&barman, Codec::None)).await;
    let place = primary.new_directory("space");
    primary.sql(&format!("CREATE TABLESPACE space LOCATION '{}'", place.display())).await;
    let space = primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'").await;
    for codec in [Codec::None, Codec::Snappy, Codec::Lz4] {
        let name = format!("{codec:?}");
        let options =
            BackupOptions { codec, name: Some(name), jobs: 1, ..BackupOptions::default() };
        let id = barman.backup(&primary, &options).await;
        let base = format!("main/base/{id}/");
        let stored = |keys: Vec<String>| -> Vec<String> {
            keys.iter().filter_map(|key| Some(key.strip_prefix(&base)?.to_owned())).collect()
        };
        let tar = format!("tar{}", codec.suffix());
        let expected = [format!("{space}.{tar}"), "backup.info".to_owned(), format!("data.{tar}")];
        assert_eq!(stored(s3.keys("backups")), expected);
        barman.delete(&id).await.expect_success();
        assert_eq!(stored(s3.keys("backups")), [""; 0]);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_a_changed_one_as_well() {
    let mut s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let wrong = Endpoint { secret_access_key: "a guess".to_owned(), ..s3.endpoint() };
    let stranger = Barman::new(wrong, "s3://backups/cluster", "main");
    let listed = stranger.run(stranger.command("barman-cloud-backup-list"), &[]).await;
    assert!(!listed.success(), "{listed:?}");

    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    assert_eq!(barman.backups().await.len(), 0);
    s3.change_secret("another-secret-key").await;
    let listed = barman.run(barman.command("barman-cloud-backup-list"), &[]).await;
    assert!(!listed.success(), "{listed:?}");
}

#[tokio::test]
async fn a_promoted_standby_archives_a_new_timeline() {
    let s3 = Rclone::start().await;
    s3.create_bucket("backups");
    let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
    let mut primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
    let standby = primary.standby().await;
    primary.archive_segments(1).await;
    primary.stop(Shutdown::Immediate).await;
    standby.promote().await;
    let segments = standby.archive_segments(1).await;
    assert!(segments[0].starts_with("00000002"), "{segments:?}");
    let keys = s3.keys("backups");
    assert!(keys.contains(&"cluster/main/wals/00000002.history.gz".to_owned()), "{keys:#?}");

    primary.resume().await;
    primary.restart().await;
    assert_eq!(primary.sql("SELECT pg_is_in_recovery()").await, "f");
}

#[tokio::test]
async fn prometheus_scrapes_a_target_every_second() {
    // Its own metrics stand in for those of the daemon.
    let watched = Prometheus::start(&[], &[]).await;
    let target = watched.url().replace("http://", "");
    let prometheus = Prometheus::start(&[&target], &[]).await;
    let within = Duration::from_secs(30);
    prometheus
        .query_until("up{job=\"test\"}", within, |up| up.iter().any(|s| s.value == 1.0))
        .await;
    let scrapes = "count_over_time(up[30s])";
    prometheus.query_until(scrapes, within, |count| count.iter().any(|s| s.value > 2.0)).await;

    let metrics = http::get(&format!("{}/metrics", watched.url())).await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let accepted = "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 1\n";
    check_metrics(accepted).await.expect_success();
    let refused = check_metrics("# TYPE things gauge\nthings nonsense\n").await;
    assert!(!refused.success(), "{refused:?}");
}

#[tokio::test]
async fn an_alert_goes_from_prometheus_through_alertmanager_to_a_webhook() {
    let webhook = Webhook::start().await;
    let routes = format!(
        "route: {{receiver: test, group_by: [alertname], group_wait: 0s}}\n\
         receivers: [{{name: test, webhook_configs: [{{url: \"{}\"}}]}}]\n",
        webhook.url()
    );
    let alertmanager = Alertmanager::start(&routes).await;
    let directory = Account::own().temporary_directory();
    let rules = directory.path().join("rules.yml");
    let always = "groups: [{name: test, rules: [{alert: Always, expr: vector(1)}]}]\n";
    std::fs::write(&rules, always).expect("a new file");
    let targets: [&str; 0] = [];
    let _prometheus =
        Prometheus::start_alerting(&targets, &[rules], &[&alertmanager.address()]).await;
    alertmanager.add(&[("alertname", "Sometimes"), ("severity", "info")]).await;
    let within = Duration::from_secs(60);
    for name in ["Always", "Sometimes"] {
        let is_it = |alert: &serde_json::Value| alert["labels"]["alertname"] == name;
        let alert = webhook.alert_when(name, within, is_it).await;
        assert_eq!(alert["status"], "firing");
    }
    assert_eq!(alertmanager.alerts().await.len(), 2);
    let checked = amtool(&["check-config", "/nonexistent"]).await;
    assert!(!checked.success(), "{checked:?}");
}

#[tokio::test]
async fn a_dropped_server_ends_with_what_it_started() {
    let account = Account::own();
    let directory = account.temporary_directory();
    let mut command = account.server_command(Path::new("/bin/sh"));
    // The shell ignores the farewell, and its child does not know it.
    command.args(["-c", "trap '' QUIT; sleep 300 & echo $!; wait"]);
    let log = directory.path().join("log");
    let server = Server::start("a shell", command, &log);
    let child = wait_until("the shell's child", Duration::from_secs(10), async || {
        std::fs::read_to_string(&log).ok()?.trim().parse::<u32>().ok()
    })
    .await;
    assert!(is_running(server.pid()) && is_running(child));
    drop(server);
    wait_until("both are gone", Duration::from_secs(10), async || {
        (!is_running(child)).then_some(())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "did not end within")]
async fn a_command_that_hangs_is_ended() {
    let mut command = Account::own().command(Path::new("/bin/sleep"));
    command.arg("300");
    run(command, Duration::from_millis(100)).await;
}

#[test]
fn a_free_port_is_handed_out_once() {
    let (one, other) = (free_port(), free_port());
    assert_ne!(one, other);
    assert!(!accepts_connections(one));
}

fn wal_key(segment: &str) -> String {
    format!("cluster/main/wals/{}/{segment}.bz2", &segment[..16])
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).expect("a readable file")
}

/// A process that has ended and that nobody has waited for counts as gone.
fn is_running(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
