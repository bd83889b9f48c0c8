//! Archives that are watched side by side, where some stores answer and others never do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::ArchiveConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::FlagExpectations;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;
use cnpg_backup_verifier::publication::view::View;
use cnpg_backup_verifier::service::board::Board;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::fleet::Fleet;
use cnpg_backup_verifier::service::health::Health;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use cnpg_backup_verifier::service::watching;
use cnpg_backup_verifier::service::world::World;
use cnpg_backup_verifier::sources::limits;
use cnpg_backup_verifier::sources::store::body::Body;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::object_store::ListPage;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::opening::Stores;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep;

use crate::made_archive::MadeArchive;
use crate::scene::codes;

const MINUTE: Duration = Duration::from_mins(1);
const HUNG: &str = "hung";

/// Never answers.
struct Hanging;

#[async_trait]
impl ObjectStore for Hanging {
    async fn list_page(&self, _: ListRequest<'_>) -> Result<ListPage, StoreError> {
        std::future::pending().await
    }

    async fn open(&self, _: &str, _: u64, _: Option<&ObjectVersion>) -> Result<Body, StoreError> {
        std::future::pending().await
    }

    async fn head(&self, _: &str) -> Result<ListedObject, StoreError> {
        std::future::pending().await
    }

    fn clock(&self) -> StoreClock {
        StoreClock::default()
    }
}

/// The daemon without HTTP, on a clock that does not wait.
struct Daemon {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    health: Health,
    _stop: watch::Sender<bool>,
}

impl Daemon {
    /// Watches so many archives in a store that hangs, and so many healthy ones in one that answers.
    fn start(hung: usize, healthy: usize) -> Self {
        let archive = MadeArchive::healthy(40);
        let named = |bucket: &str, number: usize| {
            let mut config: ArchiveConfig = archive.config(None);
            config.id.cluster = format!("{bucket}-{number}");
            config.address.store = StoreAddress::S3 {
                bucket: bucket.to_owned(),
                endpoint_url: None,
                region: "auto".to_owned(),
            };
            config
        };
        let archives = (0..hung).map(|number| named(HUNG, number));
        let archives = archives.chain((0..healthy).map(|number| named("healthy", number)));
        let archives = archives.collect();
        let memory: Arc<dyn ObjectStore> = Arc::new(archive.in_memory());
        let open = move |address: &ArchiveAddress, _: &_| match &address.store {
            StoreAddress::S3 { bucket, .. } if bucket == HUNG => Arc::new(Hanging),
            StoreAddress::S3 { .. } | StoreAddress::Directory(_) => Arc::clone(&memory),
        };
        let world = World {
            reading: None,
            stores: Stores::opened_by(open),
            kubernetes: None,
            metrics: OwnMetrics::register().unwrap(),
        };
        let (stop, shutdown) = Shutdown::channel();
        let (sender, snapshots) = watch::channel(Arc::new(Snapshot::empty(clock::now())));
        let (health, board) = (Health::new(shutdown.clone()), Board::default());
        let pace = Pace::new(Polling::List, MINUTE, 60 * MINUTE);
        let fleet = Fleet::new(archives, ExpectationConfig::default(), FlagExpectations::default());
        tokio::spawn(board.clone().publish(sender, health.clone()));
        tokio::spawn(watching::run(fleet, pace, world, board, shutdown));
        Self { snapshots, health, _stop: stop }
    }

    fn shown(&self, bucket: &str) -> Vec<WatchedArchive> {
        let snapshot = self.snapshots.borrow().clone();
        let named = |it: &&WatchedArchive| it.assessment.archive.cluster.starts_with(bucket);
        snapshot.archives.iter().filter(named).cloned().collect()
    }

    fn verdicts(&self, bucket: &str) -> Vec<Verdict> {
        self.shown(bucket).iter().map(|it| it.assessment.verdict).collect()
    }

    fn looks(&self, bucket: &str) -> Vec<u64> {
        self.shown(bucket).iter().map(|it| it.checks.checks()).collect()
    }

    fn is_ready(&self) -> bool {
        self.health.readiness().iter().all(|part| part.problem.is_none())
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_no_other_archive() {
    for hung in [1, limits::LOOKS_AT_A_STORE + 4] {
        let daemon = Daemon::start(hung, 4);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(daemon.verdicts("healthy"), [Verdict::Recoverable; 4]);
        assert_eq!(daemon.looks("healthy"), [1; 4]);
        for minutes in 2..=10 {
            sleep(MINUTE).await;
            assert_eq!(daemon.looks("healthy"), [minutes; 4]);
        }
        assert_eq!(daemon.looks(HUNG), vec![0; hung]);
        sleep(limits::ARCHIVE_READ).await;
        let given_up = daemon.looks(HUNG).iter().filter(|looks| **looks == 1).count();
        assert_eq!(given_up, hung.min(limits::COMPLETE_LISTINGS_AT_A_STORE));
        assert_eq!(daemon.verdicts(HUNG), vec![Verdict::Unknown; hung]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_was_never_read_is_unknown_and_says_why() {
    let daemon = Daemon::start(1, 1);
    sleep(Duration::from_secs(5)).await;
    let hung = &daemon.shown(HUNG)[0];
    assert_eq!((hung.assessment.verdict, hung.assessment.observed_at), (Verdict::Unknown, None));
    assert_eq!(codes(&hung.assessment), ["store_unreachable"]);
    let said = hung.assessment.findings[0].to_string();
    assert!(said.contains("no check of it has finished yet"), "{said}");
    // Nobody knows whether its store answers.
    let snapshot = daemon.snapshots.borrow().clone();
    assert_eq!(snapshot.stores.len(), 1, "{:?}", snapshot.stores);
    assert_eq!(View::new(&snapshot, clock::now()).verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn the_daemon_is_ready_when_all_were_read_or_after_a_minute() {
    let began_at = Instant::now();
    let daemon = Daemon::start(0, 4);
    sleep(Duration::from_secs(5)).await;
    assert!(daemon.is_ready());
    let daemon = Daemon::start(1, 4);
    sleep(Duration::from_secs(50)).await;
    assert!(!daemon.is_ready());
    sleep(Duration::from_secs(20)).await;
    assert!(daemon.is_ready(), "{:?}", began_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn many_results_make_few_snapshots() {
    let mut daemon = Daemon::start(0, 200);
    let mut snapshots = 0;
    while daemon.looks("healthy") != [1; 200] {
        daemon.snapshots.changed().await.unwrap();
        snapshots += 1;
    }
    // Begun over four seconds, and five snapshots a second.
    assert!((15..=25).contains(&snapshots), "{snapshots}");
}
