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
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use aws_sdk_s3::Client;
use aws_sdk_s3::Config;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::retry::RetryPartition;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::moment::in_calendar;
use crate::sources::limits;
use crate::sources::limits::Patience;
use crate::sources::store::requests::Requests;
use crate::sources::store::s3::S3Store;
use crate::sources::store::s3::credentials::CredentialSource;
use crate::sources::store::s3::throttling::RetryThrottled;

/// Opens buckets.
#[derive(Debug)]
pub struct S3Clients {
    now: fn() -> DateTime<Utc>,
    requests: Requests,
    patience: Patience,
    /// Weak, so that rotated credentials leave nothing behind.
    endpoints: Mutex<HashMap<EndpointId, Weak<Endpoint>>>,
}

/// What must be equal for two buckets to share a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct EndpointId {
    /// `None` is AWS itself.
    url: Option<String>,
    region: String,
    credentials: CredentialSource,
}

/// A client and what its answers told about the server.
pub(super) struct Endpoint {
    client: Client,
    credentials: CredentialSource,
    region: String,
    patience: Patience,
    requests: Requests,
    now: fn() -> DateTime<Utc>,
    /// Milliseconds, or [`CLOCK_UNKNOWN`].
    clock_ahead: AtomicI64,
}

const CLOCK_UNKNOWN: i64 = i64::MIN;

/// R2's only region; other servers ignore it or compare it with their own.
const REGION_AUTO: &str = "auto";

/// AWS has no region `auto`; here it answers for any bucket, if only with where the bucket is.
const REGION_OF_AWS: &str = "us-east-1";

impl S3Clients {
    pub fn new(now: fn() -> DateTime<Utc>, requests: Requests) -> Self {
        Self { now, requests, patience: limits::PATIENCE, endpoints: Mutex::default() }
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
        let region = match (endpoint_url, region) {
            (None, REGION_AUTO | "") => REGION_OF_AWS,
            (Some(_), "") => REGION_AUTO,
            (_, region) => region,
        };
        let id = EndpointId {
            url: endpoint_url.map(str::to_owned),
            region: region.to_owned(),
            credentials: credentials.clone(),
        };
        S3Store::new(bucket, self.endpoint(id))
    }

    fn endpoint(&self, id: EndpointId) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = endpoints.get(&id).and_then(Weak::upgrade) {
            return endpoint;
        }
        endpoints.retain(|_, endpoint| endpoint.strong_count() > 0);
        let endpoint = Arc::new(Endpoint {
            client: Client::from_conf(self.config(&id)),
            credentials: id.credentials.clone(),
            region: id.region.clone(),
            patience: self.patience,
            requests: self.requests.clone(),
            now: self.now,
            clock_ahead: AtomicI64::new(CLOCK_UNKNOWN),
        });
        endpoints.insert(id, Arc::downgrade(&endpoint));
        endpoint
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
            .timeout_config(timeouts)
            .retry_config(retries)
            .retry_partition(RetryPartition::new(partition))
            .retry_classifier(RetryThrottled)
            // R2 refuses some of the checksums that the SDK adds by default.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Reading a body has a limit of its own (`Patience::next_byte`), with a typed error.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        match &id.url {
            Some(url) => builder.endpoint_url(url).build(),
            None => builder.build(),
        }
    }
}

impl Endpoint {
    pub(super) const fn client(&self) -> &Client {
        &self.client
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

    /// The store refused the request.
    pub(super) fn note_refusal(&self) {
        self.credentials.note_refusal();
    }

    /// Takes the time of an answer from its `Date`, which counts whole seconds.
    pub(super) fn note_date(&self, date: &str) {
        let date = DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc());
        if let Some(date) = date.and_then(in_calendar) {
            let ahead = date - (self.now)();
            self.clock_ahead.store(ahead.num_milliseconds(), Ordering::Relaxed);
        }
    }

    pub(super) fn clock_ahead(&self) -> Option<TimeDelta> {
        let milliseconds = self.clock_ahead.load(Ordering::Relaxed);
        if milliseconds == CLOCK_UNKNOWN { None } else { TimeDelta::try_milliseconds(milliseconds) }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[tokio::test]
    async fn a_date_at_the_end_of_the_calendar_is_not_believed() {
        let requests = Requests::register(&Registry::new()).unwrap();
        let now = || DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clients = S3Clients::new(now, requests);
        let store =
            clients.store("a", Some("http://127.0.0.1:9"), "", &CredentialSource::DefaultChain);
        // Chrono reads it; with a grace added to it, its arithmetic panics.
        let absurd = "31 Dec 262142 23:59:59 +0000";
        assert!(DateTime::parse_from_rfc2822(absurd).is_ok());
        store.endpoint.note_date(absurd);
        assert_eq!(store.endpoint.clock_ahead(), None);
        store.endpoint.note_date("Tue, 14 Nov 2023 22:13:25 GMT");
        assert_eq!(store.endpoint.clock_ahead(), Some(TimeDelta::seconds(5)));
    }
}
