//! The daemon, from start to stop.

use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::config::ConfigError;
use crate::publication::snapshot::Snapshot;
use crate::service::clock;
use crate::service::cycle;
use crate::service::cycle::Outlets;
use crate::service::cycle::Rhythm;
use crate::service::fleet::Fleet;
use crate::service::health::Health;
use crate::service::http;
use crate::service::http::Published;
use crate::service::own_metrics::OwnMetrics;
use crate::service::shutdown::Shutdown;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::store::opening::Stores;
use crate::sources::store::s3::S3Clients;

/// Watches all archives until a signal asks to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    run_until(config, listener, shutdown).await
}

/// The same, with what a test supplies itself.
pub async fn run_until(
    config: Config,
    listener: TcpListener,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("tell the address listened on")?;
    let metrics = OwnMetrics::register().context("register metrics")?;
    let clients = S3Clients::new(clock::now, metrics.requests.clone());
    let stores = Stores::new(clients, &config.credentials);
    let kubernetes = Kubernetes::start(&config.kubernetes).await;
    let kubernetes = kubernetes.context("reach Kubernetes")?;
    if kubernetes.is_none() && config.archives.is_empty() {
        return Err(ConfigError::without_archives().into());
    }
    let named = config.archives.len();
    let kubernetes = kubernetes.map(Arc::new);
    let fleet = Fleet::new(config.archives, config.expectations, stores)
        .polled(config.polling, config.poll_interval)
        .discovered_by(kubernetes.clone());

    let (snapshots, latest) = watch::channel(Arc::new(Snapshot::empty(clock::now())));
    let health = Health::new(config.poll_interval, shutdown.clone());
    let published = Published::new(latest, health.clone(), metrics.registry.clone());
    let rhythm = Rhythm {
        poll_interval: config.poll_interval,
        full_listing_interval: config.full_listing_interval,
    };
    tracing::info!(
        %address,
        archives = named,
        kubernetes = kubernetes.is_some(),
        "watching; status page at http://{address}/"
    );

    let outlets = Outlets { snapshots, health, metrics };
    let mut watching = tokio::spawn(cycle::run(fleet, rhythm, outlets, shutdown.clone()));
    let mut stop = shutdown.clone();
    let server = http::serve(listener, http::router(published), async move {
        stop.requested().await;
    });
    tokio::select! {
        () = server => {}
        ended = &mut watching => {
            ended.context("watch the archives")?;
            if !shutdown.is_requested() {
                bail!("the loop that watches the archives ended by itself");
            }
        }
    }
    Ok(())
}
