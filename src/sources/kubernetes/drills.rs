//! What a drill reads of Kubernetes: its source by name, and in the namespace of drills what is its own.

mod seen;

use std::fmt;
use std::future::Future;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::api::ApiResource;
use kube::api::DynamicObject;
use kube::api::GroupVersionKind;
use kube::api::ListParams;
use kube::api::LogParams;
use kube::api::ObjectList;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::config::KubernetesEnabled;
use crate::domain::drill_document::REPORT_LABEL;
use crate::domain::drill_id::DrillId;
use crate::domain::drill_id::ID_LABEL;
use crate::domain::drill_id::SOURCE_ANNOTATION;
use crate::domain::drill_source::DrillStore;
use crate::domain::drill_source::SourceCluster;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::recovery::Login;
use crate::observation::recovery::SeenRecovery;
use crate::sources::kubernetes::connect;
use crate::sources::kubernetes::connect::ConnectError;
use crate::sources::kubernetes::failure;
use crate::sources::limits;

/// On everything that CloudNativePG makes for a cluster (`pkg/specs/jobs.go`, `pkg/specs/pods.go`).
const CLUSTER_LABEL: &str = "cnpg.io/cluster";

/// The namespace of drills.
#[derive(Clone)]
pub struct DrillNamespace {
    client: Client,
    name: String,
}

/// A `Cluster` that some drill has made, whenever that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCluster {
    pub id: DrillId,
    pub uid: String,
}

/// The result of a drill, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResult {
    pub name: String,
    pub uid: String,
    pub source: String,
}

impl DrillNamespace {
    /// The one of this name, or else the one that this program runs in. `None` where there is no way to
    /// Kubernetes.
    pub async fn connect(
        enabled: KubernetesEnabled,
        name: Option<String>,
    ) -> Result<Option<Self>, ConnectError> {
        let Some(client) = connect::connect(enabled).await? else { return Ok(None) };
        let name = name.unwrap_or_else(|| client.default_namespace().to_owned());
        Ok(Some(Self { client, name }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connection, for what is written over it.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The cluster whose archive is restored.
    pub async fn source(&self, namespace: &str, name: &str) -> Reading<SourceCluster> {
        let what = format!("read the cluster {namespace}/{name}");
        let api = Api::namespaced_with(self.client.clone(), namespace, &cluster_resource());
        let found: DynamicObject = within(&what, api.get(name)).await?;
        let object = serde_json::to_value(found).map_err(|error| unparsable(&what, &error))?;
        serde_json::from_value(object).map_err(|error| unparsable(&what, &error))
    }

    pub async fn stores(&self) -> Reading<Vec<DrillStore>> {
        let what = format!("list the object stores of {}", self.name);
        let kind = GroupVersionKind::gvk("barmancloud.cnpg.io", "v1", "ObjectStore");
        let resource = ApiResource::from_gvk(&kind);
        let api = Api::namespaced_with(self.client.clone(), &self.name, &resource);
        let all = ListParams::default().limit(limits::KUBERNETES_PAGE);
        let listed = whole(&what, within(&what, api.list(&all)).await?)?;
        Ok(listed.iter().filter_map(seen::store).collect())
    }

    /// What drills have made and not removed, oldest first.
    pub async fn own_clusters(&self) -> Reading<Vec<OwnCluster>> {
        let what = format!("list the clusters of {}", self.name);
        let ours = ListParams::default().labels(ID_LABEL).limit(limits::KUBERNETES_PAGE);
        let listed = whole(&what, within(&what, self.clusters().list(&ours)).await?)?;
        let mut own: Vec<OwnCluster> = listed.iter().filter_map(seen::own_cluster).collect();
        own.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(own)
    }

    /// One look at a drill's cluster.
    pub async fn recovery(&self, name: &str) -> Reading<SeenRecovery> {
        let what = format!("read the cluster {}/{name}", self.name);
        let cluster = within(&what, self.clusters().get_opt(name)).await?;
        let (jobs, pods) =
            futures::try_join!(self.of_cluster::<Job>(name), self.of_cluster::<Pod>(name))?;
        // They explain, and decide nothing alone: whoever may not read them knows less.
        let events = self.events(name).await.unwrap_or_default();
        Ok(seen::recovery(cluster.as_ref(), &jobs, &pods, &events))
    }

    /// What a container has logged in the last seconds, each line behind its time.
    pub async fn log(&self, pod: &str, container: &str, seconds: i64) -> Reading<String> {
        let what = format!("read the log of {}/{pod}", self.name);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.name);
        let wanted = LogParams {
            container: Some(container.to_owned()),
            since_seconds: Some(seconds.max(1)),
            limit_bytes: Some(limits::POD_LOG_BYTES_MAX),
            timestamps: true,
            ..LogParams::default()
        };
        within(&what, api.logs(pod, &wanted)).await
    }

    /// What is left of a cluster, by kind and name.
    pub async fn remains(&self, name: &str) -> Reading<Vec<String>> {
        let what = format!("read the cluster {}/{name}", self.name);
        let cluster = within(&what, self.clusters().get_opt(name)).await?;
        let mut left: Vec<String> = cluster.iter().map(|_| format!("Cluster {name}")).collect();
        left.extend(named("Job", &self.of_cluster::<Job>(name).await?));
        left.extend(named("Pod", &self.of_cluster::<Pod>(name).await?));
        let claims = self.of_cluster::<PersistentVolumeClaim>(name).await?;
        left.extend(named("PersistentVolumeClaim", &claims));
        Ok(left)
    }

    /// How its superuser reaches a restored cluster: CloudNativePG writes it for whoever asks for that
    /// access (`CreateSecret` in `pkg/specs/secrets.go`).
    pub async fn login(&self, cluster: &str) -> Reading<Login> {
        let what = format!("read the Secret {}/{cluster}-superuser", self.name);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.name);
        let secret = within(&what, api.get(&format!("{cluster}-superuser"))).await?;
        seen::login(&secret).ok_or_else(|| Unreadable {
            what,
            why: "it has no host, port, username and password".to_owned(),
            reason: UnreadableReason::Parse,
        })
    }

    /// The results that are kept, oldest first.
    pub async fn results(&self) -> Reading<Vec<StoredResult>> {
        let what = format!("list the results of drills in {}", self.name);
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.name);
        let label = format!("{REPORT_LABEL}=true");
        let ours = ListParams::default().labels(&label).limit(limits::DRILL_RESULTS_MAX);
        let listed = whole(&what, within(&what, api.list(&ours)).await?)?;
        let result = |map: &ConfigMap| {
            let annotations = map.metadata.annotations.as_ref()?;
            Some(StoredResult {
                name: map.metadata.name.clone()?,
                uid: map.metadata.uid.clone()?,
                source: annotations.get(SOURCE_ANNOTATION)?.clone(),
            })
        };
        let mut results: Vec<StoredResult> = listed.iter().filter_map(result).collect();
        results.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(results)
    }

    async fn events(&self, cluster: &str) -> Reading<Vec<Event>> {
        let what = format!("list the events of {}", self.name);
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let warnings = ListParams::default().fields("type=Warning").limit(limits::KUBERNETES_PAGE);
        let listed = whole(&what, within(&what, api.list(&warnings)).await?)?;
        let is_own = |event: &Event| {
            let name = event.regarding.as_ref().and_then(|it| it.name.as_deref());
            name.is_some_and(|name| name.starts_with(cluster))
        };
        Ok(listed.into_iter().filter(is_own).collect())
    }

    async fn of_cluster<K>(&self, cluster: &str) -> Reading<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + fmt::Debug + DeserializeOwned,
    {
        let what = format!("list the {} of {}", K::plural(&()), self.name);
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.name);
        let label = format!("{CLUSTER_LABEL}={cluster}");
        let own = ListParams::default().labels(&label).limit(limits::KUBERNETES_PAGE);
        whole(&what, within(&what, api.list(&own)).await?)
    }

    fn clusters(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &cluster_resource())
    }
}

/// CloudNativePG's.
pub fn cluster_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("postgresql.cnpg.io", "v1", "Cluster"))
}

async fn within<T>(what: &str, call: impl Future<Output = kube::Result<T>>) -> Reading<T> {
    let answered = timeout(limits::KUBERNETES_CALL, call).await.map_err(|_| Unreadable {
        what: what.to_owned(),
        why: format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs()),
        reason: UnreadableReason::Timeout,
    })?;
    answered.map_err(|error| failure::unreadable(what.to_owned(), &error))
}

/// A list that goes on is more than a namespace of drills has.
fn whole<K: Clone>(what: &str, listed: ObjectList<K>) -> Reading<Vec<K>> {
    if listed.metadata.continue_.is_some_and(|token| !token.is_empty()) {
        return Err(Unreadable {
            what: what.to_owned(),
            why: format!("there are more than {}", listed.items.len()),
            reason: UnreadableReason::Internal,
        });
    }
    Ok(listed.items)
}

fn unparsable(what: &str, error: &serde_json::Error) -> Unreadable {
    let (what, why) = (what.to_owned(), error.to_string());
    Unreadable { what, why, reason: UnreadableReason::Parse }
}

fn named<K: Resource>(kind: &str, objects: &[K]) -> Vec<String> {
    let name = |object: &K| format!("{kind} {}", object.meta().name.as_deref().unwrap_or_default());
    objects.iter().map(name).collect()
}

/// A text below these keys.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl fmt::Debug for DrillNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DrillNamespace").field(&self.name).finish()
    }
}
