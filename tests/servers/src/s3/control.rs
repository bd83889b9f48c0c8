//! What a test can turn while the server runs: credentials, faults, latency, hooks, counts.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use s3s::S3Result;
use s3s::auth::S3Auth;
use s3s::auth::SecretKey;
use tokio::sync::Notify;

use crate::double::Plan;
use crate::s3::fault::Fault;
use crate::s3::fault::Trigger;
use crate::s3::operation::Operation;
use crate::s3::operation::Requests;
use crate::s3::store::Store;

/// Enough for any test that looks at single requests, and small for a million of them.
const LOGGED_REQUESTS: usize = 10_000;

type Hook = Box<dyn FnOnce(&Store) + Send>;

type Weather = Box<dyn FnMut(Operation) -> Option<Fault> + Send>;

#[derive(Default)]
pub(super) struct Control {
    state: Mutex<State>,
    cleared_up: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// `None` after the credentials were revoked.
    pub(super) credentials: Option<Credentials>,
    pub(super) plan: Plan<Trigger, Fault>,
    pub(super) requests: Requests,
    pub(super) log: VecDeque<String>,
    pub(super) latency: Duration,
    pub(super) denies_all: bool,
    /// Draws a fault for each request that no planned one met.
    weather: Option<Weather>,
    /// Each with the number of pages that remain until it runs.
    hooks: Vec<(u64, Hook)>,
}

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

/// How one request is to be treated.
pub(super) struct Treatment {
    pub(super) latency: Duration,
    pub(super) fault: Option<Fault>,
    /// Counts all requests of this server; becomes the request id.
    pub(super) number: u64,
}

impl Control {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a request and decides what happens to it.
    pub(super) fn admit(&self, operation: Operation, key: &str, line: String) -> Treatment {
        let mut state = self.state();
        state.requests.count(operation);
        if state.log.len() == LOGGED_REQUESTS {
            state.log.pop_front();
        }
        state.log.push_back(line);
        let fault = if state.denies_all {
            Some(Fault::AccessDenied)
        } else {
            let planned = state.plan.take(|trigger| trigger.fits(operation, key));
            planned.or_else(|| state.weather.as_mut()?(operation))
        };
        Treatment { latency: state.latency, fault, number: state.requests.total() }
    }

    /// `None` clears up, which also ends what hangs.
    pub(super) fn set_weather(&self, weather: Option<Weather>) {
        let clears_up = weather.is_none();
        self.state().weather = weather;
        if clears_up {
            self.cleared_up.notify_waiters();
        }
    }

    pub(super) async fn until_it_clears_up(&self) {
        let cleared_up = self.cleared_up.notified();
        if self.state().weather.is_some() {
            cleared_up.await;
        }
    }

    pub(super) fn add_hook(&self, page: u64, hook: Hook) {
        self.state().hooks.push((page, hook));
    }

    /// Runs the hooks that waited for this page, without holding the lock.
    pub(super) fn after_list_page(&self, store: &Store) {
        let due: Vec<Hook> = {
            let mut state = self.state();
            for (pages_left, _) in &mut state.hooks {
                *pages_left = pages_left.saturating_sub(1);
            }
            state
                .hooks
                .extract_if(.., |(pages_left, _)| *pages_left == 0)
                .map(|(_, hook)| hook)
                .collect()
        };
        for hook in due {
            hook(store);
        }
    }
}

/// Looks the secret up at every request, so that keys can change at run time.
pub(super) struct Auth(pub(super) std::sync::Arc<Control>);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let state = self.0.state();
        let known = state.credentials.as_ref().filter(|known| known.access_key == access_key);
        let known = known.ok_or_else(|| {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            s3s::S3Error::with_message(s3s::S3ErrorCode::InvalidAccessKeyId, message)
        })?;
        Ok(SecretKey::from(known.secret_key.as_str()))
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}
