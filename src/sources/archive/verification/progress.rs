//! How far reading has come, for whoever waits for it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Counts objects, and the bytes of them that are stored.
#[derive(Debug, Default)]
pub struct Progress {
    objects: AtomicU64,
    objects_read: AtomicU64,
    bytes: AtomicU64,
    bytes_read: AtomicU64,
}

/// How far it had come at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub objects: u64,
    pub objects_read: u64,
    pub bytes: u64,
    pub bytes_read: u64,
}

impl Progress {
    /// So much is to be read besides.
    pub(super) fn expect(&self, objects: u64, bytes: u64) {
        self.objects.fetch_add(objects, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn note(&self, objects: u64, bytes: u64) {
        self.objects_read.fetch_add(objects, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn mark(&self) -> Mark {
        Mark {
            objects: self.objects.load(Ordering::Relaxed),
            objects_read: self.objects_read.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
        }
    }
}
