//! The loop: check every archive, publish one snapshot, wait.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

use crate::publication::snapshot::Snapshot;
use crate::service::clock;
use crate::service::health::Health;
use crate::service::own_metrics::OwnMetrics;
use crate::service::shutdown::Shutdown;
use crate::service::spending::Spending;
use crate::service::watched::Watched;
use crate::sources::limits;

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    pub poll_interval: Duration,
    pub full_listing_interval: Duration,
}

/// Where results go.
pub struct Outlets {
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub health: Health,
    pub metrics: OwnMetrics,
}

/// Everything that can wake the loop. Closed on purpose: this list is the daemon's behaviour.
enum Wake {
    Period,
    Shutdown,
}

/// Runs until shutdown is requested, which also ends a cycle that has begun: reads can be dropped.
pub async fn run(
    mut archives: Vec<Watched>,
    rhythm: Rhythm,
    outlets: Outlets,
    mut shutdown: Shutdown,
) {
    let mut period = interval(rhythm.poll_interval);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut spending = Spending::default();
    loop {
        let wake = tokio::select! {
            _ = period.tick() => Wake::Period,
            () = shutdown.requested() => Wake::Shutdown,
        };
        match wake {
            Wake::Shutdown => return,
            Wake::Period => tokio::select! {
                () = cycle(&mut archives, rhythm, &outlets) => {
                    outlets.metrics.note_monthly_cost(&mut spending);
                }
                () = shutdown.requested() => return,
            },
        }
    }
}

async fn cycle(archives: &mut [Watched], rhythm: Rhythm, outlets: &Outlets) {
    let checks = stream::iter(archives.iter_mut());
    checks
        .for_each_concurrent(limits::ARCHIVES_AT_ONCE, |watched| async move {
            let began_at = Instant::now();
            watched.check(rhythm.full_listing_interval).await;
            outlets.metrics.observe_check(began_at.elapsed());
            outlets.health.turned();
        })
        .await;
    let published = archives.iter().filter_map(Watched::published);
    let (archives, stores) = published.unzip();
    outlets.snapshots.send_replace(Arc::new(Snapshot::new(clock::now(), archives, stores)));
    outlets.health.finished_cycle();
}
