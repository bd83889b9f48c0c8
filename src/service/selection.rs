//! The archives that one pass of a command looks at: named, or found in Kubernetes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use crate::config::ChosenArchives;
use crate::config::ConfigError;
use crate::config::scope_flags;
use crate::domain::cluster::ClusterScope;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::snapshot::OrphanSearch;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::archive_spec::drill_expectation;
use crate::service::clock;
use crate::service::fleet::Fleet;
use crate::service::orphans::search;
use crate::service::pace::Pace;
use crate::service::progress;
use crate::service::watched::Watched;
use crate::service::world::World;

/// What was chosen, ready to be read.
pub(super) struct Selection {
    pub(super) archives: Vec<Watched>,
    pub(super) discovery: Option<DiscoveryState>,
    /// Whether all orphans are among them; `None` where nobody looked for any.
    pub(super) orphan_search: Option<OrphanSearch>,
    /// Keys in Secrets are read through it for as long as archives are.
    pub(super) world: World,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breadth {
    Clusters,
    /// And what no cluster names.
    Orphans,
}

/// How long a command waits for the first lists of Kubernetes.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(10);

impl Selection {
    /// Asks Kubernetes where that is wanted. An error if there is nothing to look at.
    pub(super) async fn of(chosen: ChosenArchives) -> anyhow::Result<Self> {
        Self::choose(chosen, Breadth::Clusters).await
    }

    /// The same with orphans, unless one cluster was chosen.
    pub(super) async fn with_orphans(chosen: ChosenArchives) -> anyhow::Result<Self> {
        Self::choose(chosen, Breadth::Orphans).await
    }

    async fn choose(chosen: ChosenArchives, breadth: Breadth) -> anyhow::Result<Self> {
        let (credentials, object_stores) = (&chosen.credentials, chosen.object_stores);
        let (bzip2, kubernetes) = (chosen.bzip2_decoder, &chosen.kubernetes);
        let world = World::open(credentials, object_stores, bzip2, kubernetes).await?;
        let mut fleet = Fleet::new(chosen.archives, chosen.expectations, chosen.flags)
            .drilled(drill_expectation(&chosen.drills));
        if let Some(kubernetes) = &world.kubernetes {
            let _shown = progress::wait("asking Kubernetes".to_owned());
            kubernetes.first_look(FIRST_LOOK_MAX).await;
            fleet.refresh(kubernetes, clock::now()).await;
            if breadth == Breadth::Orphans {
                let errands = fleet.orphans_mut().errands();
                let found = search(&world.stores, errands).await;
                fleet.orphans_mut().note(found);
            }
        }
        let is_chosen = |spec: &&Arc<ArchiveSpec>| {
            chosen.scope.as_ref().is_none_or(|it| it.holds(&spec.id.namespace, &spec.id.cluster))
        };
        let orphans = match breadth {
            Breadth::Orphans => fleet.orphans().specs(),
            Breadth::Clusters => Vec::new(),
        };
        let orphan_search = fleet.orphans().search_state().filter(|_| breadth == Breadth::Orphans);
        let all = [fleet.specs(), &orphans].concat();
        let specs = all.iter().filter(is_chosen).cloned();
        let pace = Pace::once().opening(chosen.segments_per_look);
        let archives: Vec<Watched> =
            specs.map(|spec| Watched::new(spec, &world.stores, pace)).collect();
        if archives.is_empty() {
            return Err(absence(fleet.discovery(), chosen.scope));
        }
        Ok(Self { archives, discovery: fleet.discovery(), orphan_search, world })
    }
}

fn absence(discovery: Option<DiscoveryState>, scope: Option<ClusterScope>) -> anyhow::Error {
    match (discovery, scope) {
        (None, _) => ConfigError::without_archives().into(),
        (Some(DiscoveryState::Down(why)), _) => anyhow!("nothing to look at: {why}"),
        (Some(DiscoveryState::Up), Some(scope)) => ConfigError::late(
            scope_flags(&scope),
            "a cluster of the configuration or of Kubernetes",
            format!("{:?}", scope.to_string()),
        )
        .into(),
        (Some(DiscoveryState::Up), None) => {
            anyhow!("there is no CloudNativePG cluster in Kubernetes")
        }
    }
}
