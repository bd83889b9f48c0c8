//! What all archives share while they are read: turns at each store, one ceiling for what lies in
//! memory, and which decoder reads bzip2.
//!
//! A turn is at one store, so a store that hangs keeps only its own archives waiting. Bytes are
//! claimed once the store has answered, so one that hangs claims none of what the others share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::domain::archive_id::StoreAddress;
use crate::domain::codec::Bzip2;
use crate::sources::limits;

/// One for the whole process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Workshop {
    shared: Arc<Shared>,
    /// Those of stores that are in use.
    stores: Arc<Mutex<BTreeMap<StoreAddress, Weak<StoreTurns>>>>,
    bzip2: Bzip2,
}

#[derive(Debug)]
struct Shared {
    /// In KiB, as a permit counts in 32 bits.
    in_flight: Arc<Semaphore>,
}

#[derive(Debug)]
struct StoreTurns {
    looks: Arc<Semaphore>,
    complete_listings: Arc<Semaphore>,
    open_segments: Arc<Semaphore>,
}

/// The turns at one store; whoever asks first is served first. By default at one that nobody shares.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    store: Arc<StoreTurns>,
    shared: Arc<Shared>,
    bzip2: Bzip2,
}

/// A turn, or bytes that were claimed, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { in_flight: permits(limits::BYTES_IN_FLIGHT_MAX >> 10) }
    }
}

impl Default for StoreTurns {
    fn default() -> Self {
        Self {
            looks: permits(limits::LOOKS_AT_A_STORE),
            complete_listings: permits(limits::COMPLETE_LISTINGS_AT_A_STORE),
            open_segments: permits(limits::SEGMENTS_OPEN_AT_A_STORE),
        }
    }
}

impl Workshop {
    /// Where bzip2 is read by this decoder.
    pub fn decoding_by(bzip2: Bzip2) -> Self {
        Self { bzip2, ..Self::default() }
    }

    /// Which decoder reads bzip2 here.
    pub const fn bzip2(&self) -> Bzip2 {
        self.bzip2
    }

    /// The turns at this store; the same for everybody who asks for it.
    pub fn at(&self, store: &StoreAddress) -> Turns {
        // Nothing panics while it is locked.
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.retain(|_, turns| 0 < turns.strong_count());
        let known = stores.get(store).and_then(Weak::upgrade);
        let turns = known.unwrap_or_else(|| {
            let turns = Arc::<StoreTurns>::default();
            stores.insert(store.clone(), Arc::downgrade(&turns));
            turns
        });
        Turns { store: turns, shared: Arc::clone(&self.shared), bzip2: self.bzip2 }
    }
}

impl Turns {
    /// The same turns, where bzip2 is read by this decoder.
    #[must_use]
    pub fn decoding_by(&self, bzip2: Bzip2) -> Self {
        Self { bzip2, ..self.clone() }
    }

    /// Which decoder reads bzip2 here.
    pub const fn bzip2(&self) -> Bzip2 {
        self.bzip2
    }

    /// To look at one archive.
    pub async fn look(&self) -> Permit {
        Permit::of(&self.store.looks, 1).await
    }

    /// To list everything of one archive.
    pub async fn complete_listing(&self) -> Permit {
        Permit::of(&self.store.complete_listings, 1).await
    }

    /// To read one segment.
    pub async fn segment(&self) -> Permit {
        Permit::of(&self.store.open_segments, 1).await
    }

    /// Room for so many bytes. What is larger than all the room there is takes all of it.
    ///
    /// Nobody claims twice at the same time: two that wait for each other's bytes wait for ever.
    pub async fn bytes(&self, count: u64) -> Permit {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(limits::BYTES_IN_FLIGHT_MAX);
        let kibibytes = u32::try_from(count.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        Permit::of(&self.shared.in_flight, kibibytes).await
    }
}

impl Permit {
    async fn of(semaphore: &Arc<Semaphore>, count: u32) -> Self {
        // Nobody closes it, so there is always a permit in the end.
        Self { _permit: Arc::clone(semaphore).acquire_many_owned(count).await.ok() }
    }
}

fn permits(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn store(path: &str) -> StoreAddress {
        StoreAddress::Directory(path.to_owned())
    }

    #[tokio::test]
    async fn a_store_that_keeps_its_turns_leaves_the_others_theirs() {
        let workshop = Workshop::default();
        let hung = workshop.at(&store("/hung"));
        let mut kept = Vec::new();
        for _ in 0..limits::COMPLETE_LISTINGS_AT_A_STORE {
            kept.push(hung.complete_listing().await);
        }
        assert!(hung.complete_listing().now_or_never().is_none());
        let again = workshop.at(&store("/hung"));
        assert!(again.complete_listing().now_or_never().is_none());
        let other = workshop.at(&store("/other"));
        assert!(other.complete_listing().now_or_never().is_some());
        kept.pop();
        assert!(again.complete_listing().now_or_never().is_some());
    }

    #[tokio::test]
    async fn all_stores_share_one_ceiling_of_bytes() {
        let workshop = Workshop::default();
        let (one, other) = (workshop.at(&store("/one")), workshop.at(&store("/other")));
        let most = one.bytes(limits::BYTES_IN_FLIGHT_MAX as u64 - 1).await;
        assert!(other.bytes(1).now_or_never().is_none());
        drop(most);
        let all = other.bytes(u64::MAX).now_or_never();
        assert!(all.is_some() && one.bytes(1).now_or_never().is_none());
    }

    #[test]
    fn a_store_that_nobody_uses_any_more_is_forgotten() {
        let workshop = Workshop::default();
        for path in ["/one", "/two", "/three"] {
            drop(workshop.at(&store(path)));
        }
        assert_eq!(workshop.stores.lock().unwrap().len(), 1);
    }
}
