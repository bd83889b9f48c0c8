//! Brings the log to the server that replays it, ahead of its requests.
//!
//! The way is known before, so segments are fetched and decoded while the server replays those before
//! them. Whatever else it asks for is fetched when it asks. Where the log ends is foretold from the
//! same bytes, before the server sees them.

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
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::domain::segment::SegmentName;
use crate::restore::account::Account;
use crate::restore::delivery::Delivery;
use crate::restore::delivery::Fetched;
use crate::restore::delivery::LogFile;
use crate::restore::wal_request::Reply;
use crate::sources::store::error::StoreError;
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

/// A file that could not be delivered though the way leads over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Missing(String),
    Undecodable(String, String),
    Unread(String, StoreError),
    Unwritten(String),
}

/// Longer than a name and a path below `pg_wal`.
const REQUEST_BYTES_MAX: u64 = 1024;

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

    /// Answers requests for as long as it is polled.
    pub(super) async fn listen(self: Arc<Self>, listener: UnixListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let courier = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = courier.serve(stream).await {
                    tracing::warn!(%error, "a request of the server was not answered");
                }
            });
        }
    }

    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        (&mut stream).take(REQUEST_BYTES_MAX).read_line(&mut line).await?;
        let reply = match line.trim_end_matches('\n').split_once('\t') {
            Some((name, path)) => self.answer(name, path).await,
            None => Reply::Unread("the request is not understood".to_owned()),
        };
        stream.write_all(reply.line().as_bytes()).await?;
        stream.shutdown().await
    }

    async fn answer(&self, name: &str, path: &str) -> Reply {
        // The server names no other place (`RestoreArchivedFile` in `xlogarchive.c`).
        if !matches!(path, "pg_wal/RECOVERYXLOG" | "pg_wal/RECOVERYHISTORY") {
            return Reply::Unread(format!("{path:?} is not a path for a WAL file"));
        }
        let Some(file) = LogFile::parse(name) else { return Reply::Missing };
        let fetched = match self.prepared(file).await {
            Some(fetched) => fetched,
            None => {
                let fetched = self.delivery.fetch(file, self.next_copy()).await;
                if let (LogFile::Segment(name), Fetched::File(path)) = (file, &fetched) {
                    self.read_beyond(name, path).await;
                }
                fetched
            }
        };
        let to = self.data.join(path);
        let reply = self.hand_over(file, fetched, &to);
        if reply == Reply::Delivered && matches!(file, LogFile::Segment(_)) {
            let mut state = self.state();
            state.delivered = state.delivered.saturating_add(1);
        }
        reply
    }

    /// The segment, if it was fetched ahead; waits for one that is on its way.
    async fn prepared(&self, file: LogFile) -> Option<Fetched> {
        let LogFile::Segment(name) = file else { return None };
        let at = self.way.iter().position(|it| *it == name)?;
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if let Some(ready) = state.ready.remove(&at) {
                    // The server is past what lies before it.
                    let stale = state.ready.split_off(&at);
                    let stale = std::mem::replace(&mut state.ready, stale);
                    drop(state);
                    stale.into_values().for_each(|it| discard(&it.fetched));
                    return Some(ready.fetched);
                }
                if at < state.passed || state.begun <= at {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn hand_over(&self, file: LogFile, fetched: Fetched, to: &Path) -> Reply {
        let is_on_way = matches!(file, LogFile::Segment(name) if self.way.contains(&name));
        match fetched {
            Fetched::File(path) => {
                let given = self.account.give(&path).and_then(|()| fs::rename(&path, to));
                match given {
                    Ok(()) => Reply::Delivered,
                    Err(error) => self.unwritten(&error),
                }
            }
            Fetched::Missing => {
                if is_on_way {
                    self.note(Trouble::Missing(file.to_string()));
                }
                Reply::Missing
            }
            Fetched::Undecodable(why) => {
                tracing::warn!(%file, why, "the file cannot be decoded; it counts as missing");
                self.note(Trouble::Undecodable(file.to_string(), why));
                Reply::Missing
            }
            Fetched::Unread(error) => {
                let why = error.to_string();
                self.note(Trouble::Unread(file.to_string(), error));
                Reply::Unread(why)
            }
            Fetched::Unwritten(error) => self.unwritten(&error),
        }
    }

    fn unwritten(&self, error: &io::Error) -> Reply {
        self.note(Trouble::Unwritten(error.to_string()));
        Reply::Unread(format!("the file cannot be written: {error}"))
    }

    fn note(&self, trouble: Trouble) {
        let mut state = self.state();
        if state.troubles.len() < 100 && !state.troubles.contains(&trouble) {
            state.troubles.push(trouble);
        }
    }
}

/// Nobody asks for it any more.
fn discard(fetched: &Fetched) {
    if let Fetched::File(path) = fetched {
        // The whole directory goes at the end.
        let _ = fs::remove_file(path);
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
