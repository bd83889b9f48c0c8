//! Objects of the stage, as people write them.

use serde_json::Value;
use serde_json::json;

use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::SOURCES;
use crate::operator_drills::stage::Stage;

const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

impl Stage {
    /// Of the namespace of drills.
    pub(super) fn store(&self, destination_path: &str) -> Value {
        self.store_in(DRILLS, "drills", destination_path)
    }

    pub(super) fn store_in(&self, namespace: &str, name: &str, destination_path: &str) -> Value {
        json!({
            "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"configuration": {
                "destinationPath": destination_path, "endpointURL": self.s3.endpoint_url(),
                "s3Credentials": {
                    "accessKeyId": {"name": "keys", "key": "ACCESS_KEY_ID"},
                    "secretAccessKey": {"name": "keys", "key": "ACCESS_SECRET_KEY"},
                },
            }},
        })
    }

    pub(super) fn source(&self) -> Value {
        let plugin = json!({"name": PLUGIN, "isWALArchiver": true,
            "parameters": {"barmanObjectName": "store"}});
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": "main", "namespace": SOURCES},
            "spec": {
                "instances": 3, "imageName": "ghcr.io/cloudnative-pg/postgresql:15",
                "storage": {"size": "1Gi"}, "plugins": [plugin],
                "imagePullSecrets": [{"name": "registry"}], "schedulerName": "own",
                "affinity": {"nodeSelector": {"disk": "fast"}},
            },
        })
    }
}
