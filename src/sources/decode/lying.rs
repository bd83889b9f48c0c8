//! What lies in a file, as decoders read it on their own thread, and how others see that it goes on.

use std::io;
use std::io::BufRead;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::sources::limits;
use crate::sources::store::body::Lying;
use crate::sources::store::error::StoreError;

/// Who waits for a reader. Once it is dropped, the reader ends.
#[derive(Debug, Default)]
pub(super) struct Watch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Calls that began and calls that ended, together: it is odd while the reader waits for an answer.
    steps: AtomicU64,
    is_over: AtomicBool,
}

/// A body of which each call is seen.
pub(super) struct Watched {
    file: Lying,
    piece: Vec<u8>,
    /// So much of the piece was taken.
    at: usize,
    failure: Option<StoreError>,
    shared: Arc<Shared>,
}

impl Watch {
    /// The call that the reader waits for.
    pub(super) fn call(&self) -> Option<u64> {
        Some(self.0.steps.load(Ordering::Relaxed)).filter(|steps| steps % 2 == 1)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Watched {
    pub(super) fn new(file: Lying, watch: &Watch) -> Self {
        let piece = Vec::with_capacity(limits::FILE_PIECE_BYTES);
        Self { file, piece, at: 0, failure: None, shared: Arc::clone(&watch.0) }
    }

    /// Why reading broke off: then the decoder saw an end that means nothing.
    pub(super) fn failure(self) -> Option<StoreError> {
        self.failure
    }

    fn next(&mut self) -> io::Result<()> {
        if self.shared.is_over.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.at = 0;
        self.shared.steps.fetch_add(1, Ordering::Relaxed);
        let read = self.file.read(&mut self.piece);
        self.shared.steps.fetch_add(1, Ordering::Relaxed);
        read.map_err(|error| {
            self.piece.clear();
            let told = io::Error::other(error.to_string());
            self.failure = Some(error);
            told
        })
    }
}

impl BufRead for Watched {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.len() <= self.at {
            self.next()?;
        }
        Ok(self.piece.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.piece.len());
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
