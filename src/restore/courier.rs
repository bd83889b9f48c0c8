//! Brings the log to the server that replays it, ahead of its requests.
//!
//! The way is known before, so segments are fetched and decoded while the server replays those before
//! them. Whatever else it asks for is fetched when it asks. Where the log ends is foretold from the
//! same bytes, before the server sees them.

mod requests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream;
use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::domain::segment::SegmentName;
use crate::restore::account::Account;
use crate::restore::delivery::Delivery;
use crate::restore::delivery::Fetched;
use crate::restore::log_file::LogFile;
use crate::restore::trouble::Trouble;
use crate::wal::Replay;
use crate::wal::ReplayEnd;

/// Serves one recovery.
pub(super) struct Courier {
    delivery: Delivery,
    /// The server's data directory, below which it names where files go.
    data: PathBuf,
    account: Account,
    /// In the order in which they are replayed.
    way: Vec<SegmentName>,
    slots: Arc<Semaphore>,
    state: Mutex<State>,
    changed: Notify,
    copies: AtomicU64,
}

#[derive(Default)]
struct State {
    /// How many segments of the way are fetched, or being fetched.
    begun: usize,
    /// Fetched and not asked for yet, by their place on the way.
    ready: BTreeMap<usize, Ready>,
    /// How many of the way were fetched, in order.
    passed: usize,
    /// Reads the log as recovery will; absent while it does.
    replay: Option<Replay>,
    foretold: Option<ReplayEnd>,
    /// Segments behind the way that were there all the same.
    beyond: BTreeSet<SegmentName>,
    troubles: Vec<Trouble>,
    delivered: u64,
}

struct Ready {
    fetched: Fetched,
    _slot: OwnedSemaphorePermit,
}

/// So many are decoded side by side; as many are read at one store at once.
const FETCHED_AT_ONCE: usize = crate::sources::limits::SEGMENTS_OPEN_AT_A_STORE;

/// So many bytes lie ready at most, but for segments so large that two are more.
const READY_BYTES_MAX: u64 = 256 << 20;

impl Courier {
    pub(super) fn new(
        delivery: Delivery,
        data: &Path,
        account: Account,
        way: Vec<SegmentName>,
        segment_bytes: u64,
    ) -> Arc<Self> {
        let slots = READY_BYTES_MAX.checked_div(segment_bytes).unwrap_or_default();
        let slots = usize::try_from(slots).unwrap_or(usize::MAX).clamp(2, 64);
        Arc::new(Self {
            delivery,
            data: data.to_owned(),
            account,
            way,
            slots: Arc::new(Semaphore::new(slots)),
            state: Mutex::default(),
            changed: Notify::new(),
            copies: AtomicU64::new(0),
        })
    }

    /// What the log itself foretells, as far as it was fetched.
    pub(super) fn foretold(&self) -> Option<ReplayEnd> {
        self.state().foretold
    }

    pub(super) fn troubles(&self) -> Vec<Trouble> {
        self.state().troubles.clone()
    }

    /// How many files the server got, and how many the way has.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.state().delivered, u64::try_from(self.way.len()).unwrap_or(u64::MAX))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the way, and reads it as recovery will.
    pub(super) async fn go_ahead(self: Arc<Self>, replay: Replay) {
        let mut replay = Some(replay);
        let fetches = (0..self.way.len()).map(|at| {
            let courier = Arc::clone(&self);
            async move { courier.fetch_ahead(at).await }
        });
        let mut fetches = std::pin::pin!(stream::iter(fetches).buffered(FETCHED_AT_ONCE));
        while let Some((at, slot, fetched)) = fetches.next().await {
            if let (Fetched::File(path), Some(name)) = (&fetched, self.way.get(at)) {
                replay = self.foretell(replay, *name, path).await;
            }
            let mut state = self.state();
            state.passed = at.saturating_add(1);
            // Nobody asks for it if the server is further.
            if let Some(slot) = slot {
                state.ready.insert(at, Ready { fetched, _slot: slot });
            }
            drop(state);
            self.changed.notify_waiters();
        }
        self.state().replay = replay;
    }

    /// What was not read is not foretold, and neither is anything behind it.
    async fn foretell(
        &self,
        replay: Option<Replay>,
        name: SegmentName,
        path: &Path,
    ) -> Option<Replay> {
        let read = read(replay?, name, path.to_owned()).await;
        let replay = read.inspect_err(|error| {
            tracing::warn!(%name, %error, "where recovery will end is not predicted");
        });
        let replay = replay.ok();
        self.state().foretold = replay.as_ref().and_then(Replay::end);
        replay
    }

    /// What came since the archive was listed is replayed as well, and foretold.
    async fn read_beyond(&self, name: SegmentName, path: &Path) {
        let replay = {
            let mut state = self.state();
            let is_new =
                self.way.last().is_some_and(|last| *last < name) && state.beyond.insert(name);
            state.replay.take_if(|_| is_new)
        };
        if let Some(replay) = replay {
            let replay = self.foretell(Some(replay), name, path).await;
            self.state().replay = replay;
        }
    }

    async fn fetch_ahead(&self, at: usize) -> (usize, Option<OwnedSemaphorePermit>, Fetched) {
        // Nobody closes it.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        {
            let mut state = self.state();
            state.begun = state.begun.max(at.saturating_add(1));
        }
        let Some(name) = self.way.get(at) else { return (at, slot, Fetched::Missing) };
        let fetched = self.delivery.fetch(LogFile::Segment(*name), self.next_copy()).await;
        (at, slot, fetched)
    }

    fn next_copy(&self) -> u64 {
        self.copies.fetch_add(1, Ordering::Relaxed)
    }
}

/// Feeds one segment to what foretells the end.
async fn read(mut replay: Replay, name: SegmentName, path: PathBuf) -> io::Result<Replay> {
    let read = spawn_blocking(move || {
        if replay.is_over() {
            return Ok(replay);
        }
        replay.follow(name.timeline);
        let mut file = fs::File::open(&path)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = io::Read::read(&mut file, &mut buffer)?;
            let piece = buffer.get(..count).filter(|piece| !piece.is_empty());
            let Some(piece) = piece else { return Ok(replay) };
            replay.feed(piece);
        }
    });
    read.await.map_err(io::Error::other)?
}
