//! Clients of object stores, one for each endpoint, region and credentials.
//!
//! A thousand archives at one endpoint share a client: its connections, its retry budget and its
//! pause after throttling.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::Config;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::HttpClient;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::retry::RetryPartition;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_smithy_async::time::TimeSource;
use chrono::DateTime;
use chrono::Utc;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::observation::store_clock::StoreClock;
use crate::sources::limits;
use crate::sources::limits::Patience;
use crate::sources::store::requests::Requests;
use crate::sources::store::s3::S3Store;
use crate::sources::store::s3::authority::Authority;
use crate::sources::store::s3::clock::ServerClock;
use crate::sources::store::s3::connecting;
use crate::sources::store::s3::credentials::CredentialSource;
use crate::sources::store::s3::retries::AskOnce;
use crate::sources::store::s3::retries::RetryThrottled;

/// Opens buckets.
#[derive(Debug)]
pub struct S3Clients {
    now: fn() -> DateTime<Utc>,
    requests: Requests,
    patience: Patience,
    http_client: SharedHttpClient,
    /// Weak, so that rotated credentials leave nothing behind.
    endpoints: Mutex<HashMap<EndpointId, Weak<Endpoint>>>,
}

/// Clients of stores that an authority vouches for; without one, what this machine trusts.
#[derive(Clone, Copy, Debug)]
pub struct Trusting<'a> {
    clients: &'a S3Clients,
    authority: Option<&'a Authority>,
}

/// What must be equal for two buckets to share a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct EndpointId {
    /// `None` is AWS itself.
    url: Option<String>,
    region: String,
    credentials: CredentialSource,
    /// `None` trusts what this machine trusts.
    authority: Option<Authority>,
}

/// A client and what its answers told about the server.
pub(super) struct Endpoint {
    client: Client,
    /// As people know it.
    address: String,
    credentials: CredentialSource,
    region: String,
    is_amazon: bool,
    patience: Patience,
    requests: Requests,
    large_listings: Arc<Semaphore>,
    now: fn() -> DateTime<Utc>,
    clock: ServerClock,
}

/// The clock that all of the program reads, for signatures and for the pace after throttling.
#[derive(Clone, Copy, Debug)]
struct Now(fn() -> DateTime<Utc>);

impl TimeSource for Now {
    fn now(&self) -> SystemTime {
        self.0().into()
    }
}

/// R2's only region; other servers ignore it or compare it with their own.
const REGION_AUTO: &str = "auto";

/// AWS has no region `auto`; here it answers for any bucket, if only with where the bucket is.
const REGION_OF_AWS: &str = "us-east-1";

impl S3Clients {
    pub fn new(now: fn() -> DateTime<Utc>, requests: Requests) -> Self {
        let (http_client, patience) = (connecting::http_client(), limits::PATIENCE);
        Self { now, requests, patience, http_client, endpoints: Mutex::default() }
    }

    /// Over connections of another kind than sockets.
    #[must_use]
    pub fn over(self, http_client: impl HttpClient + 'static) -> Self {
        Self { http_client: SharedHttpClient::new(http_client), ..self }
    }

    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Opens a bucket without asking the server for anything.
    ///
    /// Without an endpoint it is a bucket of AWS. Must be called in a tokio runtime.
    pub fn store(
        &self,
        bucket: &str,
        endpoint_url: Option<&str>,
        region: &str,
        credentials: &CredentialSource,
    ) -> S3Store {
        self.trusting(None).store(bucket, endpoint_url, region, credentials)
    }

    /// The same for stores whose certificates must be signed by this authority.
    pub const fn trusting<'a>(&'a self, authority: Option<&'a Authority>) -> Trusting<'a> {
        Trusting { clients: self, authority }
    }
}

impl Trusting<'_> {
    /// As [`S3Clients::store`].
    pub fn store(
        &self,
        bucket: &str,
        endpoint_url: Option<&str>,
        region: &str,
        credentials: &CredentialSource,
    ) -> S3Store {
        let region = match (endpoint_url, region) {
            (None, REGION_AUTO | "") => REGION_OF_AWS,
            (Some(_), "") => REGION_AUTO,
            (_, region) => region,
        };
        let id = EndpointId {
            url: endpoint_url.map(str::to_owned),
            region: region.to_owned(),
            credentials: credentials.clone(),
            authority: self.authority.cloned(),
        };
        S3Store::new(bucket, self.clients.endpoint(id))
    }
}

impl S3Clients {
    fn endpoint(&self, id: EndpointId) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = endpoints.get(&id).and_then(Weak::upgrade) {
            return endpoint;
        }
        endpoints.retain(|_, endpoint| endpoint.strong_count() > 0);
        let endpoint = Arc::new(Endpoint {
            client: Client::from_conf(self.config(&id)),
            address: id.url.clone().unwrap_or_else(|| "Amazon S3".to_owned()),
            credentials: id.credentials.clone(),
            region: id.region.clone(),
            is_amazon: id.url.as_deref().is_none_or(|url| url.contains(".amazonaws.com")),
            patience: self.patience,
            requests: self.requests.clone(),
            large_listings: Arc::new(Semaphore::new(limits::LARGE_LISTINGS_AT_A_STORE)),
            now: self.now,
            clock: ServerClock::default(),
        });
        endpoints.insert(id, Arc::downgrade(&endpoint));
        endpoint
    }

    fn http_client(&self, id: &EndpointId) -> SharedHttpClient {
        let trusting = id.authority.as_ref().map(connecting::http_client_trusting);
        trusting.unwrap_or_else(|| self.http_client.clone())
    }

    fn config(&self, id: &EndpointId) -> Config {
        let patience = &self.patience;
        let region = Region::new(id.region.clone());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.first_byte)
            .operation_attempt_timeout(patience.attempt)
            .operation_timeout(patience.call)
            .build();
        let retries = RetryConfig::adaptive()
            .with_max_attempts(patience.attempts_max)
            .with_initial_backoff(patience.pause_first)
            .with_max_backoff(patience.pause_max);
        // The SDK's own partition is the region, in which all `auto` stores would share a budget.
        let partition = format!("{} {}", id.url.as_deref().unwrap_or("aws"), id.region);
        let builder = Config::builder()
            // Pinned: with `latest()`, an update of a dependency could change timeouts and retries.
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(id.credentials.provider(region.clone()))
            .identity_cache(id.credentials.cache())
            .region(region)
            .force_path_style(true)
            .http_client(self.http_client(id))
            .timeout_config(timeouts)
            .retry_config(retries)
            .retry_partition(RetryPartition::new(partition))
            .time_source(Now(self.now))
            .retry_classifier(RetryThrottled)
            .retry_classifier(AskOnce)
            // R2 refuses some of the checksums that the SDK adds by default.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Reading a body has a limit of its own (`Patience::next_byte`), with a typed error.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        match &id.url {
            Some(url) => builder.endpoint_url(as_judged(url)).build(),
            None => builder.build(),
        }
    }
}

/// An address in the form in which it was found to be allowed, so that no other reading of it counts.
fn as_judged(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), String::from)
}

impl Endpoint {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Amazon itself, not a store that speaks like it.
    pub(super) const fn is_amazon(&self) -> bool {
        self.is_amazon
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) const fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) const fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Turns to read a LIST answer that is larger than usual.
    pub(super) fn large_listings(&self) -> Arc<Semaphore> {
        Arc::clone(&self.large_listings)
    }

    /// The store refused the request.
    pub(super) fn note_refusal(&self) {
        self.credentials.note_refusal();
    }

    /// Takes the time of an answer from its `Date`.
    pub(super) fn note_date(&self, date: &str) {
        self.clock.note(date, (self.now)(), Instant::now());
    }

    pub(super) fn clock(&self) -> StoreClock {
        self.clock.read(Instant::now())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::dns::DnsFuture;
    use aws_smithy_runtime_api::client::dns::ResolveDns;
    use aws_smithy_runtime_api::client::dns::ResolveDnsError;
    use prometheus::Registry;

    use super::*;
    use crate::sources::store::error::StoreErrorKind;
    use crate::sources::store::object_store::ListRequest;
    use crate::sources::store::object_store::ObjectStore;
    use crate::sources::store::requests::Operation;

    /// Takes every name for one of instance metadata.
    #[derive(Clone, Debug)]
    struct Rebound;

    impl ResolveDns for Rebound {
        fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
            let found =
                connecting::admitted(name, ["169.254.169.254".parse().unwrap()].into_iter());
            DnsFuture::ready(found.map_err(ResolveDnsError::new))
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_instance_metadata_is_refused_and_not_tried_again() {
        let requests = Requests::register(&Registry::new()).unwrap();
        let now = || DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clients = S3Clients {
            http_client: connecting::http_client_by(Rebound),
            ..S3Clients::new(now, requests.clone())
        };
        let credentials = CredentialSource::Keys {
            access_key_id: "a".to_owned(),
            secret_access_key: "b".to_owned(),
            session_token: None,
        };
        let store = clients.store("a", Some("http://store.example"), "", &credentials);
        let error = store.list_page(ListRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NotAllowed, "{error}");
        assert!(error.detail.starts_with("`store.example` leads to 169.254.169.254"), "{error}");
        assert_eq!(requests.sent(Operation::List), 1);
        assert_eq!(requests.errors(Operation::List, StoreErrorKind::NotAllowed), 1);
    }
}
