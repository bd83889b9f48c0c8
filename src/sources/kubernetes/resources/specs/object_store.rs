//! Where an archive is, and with which credentials: an `ObjectStore`, and the same inside a `Cluster`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::cluster::ANNOTATION_PREFIX;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::specs::Ignored;
use crate::sources::kubernetes::resources::specs::or_default;

#[derive(Clone, Debug)]
pub(crate) enum ObjectStoreResource {}

impl Kind for ObjectStoreResource {
    const GROUP: &'static str = "barmancloud.cnpg.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "ObjectStore";
    const PLURAL: &'static str = "objectstores";
    const KEPT: &'static [&'static str] = &[ANNOTATION_PREFIX];
    type Spec = ObjectStoreSpec;
    // Its recovery windows count failed backups as good, so they are not read.
    type Status = Ignored;
    type Kept = Kept<Self>;
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectStoreSpec {
    pub(crate) configuration: StoreConfiguration,
    pub(crate) retention_policy: Option<String>,
    pub(crate) instance_sidecar_configuration: Option<SidecarConfiguration>,
}

/// `configuration` of an `ObjectStore`, and `barmanObjectStore` of a `Cluster`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreConfiguration {
    pub(crate) destination_path: String,
    #[serde(rename = "endpointURL")]
    pub(crate) endpoint_url: Option<String>,
    /// Only in a `Cluster`; the plugin's schema forbids it.
    pub(crate) server_name: Option<String>,
    /// Who signed the certificate of the endpoint, in a Secret.
    #[serde(rename = "endpointCA")]
    pub(crate) endpoint_ca: Option<SecretKey>,
    pub(crate) s3_credentials: Option<S3Credentials>,
    pub(crate) azure_credentials: Option<IgnoredAny>,
    pub(crate) google_credentials: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct S3Credentials {
    pub(crate) access_key_id: Option<SecretKey>,
    pub(crate) secret_access_key: Option<SecretKey>,
    pub(crate) session_token: Option<SecretKey>,
    pub(crate) region: Option<SecretKey>,
    #[serde(rename = "inheritFromIAMRole")]
    pub(crate) inherit_from_iam_role: Option<bool>,
}

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub(crate) struct SecretKey {
    pub(crate) name: String,
    pub(crate) key: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SidecarConfiguration {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) env: Vec<EnvVar>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) value_from: Option<IgnoredAny>,
}
