//! The `ObjectStore` and the `Secret` that a recovery reads an archive with, where no Kubernetes has
//! them any more (`api/v1/objectstore_types.go` of the Barman Cloud Plugin).

use serde::Serialize;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryStore {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    string_data: StringData,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    configuration: Configuration,
    #[serde(skip_serializing_if = "Sidecar::is_empty")]
    instance_sidecar_configuration: Sidecar,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    destination_path: String,
    #[serde(rename = "endpointURL", skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    s3_credentials: S3Credentials,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct S3Credentials {
    access_key_id: SecretKey,
    secret_access_key: SecretKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SecretKey {
    name: String,
    key: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Sidecar {
    env: Vec<Variable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Variable {
    name: &'static str,
    value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct StringData {
    #[serde(rename = "ACCESS_KEY_ID")]
    access_key_id: &'static str,
    #[serde(rename = "ACCESS_SECRET_KEY")]
    secret_access_key: &'static str,
}

/// What stands in the Secret until somebody fills it in.
const TO_BE_FILLED_IN: [&str; 2] = ["YOUR_ACCESS_KEY_ID", "YOUR_SECRET_ACCESS_KEY"];

/// The `ObjectStore` of this name for an archive, and its `Secret` without the keys; `None` for a
/// directory, which no pod can read.
pub fn recovery_store(
    address: &ArchiveAddress,
    name: &str,
    namespace: Option<&str>,
) -> Option<(RecoveryStore, Secret)> {
    let StoreAddress::S3 { endpoint_url, region, .. } = &address.store else { return None };
    let namespace = namespace.map(str::to_owned);
    let secret = format!("{name}-credentials");
    let key = |key| SecretKey { name: secret.clone(), key };
    let configuration = Configuration {
        destination_path: address.destination_path(),
        endpoint_url: endpoint_url.clone(),
        s3_credentials: S3Credentials {
            access_key_id: key("ACCESS_KEY_ID"),
            secret_access_key: key("ACCESS_SECRET_KEY"),
        },
    };
    let metadata = |name: String| Metadata { name, namespace: namespace.clone() };
    let store = RecoveryStore {
        api_version: "barmancloud.cnpg.io/v1",
        kind: "ObjectStore",
        metadata: metadata(name.to_owned()),
        spec: Spec {
            configuration,
            instance_sidecar_configuration: Sidecar::of(endpoint_url.as_deref(), region),
        },
    };
    let [access_key_id, secret_access_key] = TO_BE_FILLED_IN;
    let secret = Secret {
        api_version: "v1",
        kind: "Secret",
        metadata: metadata(secret.clone()),
        string_data: StringData { access_key_id, secret_access_key },
    };
    Some((store, secret))
}

impl Sidecar {
    /// Newer AWS libraries send and expect checksums that not every S3-compatible store knows.
    fn of(endpoint_url: Option<&str>, region: &str) -> Self {
        let mut env = Vec::new();
        if endpoint_url.is_some() {
            for name in ["AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"] {
                env.push(Variable { name, value: "when_required".to_owned() });
            }
        }
        if region != "auto" {
            env.push(Variable { name: "AWS_DEFAULT_REGION", value: region.to_owned() });
        }
        Self { env }
    }

    fn is_empty(&self) -> bool {
        self.env.is_empty()
    }
}
