//! What a drill restores, made ready, and what is written down of it.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::process;

use anyhow::Context;
use chrono::DateTime;
use chrono::Utc;

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
use crate::publication::drill_manifest::DrillOrder;
use crate::restore::delivery::Source;
use crate::restore::route;
use crate::restore::route::Foretold;
use crate::service::build;
use crate::service::check::assess_once;
use crate::service::clock;
use crate::service::drill::operator::classes::Failure;
use crate::service::drill::operator::proof::Promise;
use crate::service::drill::operator::runner::Expected;
use crate::service::drill::operator::runner::Outcome;
use crate::service::drill::operator::runner::Runner;
use crate::service::selection::Selection;
use crate::service::watched::Watched;
use crate::service::world::World;
use crate::sources::kubernetes::drills::DrillNamespace;
use crate::wal::Demands;

/// What will be restored, and everything that is needed for it.
pub(super) struct Prepared {
    pub(super) id: DrillId,
    assessment: Assessment,
    drawn: DrawnTarget,
    /// Where the log says that recovery will end.
    foretold: Option<RecoveryEnd>,
    archive: Watched,
    /// Through which the archive is read.
    world: World,
    source: SourceCluster,
    stores: Vec<DrillStore>,
    checks: Vec<DrillCheck>,
}

/// Nothing where the log could not be read, or its backup does not say where it begins.
async fn foretell(archive: &Watched, world: &World, plan: &Restore) -> Option<Foretold> {
    let address = archive.spec.address.as_ref()?;
    let wal = archive.base_backup(plan.backup_id())?.parsed_info()?.wal?;
    let source = Source {
        store: world.stores.open(address, &archive.spec.access),
        turns: world.stores.turns(address),
        folder: address.folder(),
    };
    match route::foretell(source, plan, &wal).await {
        Ok(foretold) => Some(foretold),
        Err(error) => {
            tracing::warn!(%error, "where recovery will end is not predicted: the log was not read");
            None
        }
    }
}

impl Prepared {
    pub(super) async fn of(
        config: DrillConfig,
        namespace: &DrillNamespace,
        id: DrillId,
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
        let checks = drills.checks_of(&spec.namespace, &spec.cluster).cloned().collect();
        let foretold = None;
        Ok(Self { id, assessment, drawn, foretold, archive, world, source, stores, checks })
    }

    /// Reads the log on the way: where it will end, and what the cluster must be set to for that. Of the
    /// segments in between nothing was read before, and one raised parameter keeps recovery waiting.
    pub(super) async fn foretell(&mut self) {
        let plan = &mut self.drawn.restore;
        let Some(foretold) = foretell(&self.archive, &self.world, plan).await else { return };
        self.foretold = foretold.end;
        // A tablespace that is made on the way has no place, whatever the cluster is set to.
        let parameters = foretold.demands.parameters;
        if parameters.is_some() {
            let demands = Demands { parameters, tablespaces: BTreeSet::new() };
            plan.window.demands.get_or_insert_default().add(&demands);
        }
    }

    pub(super) fn order<'a>(&'a self, namespace: &'a DrillNamespace) -> DrillOrder<'a> {
        DrillOrder {
            id: &self.id,
            namespace: namespace.name(),
            stores: &self.stores,
            source: &self.source,
            assessment: &self.assessment,
            restore: &self.drawn.restore,
        }
    }

    pub(super) async fn run(
        &self,
        running: &mut Runner<'_>,
        cluster: &RecoveryCluster,
        kind: DrillKind,
    ) -> anyhow::Result<DrillReport> {
        let promise = Promise::of(&self.assessment, &self.drawn.restore, self.foretold.clone());
        let major = self.assessment.totals.postgres_major.unwrap_or_default();
        let expected = Expected { promise: &promise, major, checks: &self.checks };
        let began_at = running.term.began_at;
        let outcome = running.run(cluster, expected).await?;
        let predicted = promise.predicted(outcome.reached.as_ref());
        Ok(self.report(kind, began_at, predicted, outcome))
    }

    /// Of a drill that did not begin, since something is in its way.
    pub(super) fn blocked(
        &self,
        kind: DrillKind,
        began_at: DateTime<Utc>,
        why: Failure,
    ) -> DrillReport {
        let outcome = Outcome { failure: Some(why), ..Outcome::default() };
        self.report(kind, began_at, None, outcome)
    }

    fn report(
        &self,
        kind: DrillKind,
        began_at: DateTime<Utc>,
        predicted: Option<RecoveryEnd>,
        outcome: Outcome,
    ) -> DrillReport {
        let (archive, restore) = (&self.assessment.archive, &self.drawn.restore);
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
                operator: outcome.operator,
            },
        }
    }
}
