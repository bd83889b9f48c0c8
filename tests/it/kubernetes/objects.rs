//! Objects as people write them.

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::world::SECRET;
use crate::kubernetes::world::World;
use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;

pub(super) const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";
pub(super) const STORE: &str = "store";

impl World {
    /// A `Cluster` with this `spec` beside the number of its instances.
    pub(super) fn cluster(&self, name: &str, spec: Value) -> Value {
        let mut cluster = json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"instances": 1, "storage": {"size": "1Gi"}},
        });
        merge(&mut cluster["spec"], spec);
        cluster
    }

    /// A `Cluster` that archives through the plugin.
    pub(super) fn plugin_cluster(&self, name: &str, parameters: Value) -> Value {
        self.cluster(name, json!({"plugins": [plugin(parameters)]}))
    }

    pub(super) fn object_store(&self, name: &str, path: &str) -> Value {
        json!({
            "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"retentionPolicy": "30d", "configuration": self.configuration(path)},
        })
    }

    /// The part that an `ObjectStore` and `barmanObjectStore` have in common.
    pub(super) fn configuration(&self, path: &str) -> Value {
        json!({
            "destinationPath": format!("s3://{BUCKET}{path}"),
            "endpointURL": self.s3.endpoint_url(),
            "s3Credentials": {
                "accessKeyId": {"name": SECRET, "key": "ACCESS_KEY_ID"},
                "secretAccessKey": {"name": SECRET, "key": "ACCESS_SECRET_KEY"},
            },
        })
    }

    /// The Secret that the store names.
    pub(super) fn secret(&self, access_key_id: &str, secret_access_key: &str) -> Value {
        let data = |text: &str| k8s_openapi::ByteString(text.as_bytes().to_vec());
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": self.namespace},
            "data": {
                "ACCESS_KEY_ID": data(access_key_id), "ACCESS_SECRET_KEY": data(secret_access_key),
            },
        })
    }

    /// A daily schedule of the cluster, named as it.
    pub(super) fn schedule(&self, cluster: &str) -> Value {
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "ScheduledBackup",
            "metadata": {"name": cluster, "namespace": self.namespace},
            "spec": {
                "schedule": "0 0 0 * * *", "cluster": {"name": cluster},
                "method": "plugin", "pluginConfiguration": {"name": PLUGIN},
            },
        })
    }

    pub(super) fn backup(&self, name: &str, cluster: &str) -> Value {
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup",
            "metadata": {
                "name": name, "namespace": self.namespace,
                "labels": {"cnpg.io/cluster": cluster, "cnpg.io/scheduled-backup": cluster},
            },
            "spec": {
                "cluster": {"name": cluster},
                "method": "plugin", "pluginConfiguration": {"name": PLUGIN},
            },
        })
    }

    /// The Deployment of the plugin; its status says whether it runs.
    pub(super) fn deployment(&self) -> Value {
        let labels = json!({"app": "barman-cloud"});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "barman-cloud", "namespace": self.operator_namespace, "labels": labels,
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{
                        "name": "barman-cloud",
                        "image": "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.14.0",
                    }]},
                },
            },
        })
    }

    /// A plugin that runs, and a cluster with store, schedule and archive, without a finding.
    pub(super) async fn install_cluster(&self, name: &str, archive: &MadeArchive) {
        self.install_plugin().await;
        self.store(archive, name);
        let objects = [
            self.object_store(STORE, "/"),
            self.plugin_cluster(name, to_store()),
            self.schedule(name),
        ];
        self.apply(&objects).await;
    }

    /// The plugin runs.
    pub(super) async fn install_plugin(&self) {
        let deployment = self.deployment();
        self.server.apply(&deployment).await;
        let status = json!({"replicas": 1, "readyReplicas": 1, "availableReplicas": 1});
        self.server.set_status(&deployment, &status).await;
    }
}

/// An entry of `spec.plugins` that archives.
pub(super) fn plugin(parameters: Value) -> Value {
    json!({"name": PLUGIN, "isWALArchiver": true, "parameters": parameters})
}

/// The parameter that names the store.
pub(super) fn to_store() -> Value {
    json!({"barmanObjectName": STORE})
}

/// Puts the fields of one map into another.
pub(super) fn merge(into: &mut Value, fields: Value) {
    for (name, value) in fields.as_object().unwrap() {
        into[name] = value.clone();
    }
}
