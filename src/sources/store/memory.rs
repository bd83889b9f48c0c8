//! An object store in memory, for tests and examples.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use futures::stream;

use crate::domain::object_version::ObjectVersion;
use crate::domain::storage_class::StorageClass;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::limits::BODY_CHUNK_BYTES;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::paging::Pager;

/// Objects by key; shared by reference, changed at any time.
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, Stored>,
    /// Makes a new `ETag` for every write.
    writes: u64,
    clock: StoreClock,
}

#[derive(Clone, Debug)]
struct Stored {
    bytes: Bytes,
    uploaded_at: DateTime<Utc>,
    write: u64,
    /// As it is listed, and as a HEAD tells.
    classes: [StorageClass; 2],
}

impl MemoryStore {
    /// Stores an object as uploaded at the start of 1970.
    pub fn put(&self, key: impl Into<String>, bytes: impl Into<Bytes>) {
        self.put_at(key, bytes, DateTime::UNIX_EPOCH);
    }

    pub fn put_at(
        &self,
        key: impl Into<String>,
        bytes: impl Into<Bytes>,
        uploaded_at: DateTime<Utc>,
    ) {
        let mut contents = self.contents();
        contents.writes = contents.writes.saturating_add(1);
        let classes = [StorageClass::default(); 2];
        let stored = Stored { bytes: bytes.into(), uploaded_at, write: contents.writes, classes };
        contents.objects.insert(key.into(), stored);
    }

    /// Says whether there is one.
    pub fn set_class(&self, key: &str, listed: StorageClass, told: StorageClass) -> bool {
        let mut contents = self.contents();
        let stored = contents.objects.get_mut(key);
        stored.map(|stored| stored.classes = [listed, told]).is_some()
    }

    /// Says whether there was one.
    pub fn remove(&self, key: &str) -> bool {
        self.contents().objects.remove(key).is_some()
    }

    pub fn keys(&self) -> Vec<String> {
        self.contents().objects.keys().cloned().collect()
    }

    /// What [`ObjectStore::clock`] answers from now on.
    pub fn set_clock(&self, clock: StoreClock) {
        self.contents().clock = clock;
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &str) -> Result<Stored, StoreError> {
        let found = self.contents().objects.get(key).cloned();
        found.ok_or_else(|| StoreError::new(StoreErrorKind::NoSuchKey, format!("`{key}`")))
    }
}

impl Stored {
    fn listed(&self, key: &str) -> ListedObject {
        let size = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        ListedObject {
            key: key.to_owned(),
            version: ObjectVersion::new(format!("\"{:032x}\"", self.write), size),
            class: self.classes[0],
            uploaded_at: self.uploaded_at,
        }
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        let mut pager = Pager::new(request)?;
        let contents = self.contents();
        let first = pager.first_key().to_owned();
        let from_first = (Bound::Included(first.as_str()), Bound::Unbounded);
        for (key, stored) in contents.objects.range::<str, _>(from_first) {
            if !key.starts_with(request.prefix)
                || pager.offer(key, || Ok(Some(stored.listed(key))))?.is_break()
            {
                break;
            }
        }
        Ok(pager.finish())
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        let stored = self.find(key)?;
        let version = stored.listed(key).version;
        let from_byte = usize::try_from(from).unwrap_or(usize::MAX).min(stored.bytes.len());
        let starts = (from_byte..stored.bytes.len()).step_by(BODY_CHUNK_BYTES);
        let chunks = starts.map(move |start| {
            let end = start.saturating_add(BODY_CHUNK_BYTES).min(stored.bytes.len());
            Ok(stored.bytes.slice(start..end))
        });
        Body::new(key, from, expected, version, stream::iter(chunks))
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        let stored = self.find(key)?;
        Ok(ListedObject { class: stored.classes[1], ..stored.listed(key) })
    }

    fn clock(&self) -> StoreClock {
        self.contents().clock
    }
}
