//! What a primary's own metrics say of its archiver.
//!
//! The certificate of the instance is not verified: nothing secret is sent, and what is read can
//! only explain why no WAL comes, or make it more suspicious. It never makes an archive better.

mod text;

use std::future::poll_fn;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::pin;
use std::string::FromUtf8Error;
use std::sync::Arc;

use hyper::Request;
use hyper::Uri;
use hyper::body::Body as _;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::Config;
use kube::client::Body;
use kube::client::ConfigExt;
use tokio::time::timeout;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::cluster::WalArchiving;
use crate::sources::kubernetes::connect::ConnectError;
use crate::sources::kubernetes::failure::chain;
use crate::sources::kubernetes::instance_metrics::text::parse;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Pod;
use crate::sources::limits;

/// The primary among the pods that are watched, which carry these.
pub(super) const PRIMARY: &str = "cnpg.io/podRole=instance,cnpg.io/instanceRole=primary";

/// `PostgresMetricsPort` in `pkg/management/url/url.go`.
const METRICS_PORT: u16 = 9187;
const METRICS_PORT_NAME: &str = "metrics";

/// The primary of a cluster.
pub(super) struct Primary {
    pub(super) name: String,
    pub(super) pod: Arc<Kept<Pod>>,
    /// `spec.monitoring.tls.enabled` of its cluster.
    pub(super) is_tls: bool,
}

pub(super) fn is_primary_of(pod: &Kept<Pod>, cluster: &str) -> bool {
    let label = |key: &str| pod.meta.label(key);
    label("cnpg.io/cluster") == Some(cluster)
        && label("cnpg.io/podRole") == Some("instance")
        && label("cnpg.io/instanceRole") == Some("primary")
}

/// Asks primaries for their metrics.
pub(super) struct Instances {
    client: Client,
}

/// Why the metrics of a pod could not be read.
#[derive(Debug, thiserror::Error)]
enum MetricsError {
    #[error("it has no address yet")]
    NoAddress,
    #[error("its address is {0:?}")]
    BadAddress(String),
    #[error(transparent)]
    Request(#[from] kube::Error),
    #[error("HTTP {0}")]
    Refused(u16),
    #[error("more than {} bytes", limits::INSTANCE_METRICS_BYTES_MAX)]
    TooLong,
    #[error("expected UTF-8")]
    NoText(#[from] FromUtf8Error),
}

impl Instances {
    /// kube's client speaks HTTP with anyone; this one carries no token, and keeps no connection,
    /// since none is used again before the pod closes it.
    pub(super) fn new() -> Result<Self, ConnectError> {
        let mut config = Config::new(Uri::default());
        config.accept_invalid_certs = true;
        config.root_cert = Some(Vec::new());
        let connector = config.rustls_https_connector().map_err(ConnectError::Instances)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let client = builder.pool_max_idle_per_host(0).build(connector);
        Ok(Self { client: Client::new(client, config.default_namespace) })
    }

    /// Asks one pod.
    pub(super) async fn read(&self, primary: &Primary) -> Reading<WalArchiving> {
        let name = &primary.name;
        let unreadable = |why: String, reason| Unreadable {
            what: format!("read the metrics of the pod {name}"),
            why,
            reason,
        };
        let text = timeout(limits::INSTANCE_METRICS, self.fetch(primary)).await;
        let text = text.map_err(|_| {
            let seconds = limits::INSTANCE_METRICS.as_secs();
            unreadable(format!("no answer within {seconds} s"), UnreadableReason::Timeout)
        })?;
        let text = text.map_err(|error| unreadable(chain(&error), UnreadableReason::Internal))?;
        Ok(parse(name, &text))
    }

    async fn fetch(&self, primary: &Primary) -> Result<String, MetricsError> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = primary.address()?;
        let response = self.client.send(request).await?;
        if !response.status().is_success() {
            return Err(MetricsError::Refused(response.status().as_u16()));
        }
        let mut body = pin!(response.into_body());
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let Ok(data) = frame?.into_data() else { continue };
            bytes.extend_from_slice(&data);
            if limits::INSTANCE_METRICS_BYTES_MAX < bytes.len() {
                return Err(MetricsError::TooLong);
            }
        }
        Ok(String::from_utf8(bytes)?)
    }
}

impl Primary {
    fn address(&self) -> Result<Uri, MetricsError> {
        let Self { pod, is_tls, .. } = self;
        let ip = pod.status.pod_ip.as_deref().ok_or(MetricsError::NoAddress)?;
        let bad = || MetricsError::BadAddress(ip.to_owned());
        let parsed: IpAddr = ip.parse().map_err(|_| bad())?;
        let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
        let port = ports.into_iter().find(|it| it.name.as_deref() == Some(METRICS_PORT_NAME));
        let port = port.map_or(METRICS_PORT, |it| it.container_port);
        let scheme = if *is_tls { "https" } else { "http" };
        let address = format!("{scheme}://{}/metrics", SocketAddr::new(parsed, port));
        address.parse().map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests;
