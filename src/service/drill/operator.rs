//! One drill by CloudNativePG, as a cluster is recovered in earnest.

mod classes;
mod due;
mod phases;
mod plan;
mod proof;
mod runner;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process;

use anyhow::Context;
use anyhow::bail;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::assessment::Assessment;
use crate::assessment::drill::DrawnTarget;
use crate::assessment::drill::draw;
use crate::assessment::plan::Restore;
use crate::config::ConfigError;
use crate::config::DrillConfig;
use crate::config::KubernetesConfig;
use crate::config::KubernetesEnabled;
use crate::config::ONE_ARCHIVE;
use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillVersions;
use crate::domain::drill::DrillVolume;
use crate::domain::drill::DrillWay;
use crate::domain::drill::RecoveryEnd;
use crate::domain::drill_check::DrillCheck;
use crate::domain::drill_id::DrillId;
use crate::domain::drill_source::DrillStore;
use crate::domain::drill_source::SourceCluster;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::execution::drills;
use crate::execution::lease;
use crate::execution::lease::NotHeld;
use crate::publication::drill_manifest::DrillOrder;
use crate::restore::delivery::Source;
use crate::restore::route;
use crate::service::build;
use crate::service::check::assess_once;
use crate::service::clock;
use crate::service::drill::operator::proof::Promise;
use crate::service::drill::operator::runner::Expected;
use crate::service::drill::operator::runner::Outcome;
use crate::service::drill::operator::runner::Runner;
use crate::service::selection::Selection;
use crate::service::shutdown::Shutdown;
use crate::service::watched::Watched;
use crate::service::world::World;
use crate::sources::kubernetes::drills::DrillNamespace;

/// What will be restored, and everything that is needed for it.
struct Prepared {
    id: DrillId,
    assessment: Assessment,
    drawn: DrawnTarget,
    archive: Watched,
    /// Through which the archive is read.
    world: World,
    source: SourceCluster,
    stores: Vec<DrillStore>,
    checks: Vec<DrillCheck>,
}

/// The manifest that a drill would apply.
pub(super) async fn plan_through_operator(
    mut config: DrillConfig,
) -> anyhow::Result<Option<String>> {
    let namespace = connect(&config).await?;
    if !due::choose(&mut config, &namespace).await? {
        return Ok(None);
    }
    let prepared = Prepared::of(config, &namespace, clock::now()).await?;
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
    let seat = Seat::take(&namespace, &seat_id(&config, began_at)).await?;
    let report = drill(config, &namespace, began_at, shutdown).await;
    seat.give_back(&namespace).await;
    report.map(Some)
}

async fn drill(
    config: DrillConfig,
    namespace: &DrillNamespace,
    began_at: DateTime<Utc>,
    shutdown: Shutdown,
) -> anyhow::Result<DrillReport> {
    sweep(namespace).await?;
    let deadline = TimeDelta::from_std(config.timeout).context("--timeout")?;
    let ends_at = began_at.checked_add_signed(deadline).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let kind = config.kind;
    let prepared = Prepared::of(config, namespace, began_at).await?;
    let order = prepared.order(namespace);
    let cluster = order.manifest().map_err(|refusal| refused(&refusal.to_string()))?;
    let mut running = Runner { namespace, id: &prepared.id, began_at, ends_at, shutdown };
    let report = prepared.run(&mut running, &cluster, kind).await?;
    keep(namespace, &prepared.id, &report).await;
    Ok(report)
}

async fn connect(config: &DrillConfig) -> anyhow::Result<DrillNamespace> {
    let name = config.operator.namespace.clone();
    let name = name.or_else(|| config.chosen.drills.namespace.clone());
    let connected = DrillNamespace::connect(KubernetesEnabled::Always, name).await;
    let connected = connected.context("reach Kubernetes")?;
    connected.context("there is no way to Kubernetes")
}

/// A wrong configuration of drills, whichever part of it that is.
fn refused(why: &str) -> anyhow::Error {
    ConfigError::late("drill", "a drill that proves something and harms nobody", why).into()
}

fn seat_id(config: &DrillConfig, began_at: DateTime<Utc>) -> DrillId {
    let scope = config.chosen.scope.as_ref();
    let namespace = scope.map_or("", |it| it.namespace.as_str());
    let cluster = scope.and_then(|it| it.cluster.as_deref()).unwrap_or_default();
    // Two that begin within the same second are two.
    let salt = RandomState::new().hash_one(process::id());
    DrillId::new(began_at, config.kind, namespace, &format!("{cluster}/{salt:x}"))
}

/// The right to run the only drill of a namespace, renewed until it is given back.
struct Seat {
    id: DrillId,
    renewing: JoinHandle<()>,
}

impl Seat {
    async fn take(namespace: &DrillNamespace, id: &DrillId) -> anyhow::Result<Self> {
        match lease::hold(namespace, id, clock::now()).await {
            Ok(()) => {}
            Err(NotHeld::By(other)) => {
                bail!(
                    "the drill {other} is running in {}; only one runs at a time",
                    namespace.name()
                );
            }
            Err(NotHeld::Unanswered(why)) => bail!("take the lease of drills: {why}"),
        }
        let (namespace, own) = (namespace.clone(), id.clone());
        let renewing = tokio::spawn(async move {
            loop {
                sleep(lease::RENEWED_EVERY).await;
                if let Err(not_held) = lease::hold(&namespace, &own, clock::now()).await {
                    tracing::warn!(?not_held, "the lease of drills was not renewed");
                }
            }
        });
        Ok(Self { id: id.clone(), renewing })
    }

    async fn give_back(self, namespace: &DrillNamespace) {
        self.renewing.abort();
        lease::release(namespace, &self.id).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Removes what drills left that were killed. Whoever holds the lease is the only one, so nothing of it
/// is in use.
async fn sweep(namespace: &DrillNamespace) -> anyhow::Result<()> {
    let own = namespace.own_clusters().await.map_err(|unread| anyhow::anyhow!("{unread}"))?;
    for left in own {
        tracing::warn!(cluster = left.id.object_name(), "removing what an earlier drill left");
        let removed = runner::remove(namespace, &left.id, &left.uid).await;
        removed.map_err(|why| {
            anyhow::anyhow!("what the drill {} left behind is in the way: {why}", left.id)
        })?;
    }
    Ok(())
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

/// Where recovery will end; `None` where the log could not be read, or its backup does not say where it begins.
async fn foretell(archive: &Watched, world: &World, plan: &Restore) -> Option<RecoveryEnd> {
    let address = archive.spec.address.as_ref()?;
    let wal = archive.base_backup(plan.backup_id())?.parsed_info()?.wal?;
    let source = Source {
        store: world.stores.open(address, &archive.spec.access),
        turns: world.stores.turns(address),
        folder: address.folder(),
    };
    match route::foretell(source, plan, &wal).await {
        Ok(end) => end,
        Err(error) => {
            tracing::warn!(%error, "where recovery will end is not predicted: the log was not \
                                    read");
            None
        }
    }
}

impl Prepared {
    async fn of(
        config: DrillConfig,
        namespace: &DrillNamespace,
        began_at: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let DrillConfig { mut chosen, kind, seed, .. } = config;
        if !chosen.archives.is_empty() {
            // Whoever runs drills may read one cluster by its name, and list none.
            chosen.kubernetes =
                KubernetesConfig { enabled: KubernetesEnabled::Never, ..chosen.kubernetes };
        }
        let drills = chosen.drills.clone();
        let Selection { mut archives, world, .. } = Selection::of(chosen).await?;
        if archives.len() > 1 {
            let names: Vec<String> = archives.iter().map(|it| it.spec.id.to_string()).collect();
            return Err(ConfigError::late("drill", ONE_ARCHIVE, names.join(", ")).into());
        }
        let mut archive = archives.pop().with_context(|| format!("expected {ONE_ARCHIVE}"))?;
        let spec = archive.spec.id.clone();
        if spec.cluster.is_empty() {
            let expected = "a cluster, by --namespace and --cluster, or --local";
            return Err(ConfigError::late("drill", expected, "an address alone").into());
        }
        let source = namespace.source(&spec.namespace, &spec.cluster).await;
        let source = source.map_err(|unread| anyhow::anyhow!("{unread}"))?;
        let stores = namespace.stores().await.map_err(|unread| anyhow::anyhow!("{unread}"))?;
        let assessment = assess_once(&mut archive).await;
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(process::id()));
        let drawn = draw(&assessment, kind, seed);
        let drawn = drawn.map_err(|why| anyhow::anyhow!("there is nothing to restore: {why}"))?;
        let id = DrillId::new(began_at, kind, &spec.namespace, &spec.cluster);
        let checks = drills.checks_of(&spec.namespace, &spec.cluster).cloned().collect();
        Ok(Self { id, assessment, drawn, archive, world, source, stores, checks })
    }

    fn order<'a>(&'a self, namespace: &'a DrillNamespace) -> DrillOrder<'a> {
        DrillOrder {
            id: &self.id,
            namespace: namespace.name(),
            stores: &self.stores,
            source: &self.source,
            assessment: &self.assessment,
            restore: &self.drawn.restore,
        }
    }

    async fn run(
        &self,
        running: &mut Runner<'_>,
        cluster: &RecoveryCluster,
        kind: DrillKind,
    ) -> anyhow::Result<DrillReport> {
        let foretold = foretell(&self.archive, &self.world, &self.drawn.restore).await;
        let promise = Promise::of(&self.assessment, &self.drawn.restore, foretold);
        let major = self.assessment.totals.postgres_major.unwrap_or_default();
        let expected = Expected { promise: &promise, major, checks: &self.checks };
        let began_at = running.began_at;
        let outcome = running.run(cluster, expected).await?;
        Ok(self.report(kind, began_at, &promise, outcome))
    }

    fn report(
        &self,
        kind: DrillKind,
        began_at: DateTime<Utc>,
        promise: &Promise,
        outcome: Outcome,
    ) -> DrillReport {
        let (archive, restore) = (&self.assessment.archive, &self.drawn.restore);
        let operator = self.assessment.cluster.as_ref().and_then(|it| it.operator);
        let predicted = promise.predicted(outcome.reached.as_ref());
        let (class, detail) = match outcome.failure {
            Some(failure) => (failure.class, failure.detail),
            None => (DrillClass::Succeeded, "it was restored as it was promised".to_owned()),
        };
        DrillReport {
            form: DrillReport::FORM,
            kind,
            way: DrillWay::Operator,
            namespace: archive.namespace.clone(),
            cluster: archive.cluster.clone(),
            server_name: archive.server_name.clone(),
            began_at,
            ended_at: clock::now(),
            class,
            detail,
            backup_id: Some(restore.backup_id().to_string()),
            target: self.drawn.target(),
            phases: outcome.passed.phases(),
            volume: DrillVolume {
                base_bytes: restore.base_bytes,
                wal_bytes: restore.wal_bytes_max,
                wal_segments: restore.window.path.iter().map(|it| it.count).sum(),
            },
            predicted,
            reached: outcome.reached,
            checks: outcome.checks,
            versions: DrillVersions {
                verifier: build::VERSION.to_owned(),
                postgres: outcome.postgres,
                operator: operator.map(|it| it.to_string()),
            },
        }
    }
}
