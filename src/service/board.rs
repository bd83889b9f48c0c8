//! The latest of every archive, and the snapshots that are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::domain::archive_id::ArchiveId;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::snapshot::OrphanSearch;
use crate::publication::snapshot::Snapshot;
use crate::publication::snapshot::WatchedArchive;
use crate::service::clock;
use crate::service::health::Health;
use crate::service::health::Progress;

/// Where every archive posts what came of its looks. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board(watch::Sender<Posted>);

#[derive(Debug, Default)]
struct Posted {
    archives: BTreeMap<ArchiveId, WatchedArchive>,
    /// Whether these are all that there are.
    is_found: bool,
    discovery: Option<DiscoveryState>,
    orphan_search: Option<OrphanSearch>,
}

/// To put a thousand archives together takes a millisecond, so at this distance it stays below a
/// percent of a core; it is shorter than anybody waits for a page.
const PUBLISH_GAP: Duration = Duration::from_millis(200);

impl Board {
    pub(super) fn post(&self, archive: WatchedArchive) {
        self.0.send_modify(|posted| {
            posted.archives.insert(archive.assessment.archive.clone(), archive);
        });
    }

    /// With what was posted last.
    pub(super) fn remove(&self, id: &ArchiveId) -> Option<WatchedArchive> {
        let mut last = None;
        self.0.send_modify(|posted| last = posted.archives.remove(id));
        last
    }

    pub(super) fn note_orphan_search(&self, search: Option<OrphanSearch>) {
        self.0.send_if_modified(|posted| {
            let is_new = posted.orphan_search != search;
            posted.orphan_search = search;
            is_new
        });
    }

    /// All that there are have been posted. Tells whether all have been read.
    pub(super) fn note_discovery(&self, discovery: Option<DiscoveryState>) -> bool {
        self.0.send_if_modified(|posted| {
            let is_new = !posted.is_found || posted.discovery != discovery;
            (posted.is_found, posted.discovery) = (true, discovery);
            is_new
        });
        self.0.borrow().progress() == Progress::Read
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.0.borrow().snapshot()
    }

    /// Publishes what was posted, for ever: at once, but not one snapshot for each of many archives.
    pub async fn publish(self, snapshots: watch::Sender<Arc<Snapshot>>, health: Health) {
        let mut posts = self.0.subscribe();
        while posts.changed().await.is_ok() {
            let progress = self.0.borrow().progress();
            snapshots.send_replace(Arc::new(self.snapshot()));
            health.reached(progress);
            sleep(PUBLISH_GAP).await;
        }
    }
}

impl Posted {
    fn snapshot(&self) -> Snapshot {
        let archives = self.archives.values().cloned().collect();
        let snapshot = Snapshot::new(clock::now(), archives);
        snapshot.discovered(self.discovery.clone()).searched(self.orphan_search.clone())
    }

    fn progress(&self) -> Progress {
        let is_read = self.archives.values().all(|it| it.checks.checks() != 0);
        match (self.is_found, is_read) {
            (false, _) => Progress::Starting,
            (true, false) => Progress::Found,
            (true, true) => Progress::Read,
        }
    }
}
