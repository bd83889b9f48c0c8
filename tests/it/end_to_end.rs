//! From PostgreSQL to Prometheus, through servers by other people: PostgreSQL archives with
//! barman-cloud into rclone's S3 server, the daemon watches it, Prometheus scrapes the daemon.

use std::time::Duration;

use serde_json::Value;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::process::wait_until;
use test_servers::prometheus::Prometheus;
use test_servers::prometheus::check_metrics;
use test_servers::rclone::Rclone;

use crate::program::Daemon;
use crate::program::check;
use crate::program::check_directory;
use crate::program::codes;
use crate::program::document;

const BUCKET: &str = "backups";
const STATUS: &str = "/api/v1/status/databases/main";

struct World {
    s3: Rclone,
    barman: Barman,
    primary: Postgres,
    daemon: Daemon,
    prometheus: Prometheus,
    backups: Vec<String>,
}

#[tokio::test]
async fn what_happens_to_a_real_archive_is_seen_in_prometheus() {
    let mut world = World::begin().await;
    world.is_recoverable().await;
    world.is_the_same_as_a_directory().await;
    world.loses_a_segment().await;
    world.takes_another_backup().await;
    world.loses_the_data_of_that_backup().await;
    world.is_denied_and_allowed_again().await;
    world.loses_its_store_and_has_it_again().await;
    world.is_told_to_end().await;
}

impl World {
    /// A server with some load, one base backup, and everything that watches it.
    async fn begin() -> Self {
        let s3 = Rclone::start().await;
        s3.create_bucket(BUCKET);
        let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
        let primary = Postgres::start(&Options::archiving(&barman, Codec::Bzip2)).await;
        primary.sql("CREATE TABLE ticks (at timestamptz DEFAULT now())").await;
        // Before there is anything: that is a finding, and the daemon is ready all the same.
        let daemon = Daemon::start(&barman).await;
        let prometheus = Prometheus::start(&[&daemon.address], &[]).await;
        let mut world = Self { s3, barman, primary, daemon, prometheus, backups: Vec::new() };
        world.take_backup().await;
        world.write(3).await;
        world
    }

    async fn take_backup(&mut self) {
        let bzip2 = BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() };
        self.backups.push(self.barman.backup(&self.primary, &bzip2).await);
    }

    /// Commits into each of some new segments, and archives them.
    async fn write(&self, segments: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..segments {
            self.primary.sql("INSERT INTO ticks DEFAULT VALUES").await;
            names.extend(self.primary.archive_segments(1).await);
        }
        names
    }

    async fn is_recoverable(&self) {
        let archive = self.daemon.archive_with_verdict("recoverable").await;
        assert_eq!(codes(&archive), Vec::<&str>::new(), "{archive:#}");
        assert_eq!(archive["recovery_windows"][0]["last"]["time_source"], "commit");
        assert_eq!(archive["recovery_windows"][0]["backup_id"], self.backups[0]);
        self.metric_becomes("backup_verifier_verdict{verdict=\"recoverable\"}", 1.0).await;
        self.metric_becomes("backup_verifier_latest_recoverable", 1.0).await;
        self.metric_becomes("backup_verifier_base_backups{status=\"usable\"}", 1.0).await;
        self.metric_becomes("backup_verifier_object_store_up", 1.0).await;
        for path in ["/livez", "/healthz", "/readyz", STATUS, "/"] {
            assert_eq!(self.daemon.get(path).await.status, 200, "{path}");
        }
        let parts = self.daemon.get("/healthz?verbose").await;
        assert!(parts.status == 200 && parts.body.contains("loop"), "{}", parts.body);

        let metrics = self.daemon.get("/metrics").await;
        assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
        let checked = check_metrics(&metrics.body).await;
        assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""));
        assert!(checked.success(), "{checked:?}");
    }

    async fn is_the_same_as_a_directory(&self) {
        let stored = check(&self.barman, &["-o", "json"]).await;
        assert_eq!(stored.code, Some(0), "{stored:#?}");
        let folder = self.s3.path(BUCKET, "cluster/main");
        let copied = check_directory(&folder, &["-o", "json"]).await;
        assert_eq!(copied.code, Some(0), "{copied:#?}");
        let (stored, copied) = (document(&stored), document(&copied));
        assert_eq!(comparable(stored.clone()), comparable(copied));
        let windows = |archive: &Value| {
            let mut windows = archive["recovery_windows"].clone();
            // The daemon reads what is stored, and the other was only listed.
            windows
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|it| it["read_until"] = Value::Null);
            windows
        };
        let listed = windows(&stored["archives"][0]);
        self.daemon.archive_when("the same", |it| windows(it) == listed).await;
    }

    async fn loses_a_segment(&mut self) {
        let names = self.write(3).await;
        self.daemon
            .archive_when("the newest segment", |it| it["newest_segment"]["name"] == names[2])
            .await;
        let (folder, lost) = (&names[1][..16], &names[1]);
        self.s3.delete(BUCKET, &format!("cluster/main/wals/{folder}/{lost}.bz2"));

        let archive = self.daemon.archive_with_verdict("unrecoverable").await;
        assert_eq!(codes(&archive), ["wal_gap"], "{archive:#}");
        let gap = &archive["gaps"][0];
        assert_eq!((&gap["first"], &gap["effect"]), (&lost[..].into(), &"stops_recovery".into()));
        assert_eq!(archive["recovery_windows"][0]["last"]["segment"], names[0]);
        self.metric_becomes("backup_verifier_verdict{verdict=\"unrecoverable\"}", 1.0).await;
        self.metric_becomes("backup_verifier_verdict{verdict=\"recoverable\"}", 0.0).await;
        self.metric_becomes("backup_verifier_wal_gaps{effect=\"stops_recovery\"}", 1.0).await;
        self.metric_becomes("backup_verifier_finding{code=\"wal_gap\"}", 1.0).await;
        self.metric_becomes("backup_verifier_latest_recoverable", 0.0).await;
        assert_eq!(self.daemon.get(STATUS).await.status, 503);
        for path in ["/livez", "/readyz", "/api/v1/status"] {
            assert_eq!(self.daemon.get(path).await.status, 200, "{path}");
        }
        assert_eq!(check(&self.barman, &[]).await.code, Some(2));
    }

    async fn takes_another_backup(&mut self) {
        self.take_backup().await;
        self.write(2).await;
        let archive = self.daemon.archive_with_verdict("at_risk").await;
        assert_eq!(codes(&archive), ["wal_gap"], "{archive:#}");
        assert_eq!(archive["gaps"][0]["effect"], "hole");
        assert_eq!(archive["latest_recoverable"], true);
        self.metric_becomes("backup_verifier_verdict{verdict=\"at_risk\"}", 1.0).await;
        self.metric_becomes("backup_verifier_wal_gaps{effect=\"hole\"}", 1.0).await;
        self.metric_becomes("backup_verifier_base_backups{status=\"usable\"}", 2.0).await;
        assert_eq!(self.daemon.get(STATUS).await.status, 200);
        assert_eq!(check(&self.barman, &[]).await.code, Some(1));
    }

    async fn loses_the_data_of_that_backup(&mut self) {
        let id = &self.backups[1];
        self.s3.delete(BUCKET, &format!("cluster/main/base/{id}/data.tar.bz2"));
        let archive = self.daemon.archive_with_verdict("unrecoverable").await;
        assert_eq!(codes(&archive), ["wal_gap", "backup_incomplete"], "{archive:#}");
        let of_backup = &archive["findings"][1]["evidence"];
        assert_eq!((&of_backup["backup_id"], &of_backup["missing"]), (&json(id), &json("objects")));
        assert_eq!(archive["backups"][1]["usable"], false);
        self.metric_becomes("backup_verifier_base_backups{status=\"unusable\"}", 1.0).await;
        self.metric_becomes("backup_verifier_finding{code=\"backup_incomplete\"}", 1.0).await;
        assert_eq!(check(&self.barman, &[]).await.code, Some(2));
    }

    async fn is_denied_and_allowed_again(&mut self) {
        let before = self.daemon.archive_with_verdict("unrecoverable").await;
        let secret = self.s3.endpoint().secret_access_key;
        self.s3.change_secret("another-secret-key").await;
        let denied = self
            .daemon
            .archive_when("unknown, as it is denied", |archive| {
                archive["verdict"] == "unknown" && codes(archive).contains(&"store_denied")
            })
            .await;
        for kept in ["recovery_windows", "gaps", "backups", "newest_segment"] {
            assert_eq!(denied[kept], before[kept], "{kept}");
        }
        self.metric_becomes("backup_verifier_verdict{verdict=\"unknown\"}", 1.0).await;
        // A store that refuses is not down.
        self.metric_becomes("backup_verifier_object_store_up", 1.0).await;
        self.metric_becomes("backup_verifier_wal_gaps{effect=\"stops_recovery\"}", 1.0).await;
        let last_end = "backup_verifier_recovery_window_end_timestamp_seconds";
        assert_eq!(self.prometheus.query(last_end).await.len(), 1);
        let failures = "backup_verifier_check_failures_total{reason=\"auth\"} > 0";
        self.prometheus.query_until(failures, LIMIT, |found| found.len() == 1).await;
        assert_eq!(self.daemon.get(STATUS).await.status, 503);
        assert_eq!(self.daemon.get("/readyz").await.status, 200);
        assert_eq!(check(&self.barman, &[]).await.code, Some(3));
        // Nothing is checked while nothing can be read.
        let last = "backup_verifier_last_success_timestamp_seconds";
        let last_success = self.prometheus.query(last).await[0].value;
        let last = "backup_verifier_last_check_timestamp_seconds";
        assert!(last_success < self.prometheus.query(last).await[0].value);

        self.s3.change_secret(&secret).await;
        let again = self.daemon.archive_with_verdict("unrecoverable").await;
        assert_eq!(again["recovery_windows"], before["recovery_windows"]);
        assert_ne!(again["observed_at"], denied["observed_at"]);
    }

    async fn loses_its_store_and_has_it_again(&mut self) {
        let before = self.daemon.archive_with_verdict("unrecoverable").await;
        self.s3.stop().await;
        self.metric_becomes("backup_verifier_object_store_up", 0.0).await;
        let gone = self.daemon.archive_with_verdict("unknown").await;
        assert!(codes(&gone).contains(&"store_unreachable"), "{gone:#}");
        assert_eq!(gone["recovery_windows"], before["recovery_windows"]);
        assert_eq!(check(&self.barman, &[]).await.code, Some(3));

        self.s3.resume().await;
        self.metric_becomes("backup_verifier_object_store_up", 1.0).await;
        self.take_backup().await;
        self.write(1).await;
        self.daemon.archive_with_verdict("at_risk").await;
        assert_eq!(self.daemon.get(STATUS).await.status, 200);
    }

    async fn is_told_to_end(&mut self) {
        assert_eq!(self.daemon.terminate(Duration::from_secs(5)).await, Some(0));
        let log = self.daemon.log();
        assert!(log.contains("shutting down"), "{log}");
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert!(lines.count() > 5, "{log}");
        let endpoint = self.s3.endpoint();
        assert!(!log.contains(&endpoint.secret_access_key), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Waits until the one series with this name and labels has the value.
    async fn metric_becomes(&self, series: &str, value: f64) {
        let query = format!("{series} == {value}");
        self.prometheus.query_until(&query, LIMIT, |found| found.len() == 1).await;
    }
}

#[tokio::test]
async fn a_daemon_whose_store_hangs_is_alive_not_ready_and_ends_at_once() {
    let server = test_servers::s3::S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    server.set_latency(Duration::from_secs(20));
    let endpoint = test_servers::barman::Endpoint {
        url: server.endpoint_url(),
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
    };
    let barman = Barman::new(endpoint, "s3://backups/", "main");
    let mut daemon = Daemon::start(&barman).await;
    wait_until("the first request", LIMIT, async || (0 < server.requests().total()).then_some(()))
        .await;
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert_eq!(daemon.get("/readyz").await.status, 503);
    assert_eq!(daemon.get(STATUS).await.status, 503);
    assert_eq!(daemon.terminate(Duration::from_secs(5)).await, Some(0));
}

fn json(text: &str) -> Value {
    Value::from(text)
}

/// Without the address, the times of looking, and what stores tell of an upload's time.
fn comparable(mut document: Value) -> Value {
    document["generated_at"] = Value::Null;
    for archive in document["archives"].as_array_mut().unwrap() {
        for field in ["destination_path", "observed_at", "checked_at"] {
            archive[field] = Value::Null;
        }
        archive["proof"]["listed"] = Value::Null;
        let uploaded_at = archive["newest_segment"]["uploaded_at"].as_str().unwrap();
        // "2026-01-10T12:00:00.123Z" to the second.
        archive["newest_segment"]["uploaded_at"] = uploaded_at[..19].into();
    }
    document
}

/// A change is seen within a full listing and a scrape; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
