//! A short storm over the program itself, on sockets and by the clock of the machine.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use test_servers::process::Account;
use test_servers::process::wait_until;
use tokio::time::sleep;

use crate::made_archive::MadeArchive;
use crate::memory::Archives;
use crate::memory::PEAK_MAX;
use crate::program::Daemon;
use crate::storm::dice::Dice;
use crate::storm::weather;

/// For a busy machine, and for what hangs in a storm until it is given up.
const LIMIT: Duration = Duration::from_mins(3);

const STORM: Duration = Duration::from_secs(20);

/// Connections that are kept for the next request.
const FILES_TO_SPARE: usize = 64;

async fn archives(daemon: &Daemon) -> Vec<Value> {
    let status = daemon.get("/api/v1/status").await.json();
    status["archives"].as_array().unwrap().clone()
}

async fn all_are_recoverable(what: &str, daemon: &Daemon) {
    wait_until(what, LIMIT, async || {
        let archives = archives(daemon).await;
        let are_whole = archives.iter().all(|it| it["verdict"] == "recoverable");
        (!archives.is_empty() && are_whole).then_some(())
    })
    .await;
}

/// Without their values.
async fn series(daemon: &Daemon) -> BTreeSet<String> {
    let metrics = daemon.get("/metrics").await.body;
    let series = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    series.map(|(name, _)| name.to_owned()).filter(|name| !name.starts_with('#')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_leaves_the_program_as_it_was() {
    let archive = MadeArchive::healthy(12);
    let calm = Archives::of(&archive, "calm", 10).await;
    let windy = Archives::of(&archive, "windy", 10).await;
    let stormy = Archives::of(&archive, "stormy", 10).await;
    let directory = Account::own().temporary_directory();
    let config = Archives::config(&[&calm, &windy, &stormy], &directory);
    let mut daemon = Daemon::configured(&config, None, directory).await;
    all_are_recoverable("the start", &daemon).await;
    let (files, series_before) = (daemon.open_files(), series(&daemon).await);

    for (number, storm) in (1..).zip([&windy, &stormy]) {
        storm.server.remember();
        storm.server.storm(weather::storm(Dice::new(number)));
    }
    for _ in 0..STORM.as_secs() {
        sleep(Duration::from_secs(1)).await;
        for archive in archives(&daemon).await {
            let is_calm = archive["cnpg_cluster"].as_str().unwrap().starts_with("calm");
            assert!(!is_calm || archive["verdict"] == "recoverable", "{archive:#}");
        }
    }
    windy.server.clear_up();
    stormy.server.clear_up();
    all_are_recoverable("the calm after the storm", &daemon).await;

    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(!log.contains(calm.server.secret_key()), "{log}");
    assert_eq!(series(&daemon).await, series_before);
    let now = daemon.open_files();
    assert!(now <= files + FILES_TO_SPARE, "{files} files became {now}");
    assert!(daemon.peak_resident_bytes() <= PEAK_MAX);
    assert_eq!(daemon.terminate(LIMIT).await, Some(0));
}
