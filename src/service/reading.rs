//! Reads what archives hold to its last byte, beside the looks: one unit of WAL and one base backup at
//! a time in the whole process, in turn.

mod budget;
mod due;
mod errand;
mod jobs;

use std::sync::Arc;

use anyhow::Context;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::assessment::expectations::ContentExpectation;
use crate::config::ContentConfig;
use crate::config::Credentials;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::codec::Bzip2;
use crate::ledger::Ledger;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::service::reading::budget::Budget;
use crate::service::reading::due::due;
use crate::service::reading::due::is_readable;
use crate::service::reading::errand::Errand;
use crate::service::reading::errand::read;
use crate::service::reading::jobs::Desk;
use crate::service::reading::jobs::Duty;
use crate::service::reading::jobs::JobOffice;
use crate::service::reading::jobs::Place;
use crate::service::verified::Verified;
use crate::sources::archive::Collector;
use crate::sources::archive::verification::Progress;
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
        let stored = backups;
        let backups = self.left_by_jobs(stored, now);
        let Ok(place) = self.errands.try_reserve() else { return };
        let mut wanted = Vec::new();
        if self.expected().reads_wal {
            wanted = runs(inventory, &self.verified.read());
            wanted.truncate(RUNS_MAX);
        }
        if wanted.is_empty() && backups.is_empty() {
            return;
        }
        let (inventory, stored) = (inventory.clone(), stored.clone());
        place.send(Errand { inventory, runs: wanted, backups, stored });
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
