//! The Jobs that read base backups, as Kubernetes shows them with their pods, and the pod that this
//! program runs in, after which theirs are made.

mod state;

use std::fmt;

use k8s_openapi::api::core::v1;
use kube::Api;
use kube::Client;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::job::ObservedJob;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::failure;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::jobs::Job;
use crate::sources::kubernetes::resources::jobs::JobPod;
use crate::sources::kubernetes::watch::Feed;
use crate::sources::kubernetes::watch::Wanted;
use crate::sources::limits;

/// What `app.kubernetes.io/name` is of these Jobs and of their pods: not that of the daemon, whose
/// Service would take them for it.
pub const APP: &str = "cnpg-backup-verifier-read";

/// By which they are found.
pub const APP_LABEL: &str = "app.kubernetes.io/name";

/// The label with a digest of the archive.
pub const ARCHIVE_LABEL: &str = "backup-verifier.monosense.dev/archive";

/// The label with the identifier of the backup.
pub const BACKUP_LABEL: &str = "backup-verifier.monosense.dev/backup";

const SELECTOR: &str = "app.kubernetes.io/name=cnpg-backup-verifier-read";

/// Watches the namespace that the program runs in, until it is dropped.
pub struct Jobs {
    client: Client,
    jobs: Feed<Job>,
    pods: Feed<JobPod>,
    changes: Receiver<u64>,
    /// Aborts them when it is dropped.
    _tasks: JoinSet<()>,
}

impl Jobs {
    /// Waits for no answer.
    pub fn watch(kubernetes: &Kubernetes) -> Self {
        let client = kubernetes.client().clone();
        let namespace = Some(client.default_namespace().to_owned());
        let wanted = Wanted { namespace, labels: Some(SELECTOR), is_optional: false };
        let (changes, receiver) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let jobs = Feed::start(&client, wanted.clone(), changes.clone(), &mut tasks);
        let pods = Feed::start(&client, wanted, changes, &mut tasks);
        Self { client, jobs, pods, changes: receiver, _tasks: tasks }
    }

    /// The connection, for what is written over it.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    pub fn namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Changes with every change that was seen.
    pub fn changed(&self) -> Receiver<u64> {
        self.changes.clone()
    }

    /// All of them as they are now.
    pub fn all(&self) -> Reading<Vec<ObservedJob>> {
        let now = Instant::now();
        let (jobs, pods) = (self.jobs.scope(now), self.pods.scope(now));
        let (jobs, pods) = (readable(&jobs)?, readable(&pods)?);
        let pods: Vec<_> = pods.map(|(_, pod)| pod).collect();
        Ok(jobs.map(|(name, job)| state::observed(&name.name, job, &pods)).collect())
    }

    /// The pod of this name.
    pub async fn pod(&self, name: &str) -> Reading<v1::PodSpec> {
        let what = || format!("read the pod {name} in {}", self.namespace());
        let api: Api<v1::Pod> = Api::default_namespaced(self.client.clone());
        // Who may list it need not be allowed to get it.
        let wanted = ListParams::default().fields(&format!("metadata.name={name}")).limit(1);
        let listed = timeout(limits::KUBERNETES_CALL, api.list(&wanted)).await;
        let listed = listed.map_err(|_| Unreadable {
            what: what(),
            why: format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs()),
            reason: UnreadableReason::Timeout,
        })?;
        let listed = listed.map_err(|error| failure::unreadable(what(), &error))?;
        let pod = listed.items.into_iter().next().and_then(|pod| pod.spec);
        pod.ok_or_else(|| Unreadable {
            what: what(),
            why: "there is none".to_owned(),
            reason: UnreadableReason::NotFound,
        })
    }
}

type Seen<'a, K> = (&'a ObjectName, &'a <K as Kind>::Kept);

/// Those that parse: others are none of ours.
fn readable<K: Kind>(scope: &Scope<K>) -> Reading<impl Iterator<Item = Seen<'_, K>>> {
    let objects = scope.reading().map_err(Unreadable::clone)?;
    Ok(objects.iter().filter_map(|(name, object)| Some((name, object.as_ref().ok()?.as_ref()))))
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}
