//! Watches every archive that there is, each in a task of its own and on its own clock: one that
//! hangs holds up no other.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;

use crate::domain::archive_id::ArchiveId;
use crate::execution;
use crate::publication::events;
use crate::publication::snapshot::CheckCounts;
use crate::publication::snapshot::WatchedArchive;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::board::Board;
use crate::service::check_log::log_check;
use crate::service::clock;
use crate::service::fleet::Fleet;
use crate::service::orphans::Left;
use crate::service::orphans::Outcome;
use crate::service::orphans::search;
use crate::service::pace::Pace;
use crate::service::shutdown::Shutdown;
use crate::service::spending::Spending;
use crate::service::watched::Look;
use crate::service::watched::Watched;
use crate::service::world::World;
use crate::sources::kubernetes::Kubernetes;

/// How long the first looks wait for the first lists of Kubernetes. What comes later is watched
/// from then on.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(20);

/// Between the first looks at two archives that were found together: a thousand begin within a
/// third of a minute's poll.
const START_GAP: Duration = Duration::from_millis(20);

/// Runs until shutdown is requested, which also ends looks that have begun: reads can be dropped.
pub async fn run(fleet: Fleet, pace: Pace, world: World, board: Board, mut shutdown: Shutdown) {
    let tasks = Tasks { running: BTreeMap::new(), pace, world: Arc::new(world), board };
    tokio::select! {
        () = tasks.follow(fleet) => {}
        () = shutdown.requested() => {}
    }
}

struct Tasks {
    running: BTreeMap<ArchiveId, Task>,
    pace: Pace,
    world: Arc<World>,
    board: Board,
}

/// Ends when it is dropped.
struct Task {
    spec: watch::Sender<Arc<ArchiveSpec>>,
    handle: JoinHandle<()>,
}

impl Tasks {
    /// Compares what is watched with what there is, again and again.
    async fn follow(mut self, mut fleet: Fleet) {
        let world = Arc::clone(&self.world);
        let mut spending = Spending::default();
        if let Some(kubernetes) = &world.kubernetes {
            kubernetes.first_look(FIRST_LOOK_MAX).await;
        }
        let mut period = every(self.pace.looks_every, Instant::now());
        let mut searches = JoinSet::new();
        loop {
            tokio::select! {
                _ = period.tick() => {}
                Some(found) = searches.join_next() => note_orphans(&mut fleet, found),
            }
            if let Some(kubernetes) = &world.kubernetes {
                let left = fleet.refresh(kubernetes, clock::now()).await;
                tell_left(kubernetes, left).await;
            }
            if searches.is_empty() {
                let (world, errands) = (Arc::clone(&world), fleet.orphans_mut().errands());
                if !errands.is_empty() {
                    searches.spawn(async move { search(&world.stores, errands).await });
                }
            }
            self.update(&[fleet.specs(), &fleet.orphans().specs()].concat()).await;
            self.board.note_orphan_search(fleet.orphans().search_state());
            if self.board.note_discovery(fleet.discovery()) {
                world.metrics.note_monthly_cost(&mut spending);
            }
            if let Some(room) = &world.reading {
                world.metrics.note_reading(room);
            }
        }
    }

    /// What was read of an archive stays, unless it is another one now, or another key to it.
    async fn update(&mut self, specs: &[Arc<ArchiveSpec>]) {
        let mut new: BTreeMap<&ArchiveId, &Arc<ArchiveSpec>> =
            specs.iter().map(|spec| (&spec.id, spec)).collect();
        let mut left = BTreeMap::new();
        for (id, task) in std::mem::take(&mut self.running) {
            match new.get(&id) {
                Some(spec) if task.watches(spec) => {
                    task.spec.send_replace(Arc::clone(spec));
                    new.remove(&id);
                    self.running.insert(id, task);
                }
                Some(_) | None => {
                    let address = task.spec.borrow().address.clone();
                    task.end().await;
                    left.extend(address.zip(self.board.remove(&id)));
                }
            }
        }
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        let gap = START_GAP.min(self.pace.looks_every / count.max(1));
        let mut first_at = Instant::now();
        for (id, spec) in new {
            let before = spec.address.as_ref().and_then(|address| left.remove(address));
            self.running.insert(id.clone(), self.start(spec, first_at, before));
            first_at += gap;
        }
    }

    /// `before` is what was known of it while it had a cluster.
    fn start(
        &self,
        spec: &Arc<ArchiveSpec>,
        first_at: Instant,
        before: Option<WatchedArchive>,
    ) -> Task {
        let (world, board) = (Arc::clone(&self.world), self.board.clone());
        let pace = if spec.orphan.is_some() { Pace::of_orphans() } else { self.pace };
        let mut watched = Watched::new(Arc::clone(spec), &world.stores, pace);
        let known = match before.zip(spec.orphan.as_ref()) {
            Some((before, orphan)) => {
                let known = before.assessment.left_behind(&spec.subject(), orphan);
                let known = Arc::new(known);
                watched.keep(&known);
                known
            }
            None => Arc::new(watched.not_read_yet()),
        };
        board.post(WatchedArchive::new(known, CheckCounts::default()));
        let (sender, specs) = watch::channel(Arc::clone(spec));
        let period = every(pace.looks_every, first_at);
        Task { spec: sender, handle: tokio::spawn(look(watched, specs, period, world, board)) }
    }
}

/// Looks at one archive again and again, and tells at once what came of it.
async fn look(
    mut watched: Watched,
    specs: watch::Receiver<Arc<ArchiveSpec>>,
    mut period: Interval,
    world: Arc<World>,
    board: Board,
) {
    let mut checks = CheckCounts::default();
    // Nobody lives on an orphan.
    if let (Some(room), None) = (&world.reading, &watched.spec.orphan) {
        watched.read_in(room, &world.stores).await;
    }
    loop {
        period.tick().await;
        watched.spec.clone_from(&specs.borrow());
        // In a box, as a thousand tasks that wait would each keep what a look takes.
        let Look { assessment, events, duration } = Box::pin(watched.look()).await;
        world.metrics.observe_check(duration);
        log_check(watched.latest().map(Arc::as_ref), &assessment, duration);
        checks.count(assessment.unreadable);
        watched.keep(&assessment);
        board.post(WatchedArchive::new(assessment, checks));
        if let (Some(kubernetes), Some(cluster)) = (&world.kubernetes, &watched.spec.cluster) {
            let (id, uid) = (&cluster.id, &cluster.uid);
            execution::events::write(kubernetes, id, uid, events, clock::now()).await;
        }
    }
}

fn note_orphans(fleet: &mut Fleet, found: Result<Vec<Outcome>, JoinError>) {
    match found {
        Ok(found) => fleet.orphans_mut().note(found),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => {}
    }
}

async fn tell_left(kubernetes: &Kubernetes, left: Vec<Left>) {
    for Left { cluster, uid, address } in left {
        let events = vec![events::orphaned(&address)];
        execution::events::write(kubernetes, &cluster, &uid, events, clock::now()).await;
    }
}

fn every(interval: Duration, first_at: Instant) -> Interval {
    let mut period = interval_at(first_at, interval);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    period
}

impl Task {
    fn watches(&self, spec: &ArchiveSpec) -> bool {
        let known = self.spec.borrow();
        !self.handle.is_finished() && known.address == spec.address && known.access == spec.access
    }

    /// Nothing is posted by it any more.
    async fn end(mut self) {
        self.handle.abort();
        match (&mut self.handle).await {
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Ok(()) | Err(_) => {}
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ArchiveConfig;
    use crate::config::ExpectationConfig;
    use crate::config::Polling;
    use crate::domain::archive_id::ArchiveAddress;
    use crate::domain::archive_id::StoreAddress;
    use crate::domain::orphan::Orphan;
    use crate::service::own_metrics::OwnMetrics;
    use crate::sources::store::memory::MemoryStore;
    use crate::sources::store::opening::Stores;

    const MINUTE: Duration = Duration::from_mins(1);

    fn spec(cluster: &str, bucket: &str) -> Arc<ArchiveSpec> {
        let id = ArchiveId {
            namespace: "databases".to_owned(),
            cluster: cluster.to_owned(),
            server_name: cluster.to_owned(),
        };
        let store = StoreAddress::S3 {
            bucket: bucket.to_owned(),
            endpoint_url: None,
            region: "auto".to_owned(),
        };
        let server_name = cluster.to_owned();
        let address = ArchiveAddress { store, prefix: String::new(), server_name };
        Arc::new(ArchiveSpec::from(ArchiveConfig {
            id,
            address,
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig::default(),
        }))
    }

    fn tasks() -> Tasks {
        let world = Arc::new(World {
            stores: Stores::opened_by(|_, _| Arc::new(MemoryStore::default())),
            kubernetes: None,
            reading: None,
            metrics: OwnMetrics::register().unwrap(),
        });
        let pace = Pace::new(Polling::List, MINUTE, 60 * MINUTE);
        Tasks { running: BTreeMap::new(), pace, world, board: Board::default() }
    }

    /// Each cluster with the number of looks at it.
    fn looks(tasks: &Tasks) -> Vec<(String, u64)> {
        let archives = tasks.board.snapshot().archives.into_iter();
        archives.map(|it| (it.assessment.archive.cluster.clone(), it.checks.checks())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn archives_come_and_go_and_keep_what_was_read() {
        let mut tasks = tasks();
        tasks.update(&[spec("one", "a"), spec("two", "a")]).await;
        assert_eq!(looks(&tasks), [("one".to_owned(), 0), ("two".to_owned(), 0)]);
        tokio::time::sleep(MINUTE / 2).await;
        tasks.update(&[spec("three", "a"), spec("two", "a")]).await;
        assert_eq!(looks(&tasks), [("three".to_owned(), 0), ("two".to_owned(), 1)]);
        tokio::time::sleep(MINUTE * 3 / 4).await;
        assert_eq!(looks(&tasks), [("three".to_owned(), 1), ("two".to_owned(), 2)]);
    }

    /// The store holds nothing any more when it is looked at: what is shown is what was known.
    #[tokio::test(start_paused = true)]
    async fn what_was_known_of_an_archive_is_shown_on_when_its_cluster_is_deleted() {
        let mut tasks = tasks();
        let owned = spec("one", "a");
        tasks.update(&[Arc::clone(&owned)]).await;
        tokio::time::sleep(MINUTE / 2).await;
        let known = tasks.board.snapshot().archives.remove(0).assessment;
        assert!(known.observed_at.is_some(), "{known:?}");
        let id = ArchiveId { cluster: String::new(), ..owned.id.clone() };
        let orphan = Some(Orphan::default());
        let orphaned = Arc::new(ArchiveSpec { id: id.clone(), orphan, ..(*owned).clone() });
        tasks.update(&[orphaned]).await;
        let shown = tasks.board.snapshot().archives.remove(0);
        assert_eq!((&shown.assessment.archive, shown.checks.checks()), (&id, 0));
        assert_eq!(shown.assessment.observed_at, known.observed_at);
        assert!(shown.assessment.orphan.is_some());
        // At its own pace.
        tokio::time::sleep(59 * MINUTE).await;
        assert_eq!(looks(&tasks), [(String::new(), 1)]);
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(looks(&tasks), [(String::new(), 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_archive_under_the_same_name_starts_from_nothing() {
        let mut tasks = tasks();
        tasks.update(&[spec("one", "a")]).await;
        tokio::time::sleep(MINUTE / 2).await;
        tasks.update(&[spec("one", "b")]).await;
        assert_eq!(looks(&tasks), [("one".to_owned(), 0)]);
        tokio::time::sleep(MINUTE / 2).await;
        assert_eq!(looks(&tasks), [("one".to_owned(), 1)]);
    }
}
