//! The handle a test holds: starts the server, reads and turns everything, ends it on drop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use s3s::config::S3Config;
use s3s::config::StaticConfigProvider;
use s3s::service::S3ServiceBuilder;
use tokio::io::DuplexStream;

use crate::double::Door;
use crate::s3::backend::Backend;
use crate::s3::connection;
use crate::s3::connection::Front;
use crate::s3::control::Auth;
use crate::s3::control::Control;
use crate::s3::control::Credentials;
use crate::s3::fault::Fault;
use crate::s3::fault::Trigger;
use crate::s3::multipart::Uploads;
use crate::s3::operation::Operation;
use crate::s3::operation::Requests;
use crate::s3::store::Store;
use crate::tls;

const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";

/// As much as a socket on loopback takes before somebody reads.
const DUPLEX_BYTES: usize = 256 << 10;

/// A running S3 server on loopback; path style, any region.
#[derive(Debug)]
pub struct S3Server {
    door: Door,
    front: Arc<Front>,
    store: Store,
    former: Store,
    control: Arc<Control>,
}

/// A port with TLS; it is closed when this is dropped.
#[derive(Debug)]
pub struct TlsDoor(#[expect(dead_code, reason = "closes when dropped")] Door);

impl S3Server {
    /// Starts an empty server on a free port of 127.0.0.1, in the current tokio runtime.
    pub async fn start() -> anyhow::Result<Self> {
        let (store, former) = (Store::default(), Store::default());
        let control = Arc::new(Control::default());
        let service = |store: &Store| {
            let backend = Backend { store: store.clone(), uploads: Uploads::default() };
            let mut service = S3ServiceBuilder::new(backend);
            service.set_auth(Auth(Arc::clone(&control)));
            // It would be held against the clock of the machine, not against the one that is set.
            let mut config = S3Config::default();
            config.presigned_url_max_skew_time_secs = u32::MAX;
            service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
            service.build()
        };
        let front = Arc::new(Front {
            service: service(&store),
            stale_service: service(&former),
            control: Arc::clone(&control),
            store: store.clone(),
        });
        let behind = Arc::clone(&front);
        let door = Door::open(move |stream| connection::serve(stream, Arc::clone(&behind))).await?;
        let server = Self { door, front, store, former, control };
        server.set_credentials(ACCESS_KEY, SECRET_KEY);
        Ok(server)
    }

    /// A connection without a socket, for a test whose clock does not wait for one.
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(DUPLEX_BYTES);
        tokio::spawn(connection::serve_in_process(far, Arc::clone(&self.front)));
        near
    }

    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.door.address())
    }

    /// The same by TLS, at another port and under an authority of its own: address, and certificate as
    /// PEM. It stays open as long as what is returned first.
    pub async fn open_by_tls(&self) -> anyhow::Result<(TlsDoor, String, String)> {
        let tls::Identity { acceptor, ca } = tls::new_identity()?;
        let front = Arc::clone(&self.front);
        let door = Door::open(move |stream| {
            connection::serve_by_tls(stream, acceptor.clone(), Arc::clone(&front))
        });
        let door = door.await?;
        let url = format!("https://{}", door.address());
        Ok((TlsDoor(door), url, ca))
    }

    /// The access key a client starts with; `set_credentials` does not change it.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// The secret key a client starts with; `set_credentials` does not change it.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// The objects, to hand to another task.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// See [`Store::create_bucket`].
    pub fn create_bucket(&self, bucket: &str) {
        self.store.create_bucket(bucket);
    }

    /// See [`Store::put`].
    pub fn put(&self, bucket: &str, key: impl Into<String>, bytes: impl Into<Bytes>) {
        self.store.put(bucket, key, bytes);
    }

    /// See [`Store::set_lifecycle_days`].
    pub fn set_lifecycle_days(&self, bucket: &str, days: i32) {
        self.store.set_lifecycle_days(bucket, days);
    }

    /// See [`Store::put_at`].
    pub fn put_at(
        &self,
        bucket: &str,
        key: impl Into<String>,
        bytes: impl Into<Bytes>,
        uploaded_at: DateTime<Utc>,
    ) {
        self.store.put_at(bucket, key, bytes, uploaded_at);
    }

    /// See [`Store::put_many_synthetic`].
    pub fn put_many_synthetic(
        &self,
        bucket: &str,
        objects: impl Iterator<Item = (String, u64, DateTime<Utc>)>,
    ) {
        self.store.put_many_synthetic(bucket, objects);
    }

    /// See [`Store::delete`].
    pub fn delete(&self, bucket: &str, key: &str) {
        self.store.delete(bucket, key);
    }

    /// See [`Store::keys`].
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.store.keys(bucket, prefix)
    }

    /// See [`Store::get`].
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.store.get(bucket, key)
    }

    /// How many requests have arrived since the start or the last reset.
    pub fn requests(&self) -> Requests {
        self.control.state().requests.clone()
    }

    /// The last 10,000 requests, as method and URI.
    pub fn request_log(&self) -> Vec<String> {
        self.control.state().log.iter().cloned().collect()
    }

    pub fn reset_requests(&self) {
        let mut state = self.control.state();
        state.requests = Requests::default();
        state.log.clear();
    }

    /// Answers 403 `AccessDenied` to everything, as after a permission was taken away.
    pub fn deny_all(&self) {
        self.control.state().denies_all = true;
    }

    /// Ends `deny_all`.
    pub fn allow_all(&self) {
        self.control.state().denies_all = false;
    }

    /// Accepts these keys and no others from now on.
    pub fn set_credentials(&self, access_key: &str, secret_key: &str) {
        let (access_key, secret_key) = (access_key.to_owned(), secret_key.to_owned());
        self.control.state().credentials = Some(Credentials { access_key, secret_key });
    }

    /// Accepts no keys: 403 `InvalidAccessKeyId`.
    pub fn revoke_credentials(&self) {
        self.control.state().credentials = None;
    }

    /// Waits this long before every answer.
    pub fn set_latency(&self, latency: Duration) {
        self.control.state().latency = latency;
    }

    /// Lets `Date` and the stamp of new uploads lie by this much.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.store.clock.set_offset(offset);
    }

    /// Plans a fault. The first planned one that fits a request is used.
    pub fn inject(&self, trigger: Trigger, fault: Fault) {
        self.control.state().plan.add(trigger.turns, trigger, fault);
    }

    /// Draws a fault for each request that meets no planned one, until [`clear_up`](Self::clear_up).
    pub fn storm(&self, weather: impl FnMut(Operation) -> Option<Fault> + Send + 'static) {
        self.control.set_weather(Some(Box::new(weather)));
    }

    /// Ends a storm, and resets what hangs since.
    pub fn clear_up(&self) {
        self.control.set_weather(None);
    }

    /// What [`Fault::StaleList`] answers with from now on is what there is now.
    pub fn remember(&self) {
        self.former.become_like(&self.store);
    }

    pub fn clear_faults(&self) {
        self.control.state().plan.clear();
    }

    /// The number of planned faults that have not been used up.
    pub fn faults_left(&self) -> usize {
        self.control.state().plan.len()
    }

    /// Runs the closure once, after the `page`-th good page of a listing from now (from one) was
    /// made and before the client gets it.
    pub fn on_list_page(&self, page: u64, change: impl FnOnce(&Store) + Send + 'static) {
        self.control.add_hook(page, Box::new(change));
    }

    /// Closes the port and all connections; the next attempt is refused.
    pub async fn stop_listening(&self) {
        self.door.close().await;
    }

    /// Opens the same port again after `stop_listening`.
    pub async fn resume_listening(&self) -> anyhow::Result<()> {
        self.door.open_again().await
    }
}
