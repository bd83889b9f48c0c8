//! A store of which bodies are counted, and read no faster than somebody allows.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::domain::object_version::ObjectVersion;
use crate::observation::expiry::ExpiryRule;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;

/// So many bytes a second, for all that share it.
#[derive(Debug)]
pub struct ByteRate {
    per_second: u64,
    /// When what was taken so far has been paid for.
    paid_at: Mutex<Instant>,
}

/// How much was read, in stored bytes.
#[derive(Debug, Default)]
pub struct BytesRead {
    base: AtomicU64,
    wal: AtomicU64,
}

/// Reads bodies at a rate.
pub struct MeteredStore {
    inner: Arc<dyn ObjectStore>,
    rate: Arc<ByteRate>,
    read: Arc<BytesRead>,
}

impl BytesRead {
    fn of(&self, key: &str) -> &AtomicU64 {
        if key.contains("/base/") { &self.base } else { &self.wal }
    }

    /// So much of base backups was read elsewhere.
    pub fn note_base(&self, bytes: u64) {
        self.base.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn base(&self) -> u64 {
        self.base.load(Ordering::Relaxed)
    }

    pub fn wal(&self) -> u64 {
        self.wal.load(Ordering::Relaxed)
    }
}

impl ByteRate {
    pub fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), paid_at: Mutex::new(Instant::now()) }
    }

    /// Waits until these bytes are paid for.
    async fn pay(&self, bytes: u64) {
        let nanos = u128::from(bytes).saturating_mul(1_000_000_000);
        let nanos = nanos.checked_div(u128::from(self.per_second)).unwrap_or_default();
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let paid_at = {
            let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
            let begins_at = (*paid_at).max(Instant::now());
            // Beyond any clock it is as late as can be told.
            *paid_at = begins_at.checked_add(takes).unwrap_or(begins_at);
            *paid_at
        };
        sleep_until(paid_at).await;
    }
}

impl MeteredStore {
    pub fn new(inner: Arc<dyn ObjectStore>, rate: Arc<ByteRate>, read: Arc<BytesRead>) -> Self {
        Self { inner, rate, read }
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        self.inner.list_page(request).await
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        let body = self.inner.open(key, from, expected).await?;
        let version = body.version().clone();
        let (rate, read, name) = (Arc::clone(&self.rate), Arc::clone(&self.read), key.to_owned());
        let state = (body, rate, read, name);
        let chunks = stream::try_unfold(state, async |(mut body, rate, read, name)| {
            let Some(chunk): Option<Bytes> = body.next().await? else { return Ok(None) };
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            read.of(&name).fetch_add(bytes, Ordering::Relaxed);
            rate.pay(bytes).await;
            Ok(Some((chunk, (body, rate, read, name))))
        });
        Body::new(key, from, None, version, chunks)
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.inner.head(key).await
    }

    async fn expiry_rules(&self) -> Option<Vec<ExpiryRule>> {
        self.inner.expiry_rules().await
    }

    fn clock(&self) -> StoreClock {
        self.inner.clock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::store::memory::MemoryStore;
    use crate::sources::store::object_store::read_whole;

    #[tokio::test(start_paused = true)]
    async fn what_is_read_side_by_side_shares_the_rate() {
        let memory = MemoryStore::default();
        memory.put("key", vec![7; 1 << 20]);
        let bytes_read = Arc::<BytesRead>::default();
        let rate = Arc::new(ByteRate::new(1 << 20));
        let store = MeteredStore::new(Arc::new(memory), rate, Arc::clone(&bytes_read));
        let began_at = Instant::now();
        let read = || read_whole(&store, "key", u64::MAX);
        let (one, other) = tokio::join!(read(), read());
        assert_eq!((one.unwrap().len(), other.unwrap().len()), (1 << 20, 1 << 20));
        let took = began_at.elapsed().as_secs_f64();
        assert!((1.9..2.1).contains(&took), "{took}");
        assert_eq!((bytes_read.base(), bytes_read.wal()), (0, 2 << 20));
    }
}
