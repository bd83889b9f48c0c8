//! How much memory the daemon takes at most, in the loads that people have.
//!
//! What is measured is the peak of the process, and as root the daemon also runs in a memory cgroup
//! that allows no more. `cargo test --release --test it memory:: -- --nocapture` prints the figures of
//! a release.

mod fleet;
mod group;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::barman::Endpoint;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::s3::S3Server;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::memory::group::MemoryGroup;
use crate::program::Daemon;
use crate::program::READS_NOTHING;
use crate::program::at_endpoint;

/// Well below half of the limit in `deploy/`: a `check` is to fit beside it.
pub(crate) const PEAK_MAX: u64 = 96 << 20;

/// The same while everything is read to its last byte, whatever its size.
const PEAK_MAX_READING: u64 = 160 << 20;

/// What a cgroup counts beside the memory of the process, and cannot give back at once.
const REST: u64 = 16 << 20;

/// The limit in `deploy/`.
const LIMIT_DEPLOYED: u64 = 256;

/// For a busy machine.
const LIMIT: Duration = Duration::from_mins(8);

/// The same archive many times, each time as another cluster's.
pub(crate) struct Archives {
    pub(crate) server: S3Server,
    folders: Vec<String>,
}

impl Archives {
    pub(crate) async fn of(archive: &MadeArchive, name: &str, count: usize) -> Self {
        let server = S3Server::start().await.unwrap();
        server.create_bucket(BUCKET);
        let folders: Vec<String> = (0..count).map(|number| format!("{name}-{number}")).collect();
        for folder in &folders {
            for (key, (content, uploaded_at)) in &archive.objects {
                server.put_at(BUCKET, format!("{folder}/{key}"), content.clone(), *uploaded_at);
            }
        }
        Self { server, folders }
    }

    /// As a daemon watches all of these, whose key files are to be in the directory.
    pub(crate) fn config(all: &[&Self], directory: &TempDir) -> String {
        READS_NOTHING.to_owned() + &Self::config_of_reader(all, directory)
    }

    /// The same of one that reads everything to its last byte.
    fn config_of_reader(all: &[&Self], directory: &TempDir) -> String {
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let key = file("ACCESS_KEY_ID", all[0].server.access_key());
        let secret = file("ACCESS_SECRET_KEY", all[0].server.secret_key());
        let archives = all.iter().flat_map(|archives| {
            let endpoint = archives.server.endpoint_url();
            archives.folders.iter().map(move |folder| {
                format!(
                    "- {{namespace: databases, cluster: {folder}, server_name: pg, region: auto, \
                     destination_path: \"s3://{BUCKET}/{folder}/\", endpoint_url: \"{endpoint}\"}}\n",
                )
            })
        });
        format!(
            "poll_interval: 1s\nfull_listing_interval: 10s\nkubernetes: {{enabled: false}}\n\
             credentials: {{access_key_id_file: {key}, secret_access_key_file: {secret}}}\n\
             archives:\n{}",
            archives.collect::<String>()
        )
    }

    /// Watches until each was looked at so often, in no more memory than this.
    async fn watched(&self, what: &str, looks: u64, group: Option<&MemoryGroup>) -> Daemon {
        let directory = Account::own().temporary_directory();
        let config = Self::config(&[self], &directory);
        let confine = |command| match group {
            Some(group) => group.contain(command),
            None => command,
        };
        let daemon = Daemon::confined(&config, None, directory, confine).await;
        wait_until(what, LIMIT, async || {
            let metrics = daemon.get("/metrics").await.body;
            let counts = metrics.lines().filter_map(|line| {
                line.strip_prefix("backup_verifier_checks_total{")?.rsplit_once(' ')?.1.parse().ok()
            });
            let counts: Vec<u64> = counts.collect();
            let are_done =
                self.folders.len() == counts.len() && counts.iter().all(|it| looks <= *it);
            are_done.then_some(())
        })
        .await;
        let status = daemon.get("/api/v1/status").await.json();
        for archive in status["archives"].as_array().unwrap() {
            assert_eq!(archive["verdict"], "recoverable", "{archive:#}");
        }
        daemon
    }

    async fn watch(&self, what: &str, looks: u64) {
        let group = MemoryGroup::create(what, PEAK_MAX + REST);
        let mut daemon = self.watched(what, looks, group.as_ref()).await;
        check_peak(what, &mut daemon, PEAK_MAX).await;
    }
}

#[expect(clippy::print_stdout, reason = "the figures are for docs/performance.md")]
async fn check_peak(what: &str, daemon: &mut Daemon, most: u64) {
    let peak = daemon.peak_resident_bytes();
    println!("{what}: {} MB", peak >> 20);
    assert!(peak <= most, "{what}: {} MB", peak >> 20);
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_of_any_size_fit() {
    for megabytes in [64, 256, 1024] {
        let archive = MadeArchive::empty().with_segments_of(megabytes).with_healthy(6);
        let archives = Archives::of(&archive, "cluster", 3).await;
        archives.watch(&format!("3 archives with segments of {megabytes} MiB"), 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_archives_that_compress_badly_fit() {
    let archive = MadeArchive::empty().with_noisy_segments_of(16).with_healthy(6);
    for count in [20, 50] {
        let archives = Archives::of(&archive, "cluster", count).await;
        archives.watch(&format!("{count} archives with segments of 16 MiB"), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_looks_at_small_archives_fit() {
    let archives = Archives::of(&MadeArchive::healthy(40), "cluster", 40).await;
    archives.watch("40 archives looked at every second", 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_everything_to_its_last_byte_fits() {
    let what = "3 archives read, with segments of 16 MiB and base backups of 128 MiB";
    let noisy = MadeArchive::empty().with_noisy_segments_of(16).with_large_files_of(128);
    let archives = Archives::of(&noisy.with_healthy(6), "cluster", 3).await;
    let group = MemoryGroup::create(what, PEAK_MAX_READING + REST);
    let confine = |command| match &group {
        Some(group) => group.contain(command),
        None => command,
    };
    let directory = Account::own().temporary_directory();
    let rate = "content: {bytes_per_second_max: 1GB, base_backups: {cadence: 1h}}\n";
    let config = rate.to_owned() + &Archives::config_of_reader(&[&archives], &directory);
    let mut daemon = Daemon::confined(&config, None, directory, confine).await;
    wait_until(what, LIMIT, async || {
        let status = daemon.get("/api/v1/status").await.json();
        let archives = status["archives"].as_array()?;
        let is_read = |archive: &Value| {
            let proof = &archive["proof"];
            proof["segments"] == 6
                && proof["segments"] == proof["segments_read"]
                && proof["backups"] == proof["backups_read"]
        };
        (archives.len() == 3 && archives.iter().all(is_read)).then_some(())
    })
    .await;
    let status = daemon.get("/api/v1/status").await.json();
    for archive in status["archives"].as_array().unwrap() {
        assert_eq!(archive["findings"], json!([]), "{archive:#}");
    }
    check_peak(what, &mut daemon, PEAK_MAX_READING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_fits_beside_the_daemon() {
    let deployment = fs::read_to_string("deploy/kustomize/base/deployment.yaml").unwrap();
    assert!(deployment.contains(&format!("memory: {LIMIT_DEPLOYED}Mi")));
    let archive = MadeArchive::empty().with_noisy_segments_of(16).with_healthy(6);
    let archives = Archives::of(&archive, "cluster", 4).await;
    let what = "a check beside the daemon";
    let group = MemoryGroup::create(what, LIMIT_DEPLOYED << 20);
    let mut daemon = archives.watched(what, 1, group.as_ref()).await;
    let endpoint = Endpoint {
        url: archives.server.endpoint_url(),
        access_key_id: archives.server.access_key().to_owned(),
        secret_access_key: archives.server.secret_key().to_owned(),
    };
    let command = at_endpoint("check", &format!("s3://{BUCKET}/cluster-0/pg"), &endpoint);
    let command = match &group {
        Some(group) => group.contain(command),
        None => command,
    };
    run(command, LIMIT).await.expect_success();
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));
}
