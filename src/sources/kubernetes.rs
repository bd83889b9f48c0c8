//! What Kubernetes shows of clusters and their backups: watched as long as the process runs,
//! resolved into archives whenever somebody asks.
//!
//! Writes nothing, and reads no Secret unless that was asked for.

mod connect;
mod content;
pub mod drills;
pub mod failure;
mod feeds;
mod instance_metrics;
pub mod jobs;
mod resolve;
mod resources;
mod secrets;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use futures::StreamExt;
use futures::stream;
use kube::Client;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::config::ExpectationConfig;
use crate::config::KubernetesConfig;
use crate::domain::cluster::ClusterId;
use crate::observation::Reading;
use crate::observation::cluster::WalArchiving;
use crate::sources::kubernetes::feeds::Feeds;
use crate::sources::kubernetes::instance_metrics::Instances;
use crate::sources::kubernetes::secrets::Secrets;
use crate::sources::kubernetes::secrets::StoreKeys;
use crate::sources::limits;
use crate::sources::store::s3::Asked;
use crate::sources::store::s3::CredentialSource;

pub use connect::ConnectError;
pub use resolve::Claims;
pub use resolve::Discovered;
pub use resolve::Discovery;
pub use resolve::Ground;
pub use resolve::SecretKeys;
pub use resolve::StoreCredentials;
pub use resolve::UnparsableObject;

/// Watches Kubernetes until it is dropped.
pub struct Kubernetes {
    client: Client,
    feeds: Feeds,
    secrets: Option<Secrets>,
    instances: Option<Instances>,
    seeks_orphans: bool,
}

impl Kubernetes {
    /// Connects and begins to watch; waits for no answer.
    ///
    /// `None` if Kubernetes is not to be asked, or only if there is one and there is none. Fails
    /// where what leads to it cannot be read, or is demanded and missing.
    pub async fn start(config: &KubernetesConfig) -> Result<Option<Self>, ConnectError> {
        let Some(client) = connect::connect(config.enabled).await? else { return Ok(None) };
        let instances = if config.instance_metrics { Some(Instances::new()?) } else { None };
        let feeds = Feeds::start(&client, config);
        let secrets = config.reads_secrets.then(|| Secrets::new(client.clone()));
        Ok(Some(Self { client, feeds, secrets, instances, seeks_orphans: config.seeks_orphans }))
    }

    /// Waits until the server has answered for every kind, be it with a refusal, at most this long.
    /// The answer is whether it has.
    pub async fn first_look(&self, patience: Duration) -> bool {
        let mut changes = self.changed();
        let looked = async {
            while !self.feeds.have_looked() {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        timeout(patience, looked).await.is_ok() && self.feeds.have_looked()
    }

    /// Changes with every change that was seen.
    pub fn changed(&self) -> Receiver<u64> {
        self.feeds.changes()
    }

    /// All clusters as they are now; `defaults` hold where no annotation says otherwise.
    ///
    /// Waits for nothing, unless Secrets are to be read: then for those that it has not read for a
    /// minute, each at most ten seconds.
    pub async fn discover(&self, now: DateTime<Utc>, defaults: &ExpectationConfig) -> Discovery {
        let mut content = self.feeds.content(Instant::now());
        if let Some(secrets) = &self.secrets {
            let mut names = resolve::named_secrets(&content);
            if self.seeks_orphans {
                names.append(&mut resolve::secrets_of_stores(&content));
            }
            content.secrets = Some(secrets.read_all(names).await);
        }
        let discovery = resolve::resolve(&content, defaults, now);
        let claims = discovery.claims.filter(|_| self.seeks_orphans);
        Discovery { claims, ..discovery }
    }

    /// With what a discovered store is opened; `None` is as the configuration says.
    pub fn credential_source(&self, credentials: &StoreCredentials) -> Option<CredentialSource> {
        match (credentials, &self.secrets) {
            (StoreCredentials::Secrets(keys), Some(secrets)) => {
                let keys = StoreKeys { keys: keys.clone(), secrets: secrets.clone() };
                Some(CredentialSource::Asked(Asked::new(Arc::new(keys))))
            }
            (StoreCredentials::DefaultChain, _) => Some(CredentialSource::DefaultChain),
            (StoreCredentials::Configured | StoreCredentials::Secrets(_), _) => None,
        }
    }

    /// What the primary says of its archiver; `None` unless instance metrics are asked for.
    pub async fn wal_archiving(&self, cluster: &ClusterId) -> Option<Reading<WalArchiving>> {
        let instances = self.instances.as_ref()?;
        let primary = self.feeds.primary(cluster, Instant::now())?;
        Some(match primary {
            Ok(primary) => instances.read(&primary).await,
            Err(unread) => Err(unread),
        })
    }

    /// Fills in [`Kubernetes::wal_archiving`] for all clusters, some at the same time.
    pub async fn ask_primaries(&self, discovery: &mut Discovery) {
        let Ok(clusters) = &mut discovery.clusters else { return };
        let asked = stream::iter(clusters).for_each_concurrent(
            limits::PRIMARIES_AT_ONCE,
            |discovered| async {
                let cluster = &mut discovered.cluster;
                cluster.wal_archiving = self.wal_archiving(&cluster.id).await;
            },
        );
        asked.await;
    }

    /// The connection, for what is written over it.
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}
