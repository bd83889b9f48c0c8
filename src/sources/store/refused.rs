//! Stands for a store that may not be asked: every call says why, and nothing is sent.

use async_trait::async_trait;

use crate::domain::object_version::ObjectVersion;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;

#[derive(Debug)]
pub(super) struct RefusedStore {
    error: StoreError,
}

impl RefusedStore {
    pub(super) fn new(why: &str) -> Self {
        Self { error: StoreError::new(StoreErrorKind::NotAllowed, why) }
    }
}

#[async_trait]
impl ObjectStore for RefusedStore {
    async fn list_page(&self, _: ListRequest<'_>) -> Result<ListPage, StoreError> {
        Err(self.error.clone())
    }

    async fn open(&self, _: &str, _: u64, _: Option<&ObjectVersion>) -> Result<Body, StoreError> {
        Err(self.error.clone())
    }

    async fn head(&self, _: &str) -> Result<ListedObject, StoreError> {
        Err(self.error.clone())
    }

    fn clock(&self) -> StoreClock {
        StoreClock::default()
    }
}
