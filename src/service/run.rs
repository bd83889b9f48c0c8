//! The daemon, from start to stop.

use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::config::ConfigError;
use crate::config::FlagExpectations;
use crate::publication::snapshot::Snapshot;
use crate::service::archive_spec::drill_expectation;
use crate::service::board::Board;
use crate::service::clock;
use crate::service::fleet::Fleet;
use crate::service::health::Health;
use crate::service::http;
use crate::service::http::Published;
use crate::service::pace::Pace;
use crate::service::shutdown::Shutdown;
use crate::service::watching;
use crate::service::world::World;

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
    let (object_stores, bzip2) = (config.object_stores, config.bzip2_decoder);
    let world = World::open(&config.credentials, object_stores, bzip2, &config.kubernetes)
        .await?
        .reading(config.content, bzip2, &config.credentials)?;
    if world.kubernetes.is_none() && config.archives.is_empty() {
        return Err(ConfigError::without_archives().into());
    }
    let pace = Pace::new(config.polling, config.poll_interval, config.full_listing_interval)
        .opening(config.segments_per_look);
    let (snapshots, latest) = watch::channel(Arc::new(Snapshot::empty(clock::now())));
    let health = Health::new(shutdown.clone());
    let published = Published::new(latest, health.clone(), world.metrics.registry.clone());
    tracing::info!(
        %address,
        archives = config.archives.len(),
        kubernetes = world.kubernetes.is_some(),
        "watching; status page at http://{address}/"
    );

    let fleet = Fleet::new(config.archives, config.expectations, FlagExpectations::default())
        .drilled(drill_expectation(&config.drills));
    let board = Board::default();
    let publishing = board.clone().publish(snapshots, health.clone());
    let mut watching = tokio::spawn(watching::run(fleet, pace, world, board, shutdown.clone()));
    let mut stop = shutdown.clone();
    let server = http::serve(listener, http::router(published), async move {
        stop.requested().await;
    });
    tokio::select! {
        () = server => {}
        () = publishing => {}
        () = health.turn() => {}
        ended = &mut watching => {
            ended.context("watch the archives")?;
            if !shutdown.is_requested() {
                bail!("the task that watches the archives ended by itself");
            }
        }
    }
    Ok(())
}
