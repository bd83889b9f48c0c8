//! A storm over thirty archives: faults drawn for every request, writers, retention, restarts.
//!
//! All of it follows from a seed, and a clock that is paused lets hours pass in seconds. A failure
//! names its seed; `BACKUP_VERIFIER_SOAK_SEED` begins with it. `make soak` goes on for
//! `BACKUP_VERIFIER_SOAK_SECONDS`, seed after seed.

mod clock;
mod connector;
pub(crate) mod dice;
mod process;
mod production;
mod weather;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::finding::FindingCode;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::FlagExpectations;
use cnpg_backup_verifier::config::ObjectStoresConfig;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;
use cnpg_backup_verifier::service::board::Board;
use cnpg_backup_verifier::service::clock::now;
use cnpg_backup_verifier::service::fleet::Fleet;
use cnpg_backup_verifier::service::health::Health;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use cnpg_backup_verifier::service::watching;
use cnpg_backup_verifier::service::world::World;
use cnpg_backup_verifier::sources::store::opening::Stores;
use cnpg_backup_verifier::sources::store::requests::Requests;
use cnpg_backup_verifier::sources::store::s3::S3Clients;
use prometheus::Registry;
use test_servers::s3::S3Server;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::scene::KeyFiles;
use crate::storm::clock::Clock;
use crate::storm::connector::InProcess;
use crate::storm::dice::Dice;
use crate::storm::production::Mill;
use crate::storm::production::Production;

const INTERVAL: Duration = Duration::from_mins(1);

/// Every tenth archive is on a server of its own trouble, and a third of them on one without.
const SERVERS: usize = 3;
const ARCHIVES: usize = 30;

/// Of one storm, and of the calm after it.
const STORM_MINUTES: u64 = 30;

/// In minutes, with some to spare.
const BACKUPS_LISTED_WITHIN: u64 = 12;

/// On this server the sun shines.
const CALM: usize = 0;

/// The clock of this one goes wrong in a storm, for minutes at a time.
const ASTRAY: usize = 2;

struct Sea {
    dice: Dice,
    mill: Mill,
    servers: InProcess,
    /// In the order of their numbers.
    hosts: Vec<String>,
    productions: Vec<Production>,
    keys: KeyFiles,
    daemon: Daemon,
    clock: Clock,
    began_at: Instant,
    /// By how much the clock is wrong that goes astray.
    skew: TimeDelta,
}

/// The daemon without HTTP.
struct Daemon {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// How often each archive was looked at, when the step began.
    looks: BTreeMap<String, u64>,
    /// Since it started.
    minutes: u64,
    _stop: watch::Sender<bool>,
    /// Ends with it.
    _tasks: JoinSet<()>,
}

impl Sea {
    async fn new(seed: u64, clock: Clock) -> Self {
        let mut servers = BTreeMap::new();
        let mut hosts = Vec::new();
        let mut keys = None;
        for _ in 0..SERVERS {
            let server = S3Server::start().await.unwrap();
            server.create_bucket(BUCKET);
            keys.get_or_insert_with(|| KeyFiles::of(&server));
            let host = server.endpoint_url().trim_start_matches("http://").to_owned();
            hosts.push(host.clone());
            servers.insert(host, server);
        }
        let (mut mill, began_at) = (Mill::new(), Instant::now());
        let productions = (0..ARCHIVES).map(|number| {
            let host = &hosts[number % SERVERS];
            Production::begin(format!("cluster-{number:02}"), host, &servers[host], &mut mill)
        });
        let productions: Vec<_> = productions.collect();
        let servers = InProcess { servers: Arc::new(servers) };
        let keys = keys.unwrap();
        let daemon = Daemon::start(&servers, &productions, &keys);
        Self {
            dice: Dice::new(seed),
            mill,
            servers,
            hosts,
            productions,
            keys,
            daemon,
            clock,
            began_at,
            skew: TimeDelta::zero(),
        }
    }

    fn server(&self, number: usize) -> &S3Server {
        &self.servers.servers[&self.hosts[number]]
    }

    fn restart(&mut self) {
        self.daemon = Daemon::start(&self.servers, &self.productions, &self.keys);
    }

    async fn storm(&mut self) {
        for number in (0..SERVERS).filter(|number| *number != CALM) {
            let dice = Dice::new(self.dice.roll());
            self.server(number).remember();
            self.server(number).storm(weather::storm(dice));
        }
        for minute in 0..STORM_MINUTES {
            self.minute().await;
            if minute % 10 == 5 {
                let number = if self.dice.below(2) == 0 { 1 } else { 2 };
                self.server(number).remember();
            }
            if self.dice.below(20) == 0 {
                self.restart();
            }
            if self.dice.below(6) == 0 {
                self.skew = weather::skew(&mut self.dice);
            }
        }
        (0..SERVERS).for_each(|number| self.server(number).clear_up());
        self.skew = TimeDelta::zero();
        // The looks that are under way may still have to give up what they met.
        self.pass().await;
        self.pass().await;
        self.check();
        self.check_nothing_is_unknown();
        for _ in 0..BACKUPS_LISTED_WITHIN {
            self.pass().await;
        }
        self.check_all_is_told();
    }

    /// A minute on every clock, but the stores' need not agree with ours to the second.
    async fn pass(&self) {
        let passed = TimeDelta::from_std(self.began_at.elapsed()).unwrap();
        for number in 0..SERVERS {
            let skew = if number == ASTRAY { self.skew } else { TimeDelta::zero() };
            self.server(number).set_clock_offset(passed + skew);
        }
        self.clock.pass(INTERVAL).await;
    }

    async fn minute(&mut self) {
        for production in &mut self.productions {
            let server = &self.servers.servers[&production.host];
            production.step(&mut self.dice, server, &mut self.mill);
        }
        self.pass().await;
        self.daemon.minutes += 1;
        self.check();
        self.daemon.looks =
            self.shown().map(|(it, shown)| (it.folder.clone(), shown.checks.checks())).collect();
    }

    /// Each cluster with what is said of it.
    fn shown(&self) -> impl Iterator<Item = (&Production, WatchedArchive)> {
        let snapshot = self.daemon.snapshots.borrow().clone();
        assert_eq!(snapshot.archives.len(), ARCHIVES);
        let shown: Vec<_> = snapshot.archives.clone();
        self.productions.iter().zip(shown).inspect(|(production, shown)| {
            assert_eq!(production.folder, shown.assessment.archive.cluster);
        })
    }

    /// What holds at every moment.
    fn check(&self) {
        for (production, shown) in self.shown() {
            let (assessment, name) = (&shown.assessment, &production.folder);
            if assessment.verdict == Verdict::Recoverable {
                let newest = newest(assessment);
                assert!(production.is_restorable_at(newest), "{name}: {assessment:#?}");
            }
            if production.host == self.hosts[CALM] && 2 <= self.daemon.minutes {
                let before = self.daemon.looks.get(name).copied().unwrap_or_default();
                assert!(before < shown.checks.checks(), "{name} was not looked at");
                assert_ne!(assessment.verdict, Verdict::Unknown, "{name}: {assessment:#?}");
            }
        }
    }

    /// What holds as soon as nothing is in the way.
    fn check_nothing_is_unknown(&self) {
        for (production, shown) in self.shown() {
            let (assessment, name) = (&shown.assessment, &production.folder);
            assert_ne!(assessment.verdict, Verdict::Unknown, "{name}: {assessment:#?}");
            assert_eq!(newest(assessment), production.newest(), "{name}: {assessment:#?}");
        }
    }

    /// What holds when everything was listed since.
    fn check_all_is_told(&self) {
        for (production, shown) in self.shown() {
            let (assessment, name) = (&shown.assessment, &production.folder);
            let is_recoverable = assessment.verdict == Verdict::Recoverable;
            // A clock that was set back may be doubted for as long as it was set back.
            if production.host == self.hosts[ASTRAY] && is_clock_doubted(assessment) {
                assert!(!is_recoverable, "{name}: {assessment:#?}");
                continue;
            }
            assert_eq!(is_recoverable, production.is_whole(), "{name}: {assessment:#?}");
        }
    }
}

impl Daemon {
    fn start(servers: &InProcess, productions: &[Production], keys: &KeyFiles) -> Self {
        let requests = Requests::register(&Registry::new()).unwrap();
        let clients = S3Clients::new(clock::now, requests).over(servers.clone());
        let world = World {
            reading: None,
            stores: Stores::new(
                clients,
                &keys.config(),
                ObjectStoresConfig::default(),
                Bzip2::Fast,
            ),
            kubernetes: None,
            metrics: OwnMetrics::register().unwrap(),
        };
        let (stop, shutdown) = Shutdown::channel();
        let (sender, snapshots) = watch::channel(Arc::new(Snapshot::empty(now())));
        let (health, board) = (Health::new(shutdown.clone()), Board::default());
        let pace = Pace::new(Polling::List, INTERVAL, 10 * INTERVAL);
        let archives = productions.iter().map(config).collect();
        let fleet = Fleet::new(archives, ExpectationConfig::default(), FlagExpectations::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(board.clone().publish(sender, health));
        tasks.spawn(watching::run(fleet, pace, world, board, shutdown));
        Self { snapshots, looks: BTreeMap::new(), minutes: 0, _stop: stop, _tasks: tasks }
    }
}

fn newest(assessment: &Assessment) -> u64 {
    let size = SegmentSize::new(1 << 20).unwrap();
    assessment.newest_segment.unwrap().name.number(size).unwrap().value()
}

fn is_clock_doubted(assessment: &Assessment) -> bool {
    assessment.findings.iter().any(|it| it.code() == FindingCode::ClockUnreliable)
}

fn config(production: &Production) -> ArchiveConfig {
    let endpoint = format!("http://{}", production.host);
    let mut config = MadeArchive::under(&production.folder).config(Some(endpoint));
    config.id.cluster.clone_from(&production.folder);
    // Time stands still for everything but timers.
    config.expectations.wal_age_max = None;
    config
}

/// Says on the way out of a failure how to see it again.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stdout, reason = "shown with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{SEED}={}", self.0);
        }
    }
}

const SEED: &str = "BACKUP_VERIFIER_SOAK_SEED";
const SECONDS: &str = "BACKUP_VERIFIER_SOAK_SECONDS";

/// One storm by this seed, on a clock that does not wait.
fn sail(seed: u64) {
    let _seed = Seed(seed);
    let (runtime, clock) = clock::runtime();
    runtime.block_on(async { Sea::new(seed, clock).await.storm().await });
}

#[expect(clippy::disallowed_methods, reason = "there is no configuration of tests")]
fn variable(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

#[test]
#[expect(clippy::print_stdout, reason = "somebody may wait for hours")]
fn nothing_is_told_in_a_storm_that_is_not_true() {
    let first = variable(SEED).unwrap_or(1);
    let began_at = clock::outside();
    let lasting = Duration::from_secs(variable(SECONDS).unwrap_or(0));
    for seed in first.. {
        sail(seed);
        println!("seed {seed}: {:.0} s so far", began_at.elapsed().as_secs_f64());
        if lasting <= began_at.elapsed() {
            break;
        }
    }
}
