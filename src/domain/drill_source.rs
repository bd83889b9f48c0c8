//! What a drill takes over from the `Cluster` whose archive it restores (`api/v1/cluster_types.go` of
//! CloudNativePG), and nothing else: whatever archives, connects or reports stays behind.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::cluster::BARMAN_PLUGIN;
use crate::domain::cluster::RecoveryParameters;
use crate::domain::cluster::Storage;
use crate::domain::recovery_cluster::Placement;

/// Libraries that act on their own in a restored database: they run jobs and send requests.
const DENIED_LIBRARIES: [&str; 2] = ["pg_cron", "pg_net"];

/// `CheckRequiredParameterValues` in `xlogrecovery.c`.
const RECOVERY_PARAMETERS: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// The source, as it is read by its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SourceCluster {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    image_name: Option<String>,
    storage: Option<Volume>,
    wal_storage: Option<Volume>,
    tablespaces: Option<Vec<Tablespace>>,
    postgresql: Option<Postgresql>,
    plugins: Option<Vec<Plugin>>,
    #[serde(flatten)]
    placement: Placement,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Postgresql {
    parameters: Option<BTreeMap<String, String>>,
    shared_preload_libraries: Option<Vec<String>>,
    extensions: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Tablespace {
    name: String,
    storage: Option<Volume>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Plugin {
    name: String,
    parameters: Option<PluginParameters>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PluginParameters {
    server_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    size: Option<String>,
    storage_class: Option<String>,
    /// A whole claim in place of both.
    pvc_template: Option<ClaimSpec>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSpec {
    storage_class_name: Option<String>,
    resources: Option<ClaimResources>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ClaimResources {
    requests: Option<ClaimRequests>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ClaimRequests {
    storage: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Status {
    image: Option<String>,
}

/// An `ObjectStore` in the namespace of drills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillStore {
    pub name: String,
    pub destination_path: String,
    pub endpoint_url: Option<String>,
}

impl SourceCluster {
    pub fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The folder that the plugin writes to.
    pub fn server_name(&self) -> &str {
        let mut plugins = self.spec.plugins.iter().flatten();
        let parameters = plugins.find(|it| it.name == BARMAN_PLUGIN);
        let parameters = parameters.and_then(|it| it.parameters.as_ref());
        parameters.and_then(|it| it.server_name.as_deref()).unwrap_or(self.name())
    }

    /// The image that runs, wherever it was named: a catalogue of images belongs to one namespace.
    pub fn image(&self) -> Option<&str> {
        let running = self.status.as_ref().and_then(|status| status.image.as_deref());
        running.filter(|image| !image.is_empty()).or(self.spec.image_name.as_deref())
    }

    pub fn storage(&self) -> Option<Storage> {
        self.spec.storage.as_ref()?.storage()
    }

    pub fn wal_storage(&self) -> Option<Storage> {
        self.spec.wal_storage.as_ref()?.storage()
    }

    /// The volume that a tablespace of this name has.
    pub fn tablespace(&self, name: &str) -> Option<Storage> {
        let mut tablespaces = self.spec.tablespaces.iter().flatten();
        tablespaces.find(|it| it.name == name)?.storage.as_ref()?.storage()
    }

    /// Those that recovery insists on, as they are written.
    pub fn recovery_parameters(&self) -> RecoveryParameters {
        let set = self.spec.postgresql.as_ref().and_then(|it| it.parameters.as_ref());
        let set = |name| set.and_then(|it| it.get(name)).cloned();
        RECOVERY_PARAMETERS.into_iter().filter_map(|name| Some((name, set(name)?))).collect()
    }

    /// Without those that act on their own.
    pub fn libraries(&self) -> Vec<String> {
        let all = self.spec.postgresql.iter().flat_map(|it| &it.shared_preload_libraries).flatten();
        all.filter(|it| !DENIED_LIBRARIES.contains(&it.as_str())).cloned().collect()
    }

    pub fn extensions(&self) -> Option<&Value> {
        self.spec.postgresql.as_ref()?.extensions.as_ref()
    }

    pub const fn placement(&self) -> &Placement {
        &self.spec.placement
    }
}

impl Volume {
    fn storage(&self) -> Option<Storage> {
        let template = self.pvc_template.as_ref();
        let requests = template.and_then(|it| it.resources.as_ref()?.requests.as_ref());
        let size = self.size.as_ref().or(requests.and_then(|it| it.storage.as_ref()))?;
        let class = template.and_then(|it| it.storage_class_name.as_ref());
        let class = self.storage_class.as_ref().or(class);
        Some(Storage { size: size.clone(), storage_class: class.cloned() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(spec: &Value, status: &Value) -> SourceCluster {
        let metadata = json!({"name": "main", "namespace": "databases"});
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn the_image_is_the_one_that_runs() {
        let spec = json!({"imageName": "postgresql:17"});
        let running = json!({"image": "postgresql:17.5@sha256:00"});
        assert_eq!(source(&spec, &running).image(), Some("postgresql:17.5@sha256:00"));
        assert_eq!(source(&spec, &json!(null)).image(), Some("postgresql:17"));
        assert_eq!(source(&json!({}), &json!({"image": ""})).image(), None);
    }

    #[test]
    fn libraries_that_act_on_their_own_stay_behind() {
        let libraries = json!(["pg_cron", "pgaudit", "pg_net", "timescaledb"]);
        let spec = json!({"postgresql": {"shared_preload_libraries": libraries}});
        assert_eq!(source(&spec, &json!({})).libraries(), ["pgaudit", "timescaledb"]);
    }

    #[test]
    fn a_volume_is_as_large_as_the_sources_however_that_is_written() {
        let template = json!({"storageClassName": "fast",
            "resources": {"requests": {"storage": "20Gi"}}});
        let spec = json!({
            "storage": {"size": "10Gi", "storageClass": "slow"},
            "walStorage": {"pvcTemplate": template},
            "tablespaces": [{"name": "cold", "storage": {"size": "5Gi"}}],
        });
        let source = source(&spec, &json!({}));
        let storage = |size: &str, class: Option<&str>| {
            let storage_class = class.map(str::to_owned);
            Some(Storage { size: size.to_owned(), storage_class })
        };
        assert_eq!(source.storage(), storage("10Gi", Some("slow")));
        assert_eq!(source.wal_storage(), storage("20Gi", Some("fast")));
        assert_eq!(source.tablespace("cold"), storage("5Gi", None));
        assert_eq!(source.tablespace("other"), None);
    }

    #[test]
    fn the_server_name_is_the_plugins_parameter_or_the_clusters_name() {
        let plugin = |parameters: Value| json!({"plugins": [{"name": "other"}, {"name": BARMAN_PLUGIN, "parameters": parameters}]});
        let named = plugin(json!({"serverName": "main-2"}));
        assert_eq!(source(&named, &json!({})).server_name(), "main-2");
        assert_eq!(source(&plugin(json!({})), &json!({})).server_name(), "main");
        assert_eq!(source(&json!({}), &json!({})).server_name(), "main");
    }
}
