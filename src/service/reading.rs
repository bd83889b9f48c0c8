//! Reads what archives hold to its last byte, beside the looks: one unit of WAL and one base backup at
//! a time in the whole process, in turn.

mod budget;
mod due;
mod jobs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::assessment::expectations::ContentExpectation;
use crate::assessment::is_content_right;
use crate::config::ContentConfig;
use crate::config::Credentials;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::codec::Bzip2;
use crate::domain::timeline::TimelineId;
use crate::ledger::Ledger;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::publication::wording::bytes;
use crate::service::clock;
use crate::service::reading::budget::Budget;
use crate::service::reading::due::due;
use crate::service::reading::due::is_readable;
use crate::service::reading::jobs::Desk;
use crate::service::reading::jobs::Duty;
use crate::service::reading::jobs::JobOffice;
use crate::service::reading::jobs::Place;
use crate::service::verified::Verified;
use crate::sources::archive::Collector;
use crate::sources::archive::verification::Log;
use crate::sources::archive::verification::Progress;
use crate::sources::archive::verification::Run;
use crate::sources::archive::verification::runs;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::store::metered::ByteRate;
use crate::sources::store::metered::BytesRead;
use crate::sources::store::metered::MeteredStore;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::opening::Access;
use crate::sources::workshop::Workshop;

/// What all readers share.
#[derive(Debug)]
pub struct ReadingRoom {
    config: ContentConfig,
    ledger: Arc<Ledger>,
    /// Not that of the looks, which wait for nobody who reads for hours.
    workshop: Workshop,
    rate: Arc<ByteRate>,
    bytes: Arc<BytesRead>,
    budget: Arc<Budget>,
    /// `None` where the process reads base backups.
    jobs: Option<Arc<JobOffice>>,
    wal: Semaphore,
    backups: Semaphore,
    progress: Arc<Progress>,
}

/// What is there to be read of one archive, as a look saw it.
struct Errand {
    inventory: Inventory,
    runs: Vec<Run>,
    backups: Vec<ObservedBackup>,
}

/// Where a look leaves what is to be read; one errand at a time.
pub struct Reader {
    verified: Arc<Verified>,
    room: Arc<ReadingRoom>,
    /// `None` where the process reads base backups.
    desk: Option<Desk>,
    errands: mpsc::Sender<Errand>,
    reading: JoinHandle<()>,
}

/// Runs of one errand: what is new meanwhile comes before the rest of what is old.
const RUNS_MAX: usize = 16;

/// After a failure the archive waits this long, and each time twice as long: an object may just be
/// replaced, and a store that is down is no better a second later.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(20);

impl ReadingRoom {
    /// `None` where nothing is to be read.
    pub fn open(config: ContentConfig, bzip2: Bzip2) -> anyhow::Result<Option<Self>> {
        if !config.is_on() {
            return Ok(None);
        }
        let ledger = match &config.ledger {
            Some(path) => Ledger::open(path),
            None => Ledger::in_memory(),
        };
        let ledger = Arc::new(ledger.context("open a ledger")?);
        Ok(Some(Self {
            rate: Arc::new(ByteRate::new(config.bytes_per_second_max)),
            bytes: Arc::default(),
            budget: Arc::new(Budget::new(config.bytes_per_month_max, Arc::clone(&ledger))),
            jobs: None,
            config,
            ledger,
            workshop: Workshop::decoding_by(bzip2),
            wal: Semaphore::new(1),
            backups: Semaphore::new(1),
            progress: Arc::default(),
        }))
    }

    /// The same, where Jobs read base backups if that is wanted.
    pub fn with_jobs(
        self,
        kubernetes: Option<&Kubernetes>,
        credentials: &Credentials,
    ) -> anyhow::Result<Self> {
        let Some(config) = self.config.jobs.clone() else { return Ok(self) };
        let kubernetes = kubernetes
            .context("content.base_backups.run_as is job, and there is no way to Kubernetes")?;
        let (bzip2, rate) = (self.workshop.bzip2(), self.config.bytes_per_second_max);
        let office = JobOffice::open(config, kubernetes, credentials, bzip2, rate)?;
        Ok(Self { jobs: Some(Arc::new(office)), ..self })
    }

    /// Where the archive is read by Jobs.
    fn desk(
        &self,
        address: &ArchiveAddress,
        access: &Access,
        verified: &Arc<Verified>,
    ) -> Option<Desk> {
        let office = self.jobs.as_ref()?;
        let (budget, bytes) = (Arc::clone(&self.budget), Arc::clone(&self.bytes));
        // A pod has the credentials of the configuration, and no others.
        let place = (*access == Access::default())
            .then(|| Place::of(address, Arc::clone(verified), budget, bytes))
            .flatten();
        if place.is_none() {
            tracing::info!(
                archive = verified.archive(),
                "base backups of this archive are read by the process: no Job can open it"
            );
        }
        place.map(|place| Desk::open(Arc::clone(office), place))
    }

    /// How much was read since the start.
    pub const fn bytes_read(&self) -> &Arc<BytesRead> {
        &self.bytes
    }

    /// Whether what is read is remembered over a restart; `None` where that is not wanted.
    pub fn is_ledger_writable(&self) -> Option<bool> {
        self.ledger.is_writable()
    }
}

impl Reader {
    /// Begins to read the archive in this store, until it is dropped.
    pub async fn start(
        room: Arc<ReadingRoom>,
        address: &ArchiveAddress,
        access: &Access,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let verified = Verified::load(Arc::clone(&room.ledger), name_of(address)).await;
        let verified = Arc::new(verified);
        let desk = room.desk(address, access, &verified);
        let (rate, bytes) = (Arc::clone(&room.rate), Arc::clone(&room.bytes));
        let store = Arc::new(MeteredStore::new(store, rate, bytes));
        let turns = room.workshop.at(&address.store);
        let collector = Collector::new(store, turns, address.folder());
        let (errands, wanted) = mpsc::channel(1);
        let reading =
            tokio::spawn(read(Arc::clone(&verified), Arc::clone(&room), collector, wanted));
        Self { verified, room, desk, errands, reading }
    }

    /// What may be expected of it.
    pub fn expected(&self) -> ContentExpectation {
        let config = &self.room.config;
        ContentExpectation {
            reads_wal: config.wal,
            base_backups_every: config
                .base_backups_every
                .and_then(|it| TimeDelta::from_std(it).ok()),
            reads_infrequent_backups: config.reads_infrequent_backups,
        }
    }

    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Leaves what is to be read, unless there is enough to do.
    pub fn offer(&self, seen: &Observation, now: DateTime<Utc>) {
        let (Ok(inventory), Ok(backups)) = (&seen.archive, &seen.backups) else { return };
        let backups = self.left_by_jobs(backups, now);
        let Ok(place) = self.errands.try_reserve() else { return };
        let mut wanted = Vec::new();
        if self.expected().reads_wal {
            wanted = runs(inventory, &self.verified.read());
            wanted.truncate(RUNS_MAX);
        }
        if wanted.is_empty() && backups.is_empty() {
            return;
        }
        place.send(Errand { inventory: inventory.clone(), runs: wanted, backups });
    }

    /// The base backups that are to be read by this process.
    fn left_by_jobs(&self, backups: &[ObservedBackup], now: DateTime<Utc>) -> Vec<ObservedBackup> {
        let due = self.due(backups, now);
        let Some(desk) = &self.desk else { return due };
        desk.give(Duty { at: now, due, stored: backups.to_vec() })
    }

    fn due(&self, backups: &[ObservedBackup], now: DateTime<Utc>) -> Vec<ObservedBackup> {
        let expected = self.expected();
        let Some(every) = expected.base_backups_every else { return Vec::new() };
        let is_free =
            |it: &&ObservedBackup| expected.reads_infrequent_backups || !it.is_infrequent();
        let backups: Vec<&ObservedBackup> = backups.iter().filter(is_free).collect();
        let doubted = self.verified.doubted_backups();
        let again = backups.iter().filter(|it| is_readable(it) && doubted.contains(&it.id));
        let again: Vec<ObservedBackup> = again.copied().cloned().collect();
        let due = || due(&backups, &self.verified.backups(), every, now);
        if again.is_empty() { due() } else { again }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Two stores may have a bucket of one name.
fn name_of(address: &ArchiveAddress) -> String {
    match &address.store {
        StoreAddress::S3 { endpoint_url: Some(url), .. } => format!("{address} at {url}"),
        StoreAddress::S3 { endpoint_url: None, .. } | StoreAddress::Directory(_) => {
            address.to_string()
        }
    }
}

async fn read(
    verified: Arc<Verified>,
    room: Arc<ReadingRoom>,
    collector: Collector,
    mut errands: mpsc::Receiver<Errand>,
) {
    let mut ends: BTreeMap<TimelineId, (Run, Log)> = BTreeMap::new();
    let (mut pause, mut is_first) = (PAUSE_FIRST, true);
    while let Some(errand) = errands.recv().await {
        if is_first {
            log_expected(&errand, &verified);
            is_first = false;
        }
        // In a box, as a thousand of them wait.
        let is_read = Box::pin(run_errand(&verified, &room, &collector, errand, &mut ends)).await;
        if is_read {
            pause = PAUSE_FIRST;
        } else {
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }
}

/// Tells whether everything could be read.
async fn run_errand(
    verified: &Verified,
    room: &ReadingRoom,
    collector: &Collector,
    errand: Errand,
    ends: &mut BTreeMap<TimelineId, (Run, Log)>,
) -> bool {
    let Errand { inventory, runs, backups } = errand;
    let mut is_all_read = true;
    for run in runs {
        let Ok(_turn) = room.wal.acquire().await else { return false };
        if !room.budget.allows(stored_bytes(&inventory, run.segments.count()), clock::now()).await {
            break;
        }
        let before = room.bytes.wal();
        // A record that began in the segment before is read as a whole.
        let known = ends.get(&run.timeline);
        let follows = known.filter(|(last, _)| last.segments.last.next() == run.segments.first);
        let mut log = follows.and_then(|(_, log)| log.clone());
        if log.is_none() && verified.is_before(run) {
            log = collector.log_before(&inventory, run).await;
        }
        let report = collector.verify_run(&inventory, run, log, &room.progress).await;
        verified.note_run(&report, clock::now()).await;
        room.budget.spend(room.bytes.wal().saturating_sub(before), clock::now()).await;
        is_all_read &= report.unread.is_empty();
        if let Some((_, unread)) = report.unread.first() {
            tracing::warn!(%unread, "WAL could not be read to its last byte");
            break;
        }
        let is_newest = known.is_none_or(|(last, _)| last.segments.last < run.segments.last);
        if is_newest {
            ends.insert(run.timeline, (run, report.log));
        }
    }
    for backup in backups {
        let Some(info) = backup.parsed_info() else { continue };
        let Ok(_turn) = room.backups.acquire().await else { return false };
        if !room.budget.allows(backup.size_bytes(), clock::now()).await {
            break;
        }
        let before = room.bytes.base();
        let archive = Ok(&inventory);
        let content = collector.verify_backup(&backup, info, archive, &room.progress).await;
        room.budget.spend(room.bytes.base().saturating_sub(before), clock::now()).await;
        let unread = content.tars.iter().find_map(|tar| tar.report.as_ref().err());
        if let Some(unread) = unread.or(content.log_unread.as_ref()) {
            tracing::warn!(%unread, "a base backup could not be read to its last byte");
            is_all_read = false;
            continue;
        }
        let is_whole = is_content_right(&content, info);
        tracing::info!(backup = %backup.id, is_whole, "read a base backup to its last byte");
        let wrong = (!is_whole).then_some(content);
        verified.note_backup(&backup, wrong, clock::now()).await;
    }
    is_all_read
}

/// From the mean size of a segment.
fn stored_bytes(inventory: &Inventory, segments: u64) -> u64 {
    let mean = inventory.size_bytes.checked_div(inventory.object_count).unwrap_or_default();
    segments.saturating_mul(mean)
}

/// What the first pass will cost.
fn log_expected(errand: &Errand, verified: &Verified) {
    let Errand { inventory, backups, .. } = errand;
    let unread = runs(inventory, &verified.read());
    let segments: u64 = unread.iter().map(|run| run.segments.count()).sum();
    let base_bytes = backups.iter().map(ObservedBackup::size_bytes).sum();
    tracing::info!(
        archive = verified.archive(),
        segments,
        wal = bytes(stored_bytes(inventory, segments)),
        base_backups = backups.len(),
        base = bytes(base_bytes),
        "starts reading to the last byte what has not been read yet"
    );
}
