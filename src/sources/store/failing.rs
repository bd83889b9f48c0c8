//! Makes calls of another store fail on purpose, for fault tests.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;

use crate::domain::object_version::ObjectVersion;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::store::body::Body;
use crate::sources::store::error::StoreError;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::requests::Operation;

/// A store with planned failures; every other call goes through.
#[derive(Debug)]
pub struct Failing<S> {
    inner: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    plan: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    /// `None` is any.
    operation: Option<Operation>,
    /// How many fitting calls still go through.
    skip: u64,
    /// How many fail after those.
    times: u64,
    error: StoreError,
}

impl<S> Failing<S> {
    pub const fn new(inner: S) -> Self {
        Self { inner, state: Mutex::new(State { calls: 0, plan: Vec::new() }) }
    }

    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// How many calls were made so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets the `nth` call from now fail, counted from one.
    pub fn fail_nth(&self, operation: impl Into<Option<Operation>>, nth: u64, error: StoreError) {
        let failure =
            Failure { operation: operation.into(), skip: nth.saturating_sub(1), times: 1, error };
        self.state().plan.push(failure);
    }

    /// Lets every call from now on fail.
    pub fn fail_always(&self, operation: impl Into<Option<Operation>>, error: StoreError) {
        let failure = Failure { operation: operation.into(), skip: 0, times: u64::MAX, error };
        self.state().plan.push(failure);
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        self.state().plan.clear();
    }

    fn admit(&self, operation: Operation) -> Result<(), StoreError> {
        let mut state = self.state();
        state.calls = state.calls.saturating_add(1);
        let mut fitting = state
            .plan
            .iter_mut()
            .filter(|failure| failure.operation.is_none_or(|wanted| wanted == operation));
        let failed = fitting.find_map(|failure| {
            if let Some(skip) = failure.skip.checked_sub(1) {
                failure.skip = skip;
                return None;
            }
            failure.times = failure.times.checked_sub(1)?;
            Some(failure.error.clone())
        });
        failed.map_or(Ok(()), Err)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Failing<S> {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        self.admit(Operation::List)?;
        self.inner.list_page(request).await
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        self.admit(if from == 0 { Operation::Get } else { Operation::GetRange })?;
        self.inner.open(key, from, expected).await
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.admit(Operation::Head)?;
        self.inner.head(key).await
    }

    fn clock(&self) -> StoreClock {
        self.inner.clock()
    }
}

#[cfg(test)]
mod tests {
    use crate::sources::store::error::StoreErrorKind;
    use crate::sources::store::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn only_the_planned_calls_fail() {
        let store = Failing::new(MemoryStore::default());
        store.inner().put("a", "1");
        let error = StoreError::new(StoreErrorKind::Throttled, "on purpose");
        store.fail_nth(Operation::Get, 2, error.clone());
        let open = async || store.open("a", 0, None).await.map(|body| body.version().size);
        assert_eq!(open().await, Ok(1));
        assert!(store.head("a").await.is_ok());
        assert_eq!(open().await, Err(error.clone()));
        assert_eq!(open().await, Ok(1));
        assert_eq!(store.calls(), 4);
        store.fail_always(None, error.clone());
        assert_eq!(store.head("a").await, Err(error));
        store.heal();
        assert!(store.head("a").await.is_ok());
    }
}
