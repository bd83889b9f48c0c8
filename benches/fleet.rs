//! A thousand archives in one process: memory, CPU time of a poll, a scrape; and what polling
//! them costs.
//!
//! `cargo bench --bench fleet`; takes some minutes, with `-- --quick` less, for shorter archives.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic and print")]
#![expect(clippy::indexing_slicing, reason = "a bench may panic")]

#[path = "../tests/it/made_archive.rs"]
#[expect(dead_code, reason = "only its segments are needed")]
mod made_archive;
#[path = "support/store.rs"]
mod store;
#[path = "support/synthetic.rs"]
#[expect(dead_code, reason = "the daemon itself judges here")]
mod synthetic;
#[path = "support/usage.rs"]
#[expect(dead_code, reason = "there are no other processes here")]
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::FlagExpectations;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::publication::metrics::Build;
use cnpg_backup_verifier::publication::metrics::Format;
use cnpg_backup_verifier::publication::metrics::RenderedMetrics;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::service::archive_spec::ArchiveSpec;
use cnpg_backup_verifier::service::board::Board;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::fleet::Fleet;
use cnpg_backup_verifier::service::health::Health;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use cnpg_backup_verifier::service::watched::Watched;
use cnpg_backup_verifier::service::watching;
use cnpg_backup_verifier::service::world::World;
use cnpg_backup_verifier::sources::limits;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::opening::Stores;
use cnpg_backup_verifier::sources::store::requests::Operation;
use tokio::runtime;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::SyntheticStore;
use crate::synthetic::SEGMENTS;
use crate::synthetic::Synthetic;

const BUILD: Build = Build { version: "0.1.0", revision: "0123abc", rustc: "1.95.0" };

const ARCHIVES: usize = 1_000;
const HOLES: u64 = 100;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    if std::env::args().any(|argument| argument == "--costs") || !is_quick {
        costs(if is_quick { 2 } else { 3 });
    }
    let segments = if is_quick { 20_000 } else { SEGMENTS };
    let mut runtime = runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(limits::WORKER_THREADS).enable_all().build();
    runtime.unwrap().block_on(fleet(segments));
}

fn config(archive: &Synthetic) -> ArchiveConfig {
    let subject = archive.subject();
    ArchiveConfig {
        id: subject.archive,
        address: subject.address.unwrap(),
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig {
            wal_age_max: Some(TimeDelta::minutes(15)),
            uploading_grace: Some(TimeDelta::minutes(10)),
            ..ExpectationConfig::default()
        },
    }
}

/// The daemon without HTTP, over stores that answer from memory.
async fn fleet(segments: u64) {
    println!("{ARCHIVES} archives of {segments} segments with {HOLES} holes and 30 backups each");
    let mut stores: BTreeMap<ArchiveAddress, Arc<dyn ObjectStore>> = BTreeMap::new();
    let mut configured = Vec::new();
    for index in 0..ARCHIVES {
        let newest_at = clock::now();
        let archive = Synthetic { index, newest_at, ..Synthetic::new(segments, HOLES) };
        let config = config(&archive);
        stores.insert(config.address.clone(), Arc::new(SyntheticStore::new(archive)));
        configured.push(config);
    }
    let (sender, mut snapshots) = watch::channel(Arc::new(Snapshot::empty(clock::now())));
    let (_stop, shutdown) = Shutdown::channel();
    let (health, board) = (Health::new(shutdown.clone()), Board::default());
    let world = World {
        reading: None,
        stores: Stores::opened_by(move |address, _| stores[address].clone()),
        kubernetes: None,
        metrics: OwnMetrics::register().unwrap(),
    };
    let pace = Pace::new(Polling::List, Duration::from_secs(1), Duration::from_hours(6));
    report("before the first looks", usage::cpu_seconds(), Instant::now());

    let (cpu_seconds, began_at) = (usage::cpu_seconds(), Instant::now());
    let fleet = Fleet::new(configured, ExpectationConfig::default(), FlagExpectations::default());
    tokio::spawn(board.clone().publish(sender, health));
    let running = tokio::spawn(watching::run(fleet, pace, world, board, shutdown));
    let snapshot = when_looked_at(&mut snapshots, 1).await;
    report("first looks, list all", cpu_seconds, began_at);

    let gaps = snapshot.archives.iter().map(|it| it.assessment.gaps.len()).sum::<usize>();
    assert_eq!(u64::try_from(gaps).unwrap(), HOLES * u64::try_from(ARCHIVES).unwrap());
    let mut rendered = RenderedMetrics::new(BUILD);
    for scrape in ["first scrape", "second scrape"] {
        let (cpu_seconds, began_at) = (usage::cpu_seconds(), Instant::now());
        // As HTTP sends it: the two parts, without a copy.
        let text = rendered.scrape(&snapshot, clock::now(), &[], Format::Text);
        let bytes = text.snapshot.len() + text.own.len();
        report(&format!("{scrape}, {:.1} MB", bytes as f64 / 1e6), cpu_seconds, began_at);
    }
    let looks = least_looks(&snapshot);
    drop(snapshot);

    let (cpu_seconds, began_at) = (usage::cpu_seconds(), Instant::now());
    for poll in 1..=POLLS {
        let snapshot = when_looked_at(&mut snapshots, looks + poll).await;
        rendered.scrape(&snapshot, clock::now(), &[], Format::Text);
    }
    report(&format!("{POLLS} unchanged polls, scraped"), cpu_seconds, began_at);
    running.abort();
}

/// Waits until every archive was looked at so often.
async fn when_looked_at(
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    looks: u64,
) -> Arc<Snapshot> {
    let is_it = |it: &Arc<Snapshot>| it.archives.len() == ARCHIVES && looks <= least_looks(it);
    snapshots.wait_for(is_it).await.unwrap().clone()
}

fn least_looks(snapshot: &Snapshot) -> u64 {
    snapshot.archives.iter().map(|it| it.checks.checks()).min().unwrap()
}

const POLLS: u64 = 10;

fn report(step: &str, cpu_seconds: f64, began_at: Instant) {
    println!(
        "{step:<28} wall {:>8.3} s, CPU {:>8.2} s, RSS {:>6.1} MB, peak {:>6.1} MB",
        began_at.elapsed().as_secs_f64(),
        usage::cpu_seconds() - cpu_seconds,
        usage::resident_bytes() as f64 / 1e6,
        usage::peak_resident_bytes() as f64 / 1e6,
    );
}

/// How fast WAL comes, and how much of it 30 days keep.
const PACES: [(&str, u64, u64); 3] = [("5 minutes", 1, 5), ("minute", 1, 1), ("second", 60, 1)];

/// Plays a week of polls a minute apart, on a clock that does not wait.
fn costs(paces: usize) {
    println!("polled each minute: requests and dollars of 30 days at R2, for one archive");
    println!(
        "{:<8} {:<14} {:>9} {:>9} {:>9} {:>9} {:>10} {:>16}",
        "polling", "a segment a", "objects", "LIST", "HEAD", "GET", "dollars", "1,000 archives"
    );
    for polling in Polling::ALL {
        for (name, segments, minutes) in PACES.into_iter().take(paces) {
            let mut runtime = runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(cost(polling, name, (segments, minutes)));
        }
    }
    println!();
}

async fn cost(polling: Polling, name: &str, (segments, minutes): (u64, u64)) {
    let kept = MONTH_MINUTES * segments / minutes;
    let within_a_week = WEEK_MINUTES * segments / minutes;
    let newest_at = clock::now();
    let archive = Synthetic { newest_at, ..Synthetic::new(kept - within_a_week / 2, 0) };
    let store = Arc::new(SyntheticStore::new(archive));
    let opened = store.clone();
    let stores = Stores::opened_by(move |_, _| opened.clone());
    let pace = Pace::new(polling, Duration::from_mins(1), polling.full_listing_interval());
    let mut watched = Watched::new(ArchiveSpec::from(config(&archive)), &stores, pace);
    look(&mut watched).await;
    store.reset_counts();
    for minute in 1..=WEEK_MINUTES {
        tokio::time::advance(Duration::from_mins(1)).await;
        if minute % minutes == 0 {
            store.grow(segments);
        }
        look(&mut watched).await;
    }
    let month = |week: f64| week * MONTH_MINUTES as f64 / WEEK_MINUTES as f64;
    let count = |operation| month(store.count(operation) as f64);
    let dollars = month(store.dollars());
    println!(
        "{:<8} {name:<14} {kept:>9} {:>9.0} {:>9.0} {:>9.0} {dollars:>10.4} {:>16.2}",
        polling.code(),
        count(Operation::List),
        count(Operation::Head),
        count(Operation::Get),
        dollars * 1_000.0,
    );
}

async fn look(watched: &mut Watched) {
    let assessment = watched.look().await.assessment;
    watched.keep(&assessment);
}

const WEEK_MINUTES: u64 = 7 * 24 * 60;
const MONTH_MINUTES: u64 = 30 * 24 * 60;
