//! Creates and deletes what belongs to a drill, in the namespace of drills and nowhere else.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::ObjectMeta;
use kube::api::PostParams;
use kube::api::Preconditions;
use kube::api::PropagationPolicy;
use tokio::time::timeout;

use crate::domain::drill::DrillReport;
use crate::domain::drill_document::REPORT_KEY;
use crate::domain::drill_document::REPORT_LABEL;
use crate::domain::drill_id::DrillId;
use crate::domain::drill_id::ID_LABEL;
use crate::domain::drill_id::SOURCE_ANNOTATION;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::sources::kubernetes::drills::DrillNamespace;
use crate::sources::kubernetes::drills::StoredResult;
use crate::sources::kubernetes::drills::cluster_resource;
use crate::sources::kubernetes::failure;
use crate::sources::limits;

/// Why there is no `Cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCreated {
    /// Somebody else has something of this name.
    Taken,
    /// By quota, rights or whoever admits objects, in the server's words.
    Refused(String),
    /// Nobody knows whether there is one now.
    Unanswered(String),
}

/// The results of one cluster that are kept: more than two years of a full drill each quarter.
pub const RESULTS_KEPT: usize = 10;

/// Creates a drill's cluster; the answer is its UID.
pub async fn create_cluster(
    namespace: &DrillNamespace,
    cluster: &RecoveryCluster,
) -> Result<String, NotCreated> {
    let object = serde_json::to_value(cluster).and_then(serde_json::from_value);
    let object: DynamicObject = object.map_err(|error| NotCreated::Refused(error.to_string()))?;
    let api = clusters(namespace);
    match timeout(limits::KUBERNETES_CALL, api.create(&PostParams::default(), &object)).await {
        Ok(Ok(created)) => Ok(created.metadata.uid.unwrap_or_default()),
        Ok(Err(kube::Error::Api(status))) if status.is_already_exists() => Err(NotCreated::Taken),
        Ok(Err(error @ kube::Error::Api(_))) => Err(NotCreated::Refused(failure::why(&error))),
        Ok(Err(error)) => Err(NotCreated::Unanswered(failure::why(&error))),
        Err(_) => Err(NotCreated::Unanswered(no_answer())),
    }
}

/// Deletes this cluster, and none that has come in its place. In the foreground: it is gone once
/// everything is gone that it owns.
pub async fn delete_cluster(
    namespace: &DrillNamespace,
    id: &DrillId,
    uid: &str,
) -> Result<(), String> {
    let api = clusters(namespace);
    let this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    let parameters = parameters.preconditions(this);
    match timeout(limits::KUBERNETES_CALL, api.delete(&id.object_name(), &parameters)).await {
        Ok(Ok(_)) => Ok(()),
        // It is gone, or another one has its name.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(()),
        Ok(Err(error)) => Err(failure::why(&error)),
        Err(_) => Err(no_answer()),
    }
}

/// Keeps a result where the daemon reads it.
pub async fn write_result(
    namespace: &DrillNamespace,
    id: &DrillId,
    report: &DrillReport,
) -> Result<(), String> {
    let text = serde_json::to_string(report).map_err(|error| error.to_string())?;
    let map = result(id, report, text);
    let api: Api<ConfigMap> = Api::namespaced(namespace.client().clone(), namespace.name());
    match timeout(limits::KUBERNETES_CALL, api.create(&PostParams::default(), &map)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failure::why(&error)),
        Err(_) => Err(no_answer()),
    }
}

fn result(id: &DrillId, report: &DrillReport, text: String) -> ConfigMap {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let labels = BTreeMap::from([pair(ID_LABEL, id.as_str()), pair(REPORT_LABEL, "true")]);
    let annotations = BTreeMap::from([pair(SOURCE_ANNOTATION, &source_of(report))]);
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(id.object_name()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(REPORT_KEY.to_owned(), text)])),
        ..ConfigMap::default()
    }
}

fn source_of(report: &DrillReport) -> String {
    format!("{}.{}", report.namespace, report.cluster)
}

/// Deletes the oldest results of a cluster beyond [`RESULTS_KEPT`]. What cannot be deleted now is deleted
/// after another drill.
pub async fn prune_results(
    namespace: &DrillNamespace,
    report: &DrillReport,
    stored: &[StoredResult],
) {
    let api: Api<ConfigMap> = Api::namespaced(namespace.client().clone(), namespace.name());
    for old in beyond(stored, &source_of(report)) {
        let this = Preconditions { uid: Some(old.uid.clone()), resource_version: None };
        let parameters = DeleteParams::default().preconditions(this);
        let deleted = timeout(limits::KUBERNETES_CALL, api.delete(&old.name, &parameters)).await;
        if let Ok(Err(error)) = deleted {
            let why = failure::why(&error);
            tracing::debug!(result = old.name, why, "an old result was not deleted");
        }
    }
}

/// Those of a source that are too many, of all in the order of their age.
fn beyond<'a>(stored: &'a [StoredResult], source: &str) -> Vec<&'a StoredResult> {
    let own: Vec<&StoredResult> = stored.iter().filter(|it| it.source == source).collect();
    let too_many = own.len().saturating_sub(RESULTS_KEPT);
    own.into_iter().take(too_many).collect()
}

fn clusters(namespace: &DrillNamespace) -> Api<DynamicObject> {
    let client = namespace.client().clone();
    Api::namespaced_with(client, namespace.name(), &cluster_resource())
}

fn no_answer() -> String {
    format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_of_each_cluster_are_kept() {
        let result = |number: usize, source: &str| StoredResult {
            name: format!("drill-{number:02}"),
            uid: String::new(),
            source: source.to_owned(),
        };
        let mut stored: Vec<StoredResult> = (0..12).map(|it| result(it, "a.main")).collect();
        stored.extend((12..22).map(|it| result(it, "b.main")));
        let names = |source: &str| -> Vec<String> {
            beyond(&stored, source).into_iter().map(|it| it.name.clone()).collect()
        };
        assert_eq!(names("a.main"), ["drill-00", "drill-01"]);
        assert_eq!(names("b.main"), Vec::<String>::new());
    }
}
