//! Buckets and objects in memory, ordered by key.
//!
//! Nothing here knows HTTP; tests read and change the store directly while clients talk to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use s3s::crypto::Checksum;
use s3s::crypto::Md5;

use crate::s3::clock::Clock;

/// The objects of one bucket. `String` orders by UTF-8 bytes, as S3 lists.
pub(super) type Objects = BTreeMap<String, Object>;

/// A handle to everything the server holds; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Store {
    buckets: Arc<Mutex<BTreeMap<String, Objects>>>,
    pub(super) clock: Arc<Clock>,
    /// By bucket, after how many days everything is to be deleted.
    lifecycle_days: Arc<Mutex<BTreeMap<String, i32>>>,
}

/// One object; small, so that a million of them fit.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) content: Content,
    pub(super) last_modified: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Arc<Stored>),
    /// Lists with a size and reads as zeros.
    Synthetic {
        size: u64,
    },
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
}

impl Object {
    pub(super) fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(stored) => stored.bytes.len() as u64,
            Content::Synthetic { size } => *size,
        }
    }

    /// The entity tag without its quotes.
    pub(super) fn etag(&self) -> String {
        match &self.content {
            Content::Bytes(stored) => stored.etag.clone(),
            Content::Synthetic { size } => {
                format!("{size:016x}{:016x}", self.last_modified.timestamp_millis())
            }
        }
    }
}

impl Store {
    /// Creates an empty bucket, or leaves the one that exists as it is.
    pub fn create_bucket(&self, bucket: &str) {
        self.lock().entry(bucket.to_owned()).or_default();
    }

    /// Gives the bucket a rule by which everything is deleted after so many days; nothing ever is.
    pub fn set_lifecycle_days(&self, bucket: &str, days: i32) {
        self.lifecycle_days.lock().unwrap().insert(bucket.to_owned(), days);
    }

    pub(super) fn lifecycle_days(&self, bucket: &str) -> Option<i32> {
        self.lifecycle_days.lock().unwrap().get(bucket).copied()
    }

    /// Stores an object as if it had been uploaded now.
    pub fn put(&self, bucket: &str, key: impl Into<String>, bytes: impl Into<Bytes>) {
        self.put_at(bucket, key, bytes, self.clock.now());
    }

    /// Stores an object as if it had been uploaded at that time.
    pub fn put_at(
        &self,
        bucket: &str,
        key: impl Into<String>,
        bytes: impl Into<Bytes>,
        uploaded_at: DateTime<Utc>,
    ) {
        let bytes = bytes.into();
        let etag = md5_hex(&bytes);
        self.insert(bucket, key.into(), Object::stored(bytes, etag, uploaded_at));
    }

    /// Stores objects that list with a size and read as zeros.
    pub fn put_many_synthetic(
        &self,
        bucket: &str,
        objects: impl Iterator<Item = (String, u64, DateTime<Utc>)>,
    ) {
        let mut buckets = self.lock();
        let bucket = buckets.get_mut(bucket).expect("the bucket exists");
        bucket.extend(objects.map(|(key, size, last_modified)| {
            (key, Object { content: Content::Synthetic { size }, last_modified })
        }));
    }

    /// Removes an object, if it is there.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.lock().get_mut(bucket).expect("the bucket exists").remove(key);
    }

    /// All keys that start with the prefix, in the order of S3.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let buckets = self.lock();
        let objects = buckets.get(bucket).expect("the bucket exists");
        let from_prefix = objects.range(prefix.to_owned()..);
        from_prefix.map(|(key, _)| key.clone()).take_while(|key| key.starts_with(prefix)).collect()
    }

    /// The content of an object that was stored with bytes.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        match &self.lock().get(bucket)?.get(key)?.content {
            Content::Bytes(stored) => Some(stored.bytes.clone()),
            Content::Synthetic { .. } => None,
        }
    }

    /// Takes over the buckets of another store.
    pub(super) fn become_like(&self, other: &Self) {
        let buckets = other.lock().clone();
        *self.lock() = buckets;
    }

    pub(super) fn insert(&self, bucket: &str, key: String, object: Object) {
        self.lock().get_mut(bucket).expect("the bucket exists").insert(key, object);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Objects>> {
        self.buckets.lock().unwrap()
    }
}

impl Object {
    pub(super) fn stored(bytes: Bytes, etag: String, last_modified: DateTime<Utc>) -> Self {
        Self { content: Content::Bytes(Arc::new(Stored { bytes, etag })), last_modified }
    }
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::checksum(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
