//! All watches together.

use std::sync::Arc;

use kube::Client;
use tokio::sync::watch;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::KubernetesConfig;
use crate::domain::cluster::ClusterId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::reading_in;
use crate::sources::kubernetes::instance_metrics;
use crate::sources::kubernetes::instance_metrics::Primary;
use crate::sources::kubernetes::resources::Backup;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::Deployment;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::ObjectStoreResource;
use crate::sources::kubernetes::resources::Pod;
use crate::sources::kubernetes::resources::ScheduledBackup;
use crate::sources::kubernetes::resources::drills::DrillResult;
use crate::sources::kubernetes::watch::Changes;
use crate::sources::kubernetes::watch::Feed;
use crate::sources::kubernetes::watch::Wanted;

/// `domain::drill_document::REPORT_LABEL` with its value.
const DRILL_RESULTS: &str = "backup-verifier.monosense.dev/drill-result=true";

/// The watches of all kinds; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Feeds {
    clusters: Vec<Feed<Cluster>>,
    backups: Vec<Feed<Backup>>,
    schedules: Vec<Feed<ScheduledBackup>>,
    stores: Vec<Feed<ObjectStoreResource>>,
    deployments: Feed<Deployment>,
    /// `None` where no namespace for restore drills is configured.
    drills: Option<Feed<DrillResult>>,
    /// `None` unless instance metrics are asked for.
    pods: Option<Vec<Feed<Pod>>>,
    operator_namespace: String,
    changes: Receiver<u64>,
    /// Aborts them when it is dropped.
    _tasks: JoinSet<()>,
}

/// Starts one watch of a kind for each namespace.
struct Starter<'a> {
    client: &'a Client,
    namespaces: &'a [String],
    changes: Changes,
    tasks: JoinSet<()>,
}

impl Feeds {
    pub(super) fn start(client: &Client, config: &KubernetesConfig) -> Self {
        let (changes, receiver) = watch::channel(0);
        let tasks = JoinSet::new();
        let mut starter = Starter { client, namespaces: &config.namespaces, changes, tasks };
        let any = Wanted::default();
        // A server that does not know clusters has none. Stores and backups that a cluster names
        // are another matter: without their kinds nothing is known of them.
        let clusters = Wanted { is_optional: true, ..Wanted::default() };
        let pods = Wanted { labels: Some(instance_metrics::PRIMARY), ..Wanted::default() };
        let operator = Some(config.operator_namespace.clone());
        let drills = config.drill_namespace.clone().map(|namespace| Wanted {
            namespace: Some(namespace),
            labels: Some(DRILL_RESULTS),
            ..Wanted::default()
        });
        Self {
            clusters: starter.feeds(&clusters),
            backups: starter.feeds(&any),
            schedules: starter.feeds(&any),
            stores: starter.feeds(&any),
            deployments: starter.feed(Wanted { namespace: operator, ..Wanted::default() }),
            drills: drills.map(|wanted| starter.feed(wanted)),
            pods: config.instance_metrics.then(|| starter.feeds(&pods)),
            operator_namespace: config.operator_namespace.clone(),
            changes: receiver,
            _tasks: starter.tasks,
        }
    }

    pub(super) fn changes(&self) -> Receiver<u64> {
        self.changes.clone()
    }

    pub(super) fn have_looked(&self) -> bool {
        have_looked(&self.clusters)
            && have_looked(&self.backups)
            && have_looked(&self.schedules)
            && have_looked(&self.stores)
            && self.deployments.has_looked()
            && self.drills.as_ref().is_none_or(Feed::has_looked)
            && self.pods.as_deref().is_none_or(have_looked)
    }

    /// Without Secrets.
    pub(super) fn content(&self, now: Instant) -> Content {
        Content {
            clusters: self.clusters.iter().map(|feed| feed.scope(now)).collect(),
            backups: self.backups.iter().map(|feed| feed.scope(now)).collect(),
            schedules: self.schedules.iter().map(|feed| feed.scope(now)).collect(),
            stores: self.stores.iter().map(|feed| feed.scope(now)).collect(),
            deployments: self.deployments.scope(now),
            drills: self.drills.as_ref().map(|feed| feed.scope(now)),
            operator_namespace: self.operator_namespace.clone(),
            secrets: None,
        }
    }

    /// `None` unless pods are watched.
    pub(super) fn primary(&self, cluster: &ClusterId, now: Instant) -> Option<Reading<Primary>> {
        let pods = self.pods.as_ref()?;
        let scopes: Vec<_> = pods.iter().map(|feed| feed.scope(now)).collect();
        let objects = match reading_in(&scopes, &cluster.namespace) {
            Ok(objects) => objects,
            Err(unread) => return Some(Err(unread)),
        };
        let mut primaries = objects.iter().filter_map(|(name, pod)| {
            let pod = pod.as_ref().ok().filter(|_| *name.namespace == *cluster.namespace)?;
            instance_metrics::is_primary_of(pod, &cluster.name).then_some((name, pod))
        });
        let primary = primaries.next().map(|(name, pod)| Primary {
            name: name.name.to_string(),
            pod: Arc::clone(pod),
            is_tls: self.is_tls(cluster, now),
        });
        Some(primary.ok_or_else(|| Unreadable {
            what: format!("read the metrics of {cluster}"),
            why: "no pod is its primary".to_owned(),
            reason: UnreadableReason::NotFound,
        }))
    }

    fn is_tls(&self, cluster: &ClusterId, now: Instant) -> bool {
        let namespace = cluster.namespace.as_str().into();
        let name = ObjectName { namespace, name: cluster.name.as_str().into() };
        self.clusters.iter().any(|feed| {
            let objects = feed.scope(now).last;
            let cluster = objects.as_deref().and_then(|objects| objects.get(&name)?.as_ref().ok());
            let monitoring = cluster.and_then(|cluster| cluster.spec.monitoring.as_ref());
            let tls = monitoring.and_then(|monitoring| monitoring.tls.as_ref());
            tls.is_some_and(|tls| tls.enabled.unwrap_or(false))
        })
    }
}

impl Starter<'_> {
    fn feeds<K: Kind>(&mut self, wanted: &Wanted) -> Vec<Feed<K>> {
        if self.namespaces.is_empty() {
            return vec![self.feed(wanted.clone())];
        }
        let namespaces = self.namespaces.iter();
        namespaces
            .map(|it| self.feed(Wanted { namespace: Some(it.clone()), ..wanted.clone() }))
            .collect()
    }

    fn feed<K: Kind>(&mut self, wanted: Wanted) -> Feed<K> {
        Feed::start(self.client, wanted, self.changes.clone(), &mut self.tasks)
    }
}

fn have_looked<K: Kind>(feeds: &[Feed<K>]) -> bool {
    feeds.iter().all(Feed::has_looked)
}
