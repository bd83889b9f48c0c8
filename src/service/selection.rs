//! The archives that one pass of a command looks at: named, or found in Kubernetes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use anyhow::anyhow;

use crate::config::ChosenArchives;
use crate::config::ConfigError;
use crate::domain::cluster::ClusterId;
use crate::publication::snapshot::DiscoveryState;
use crate::service::clock;
use crate::service::fleet::Fleet;
use crate::service::own_metrics::OwnMetrics;
use crate::service::watched::Watched;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::store::opening::Stores;
use crate::sources::store::s3::S3Clients;

/// What was chosen, ready to be read.
pub(super) struct Selection {
    pub(super) archives: Vec<Watched>,
    pub(super) discovery: Option<DiscoveryState>,
    /// Keys in Secrets are read through it for as long as archives are.
    _kubernetes: Option<Arc<Kubernetes>>,
}

/// How long a command waits for the first lists of Kubernetes.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(10);

impl Selection {
    /// Asks Kubernetes where that is wanted. An error if there is nothing to look at.
    pub(super) async fn of(chosen: ChosenArchives) -> anyhow::Result<Self> {
        let metrics = OwnMetrics::register().context("register metrics")?;
        let clients = S3Clients::new(clock::now, metrics.requests.clone());
        let stores = Stores::new(clients, &chosen.credentials);
        let kubernetes = Kubernetes::start(&chosen.kubernetes).await;
        let kubernetes = kubernetes.context("reach Kubernetes")?.map(Arc::new);
        if let Some(kubernetes) = &kubernetes {
            kubernetes.first_look(FIRST_LOOK_MAX).await;
        }
        let mut fleet = Fleet::new(chosen.archives, chosen.expectations, stores)
            .discovered_by(kubernetes.clone())
            .held_to(chosen.flags);
        fleet.refresh(clock::now()).await;
        let discovery = fleet.discovery();
        let mut archives = fleet.into_watched();
        if let Some(cluster) = &chosen.cluster {
            archives.retain(|watched| {
                let id = &watched.spec().id;
                (&id.namespace, &id.cluster) == (&cluster.namespace, &cluster.name)
            });
        }
        if archives.is_empty() {
            return Err(absence(discovery, chosen.cluster));
        }
        Ok(Self { archives, discovery, _kubernetes: kubernetes })
    }
}

fn absence(discovery: Option<DiscoveryState>, cluster: Option<ClusterId>) -> anyhow::Error {
    match (discovery, cluster) {
        (None, _) => ConfigError::without_archives().into(),
        (Some(DiscoveryState::Down(why)), _) => anyhow!("nothing to look at: {why}"),
        (Some(DiscoveryState::Up), Some(cluster)) => ConfigError::late(
            "--namespace --cluster",
            "a cluster of the configuration or of Kubernetes",
            format!("{:?}", cluster.to_string()),
        )
        .into(),
        (Some(DiscoveryState::Up), None) => {
            anyhow!("there is no CloudNativePG cluster in Kubernetes")
        }
    }
}
