//! One drill by CloudNativePG, as a cluster is recovered in earnest.

mod classes;
mod due;
mod logs;
mod phases;
mod plan;
mod prepared;
mod proof;
mod removal;
mod runner;
mod seat;
mod term;

use anyhow::Context;

use crate::config::ConfigError;
use crate::config::DrillConfig;
use crate::config::KubernetesEnabled;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillReport;
use crate::domain::drill_id::DrillId;
use crate::execution::drills;
use crate::service::clock;
use crate::service::drill::operator::classes::Failure;
use crate::service::drill::operator::prepared::Prepared;
use crate::service::drill::operator::runner::Runner;
use crate::service::drill::operator::seat::Seat;
use crate::service::drill::operator::seat::new_id;
use crate::service::drill::operator::term::Term;
use crate::service::shutdown::Shutdown;
use crate::sources::kubernetes::drills::DrillNamespace;

/// The manifest that a drill would apply.
pub(super) async fn plan_through_operator(
    mut config: DrillConfig,
) -> anyhow::Result<Option<String>> {
    let namespace = connect(&config).await?;
    if !due::choose(&mut config, &namespace).await? {
        return Ok(None);
    }
    let id = new_id(&config, clock::now());
    let mut prepared = Prepared::of(config, &namespace, id).await?;
    prepared.foretell().await;
    let order = prepared.order(&namespace);
    order.yaml().map(Some).map_err(|refusal| refused(&refusal.to_string()))
}

/// Restores, and removes what it made; whatever came of that is a report. An error where there was nothing
/// to restore, or where Kubernetes cannot be asked.
pub(super) async fn through_operator(
    mut config: DrillConfig,
) -> anyhow::Result<Option<DrillReport>> {
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    let began_at = clock::now();
    let namespace = connect(&config).await?;
    if !due::choose(&mut config, &namespace).await? {
        return Ok(None);
    }
    let term = Term::new(began_at, config.timeout, shutdown)?;
    let id = new_id(&config, began_at);
    let seat = Seat::take(&namespace, &id).await?;
    let report = drill(config, &namespace, id, term).await;
    seat.give_back(&namespace).await;
    report.map(Some)
}

async fn drill(
    config: DrillConfig,
    namespace: &DrillNamespace,
    id: DrillId,
    mut term: Term,
) -> anyhow::Result<DrillReport> {
    let kind = config.kind;
    let in_the_way = sweep(namespace, &term).await?;
    let preparing = Prepared::of(config, namespace, id);
    let prepared = term.hold("the archive is read", preparing).await;
    let mut prepared = prepared.map_err(|failure| anyhow::anyhow!(failure.detail))??;
    let in_the_way = match in_the_way {
        None => term.hold("the log on the way is read", prepared.foretell()).await.err(),
        in_the_way => in_the_way,
    };
    if let Some(why) = in_the_way {
        let report = prepared.blocked(kind, term.began_at, why);
        keep(namespace, &prepared.id, &report).await;
        return Ok(report);
    }
    let order = prepared.order(namespace);
    let cluster = order.manifest().map_err(|refusal| refused(&refusal.to_string()))?;
    let mut running = Runner { namespace, id: &prepared.id, term };
    let report = prepared.run(&mut running, &cluster, kind).await?;
    keep(namespace, &prepared.id, &report).await;
    Ok(report)
}

async fn connect(config: &DrillConfig) -> anyhow::Result<DrillNamespace> {
    let name = config.operator.namespace.clone();
    let name = name.or_else(|| config.chosen.drills.namespace.clone());
    let connected = DrillNamespace::connect(KubernetesEnabled::Always, name).await;
    let connected = connected.context("a drill without --local DIR runs in Kubernetes")?;
    connected.context("there is no way to Kubernetes")
}

/// A wrong configuration of drills, whichever part of it that is.
fn refused(why: &str) -> anyhow::Error {
    ConfigError::late("drill", "a drill that proves something and harms nobody", why).into()
}

/// Removes what drills left that were killed. Whoever holds the lease is the only one, so nothing of it
/// is in use. Where something stays, no drill can begin: what it is.
async fn sweep(namespace: &DrillNamespace, term: &Term) -> anyhow::Result<Option<Failure>> {
    let own = namespace.own_clusters().await.map_err(|unread| anyhow::anyhow!("{unread}"))?;
    for left in own {
        tracing::warn!(cluster = left.id.object_name(), "removing what an earlier drill left");
        // The other half is for the archive: what is in the way becomes a result of the drill that it keeps
        // from beginning.
        let within = removal::GONE_WITHIN.min(term.time_left() / 2);
        if let Err(why) = removal::remove(namespace, &left.id, &left.uid, within).await {
            let why = format!("what the drill {} left behind is in the way: {why}", left.id);
            tracing::error!(why, "no drill can begin");
            return Ok(Some(Failure::new(DrillClass::CleanupFailed, why)));
        }
    }
    Ok(None)
}

/// The result, and no more than the newest of its cluster.
async fn keep(namespace: &DrillNamespace, id: &DrillId, report: &DrillReport) {
    if let Err(why) = drills::write_result(namespace, id, report).await {
        tracing::error!(why, "the result of the drill could not be kept");
        return;
    }
    match namespace.results().await {
        Ok(stored) => drills::prune_results(namespace, report, &stored).await,
        Err(unread) => tracing::debug!(%unread, "old results could not be deleted"),
    }
}
