//! The loop: check every archive, publish one snapshot, wait.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

use crate::execution;
use crate::publication::snapshot::Snapshot;
use crate::service::clock;
use crate::service::fleet::Fleet;
use crate::service::health::Health;
use crate::service::own_metrics::OwnMetrics;
use crate::service::shutdown::Shutdown;
use crate::service::spending::Spending;
use crate::service::watched::Watched;
use crate::sources::kubernetes::Kubernetes;

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

/// How long the first cycle waits for the first lists of Kubernetes. What comes later joins a later
/// cycle.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(20);

/// Runs until shutdown is requested, which also ends a cycle that has begun: reads can be dropped.
pub async fn run(mut fleet: Fleet, rhythm: Rhythm, outlets: Outlets, mut shutdown: Shutdown) {
    if let Some(kubernetes) = fleet.kubernetes().cloned() {
        tokio::select! {
            _ = kubernetes.first_look(FIRST_LOOK_MAX) => {}
            () = shutdown.requested() => return,
        }
    }
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
                () = cycle(&mut fleet, rhythm, &outlets) => {
                    outlets.metrics.note_monthly_cost(&mut spending);
                }
                () = shutdown.requested() => return,
            },
        }
    }
}

async fn cycle(fleet: &mut Fleet, rhythm: Rhythm, outlets: &Outlets) {
    fleet.refresh(clock::now()).await;
    let kubernetes = fleet.kubernetes().cloned();
    let checks = stream::iter(fleet.watched().iter_mut());
    checks
        .for_each_concurrent(None, |watched| {
            let kubernetes = kubernetes.as_deref();
            async move {
                let began_at = Instant::now();
                check(watched, rhythm, kubernetes).await;
                outlets.metrics.observe_check(began_at.elapsed());
                outlets.health.turned();
            }
        })
        .await;
    let archives = fleet.watched().iter().filter_map(|watched| watched.published()).collect();
    let snapshot = Snapshot::new(clock::now(), archives).discovered(fleet.discovery());
    outlets.snapshots.send_replace(Arc::new(snapshot));
    outlets.health.finished_cycle();
}

async fn check(watched: &mut Watched, rhythm: Rhythm, kubernetes: Option<&Kubernetes>) {
    watched.check(rhythm.full_listing_interval).await;
    let events = watched.take_events();
    if let (Some(kubernetes), Some(cluster)) = (kubernetes, &watched.spec().cluster) {
        let (id, uid) = (&cluster.id, &cluster.uid);
        execution::events::write(kubernetes, id, uid, events, clock::now()).await;
    }
}
