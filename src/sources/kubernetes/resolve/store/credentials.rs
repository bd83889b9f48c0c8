//! Which Secrets open a store, and what is wrong with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::observation::Reading;
use crate::sources::kubernetes::content::Secret;
use crate::sources::kubernetes::content::secret_bytes;
use crate::sources::kubernetes::content::secret_text;
use crate::sources::kubernetes::resolve::SecretKeys;
use crate::sources::kubernetes::resolve::StoreCredentials;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::S3Credentials;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::kubernetes::resources::StoreConfiguration;
use crate::sources::store::s3::Authority;

pub(super) struct Found {
    pub(super) credentials: StoreCredentials,
    /// Only known where Secrets are read.
    pub(super) region: Option<String>,
    /// The same.
    pub(super) authority: Option<Authority>,
    pub(super) problem: Option<String>,
}

type Secrets = BTreeMap<ObjectName, Reading<Arc<Secret>>>;

/// `secrets` are `None` where they may not be read: then only their names are looked at.
pub(super) fn look(
    configuration: &StoreConfiguration,
    namespace: &str,
    secrets: Option<&Secrets>,
) -> Found {
    let found = look_for_keys(configuration, namespace, secrets);
    let (Some(secrets), Some(key)) = (secrets, &configuration.endpoint_ca) else { return found };
    match authority(secrets, namespace, key) {
        Ok(authority) => Found { authority: Some(authority), ..found },
        Err(problem) => Found { problem: found.problem.or(Some(problem)), ..found },
    }
}

fn authority(secrets: &Secrets, namespace: &str, key: &SecretKey) -> Result<Authority, String> {
    let pem = secret_bytes(secrets, namespace, key)?;
    let (name, key) = (&key.name, &key.key);
    Authority::parse(pem).map_err(|why| {
        format!("its endpointCA is the key {key:?} of the Secret {namespace}/{name}: {why}")
    })
}

fn look_for_keys(
    configuration: &StoreConfiguration,
    namespace: &str,
    secrets: Option<&Secrets>,
) -> Found {
    let Some(named) = &configuration.s3_credentials else {
        return Found::configured(Some("it names no s3Credentials".to_owned()));
    };
    if named.inherit_from_iam_role == Some(true) {
        let credentials = match secrets {
            Some(_) => StoreCredentials::DefaultChain,
            None => StoreCredentials::Configured,
        };
        let found = Found { credentials, ..Found::configured(None) };
        return with_region(found, named, namespace, secrets);
    }
    let (Some(access_key_id), Some(secret_access_key)) =
        (&named.access_key_id, &named.secret_access_key)
    else {
        let missing = match &named.access_key_id {
            None => "accessKeyId",
            Some(_) => "secretAccessKey",
        };
        return Found::configured(Some(format!("its s3Credentials have no {missing}")));
    };
    let keys = SecretKeys {
        namespace: namespace.to_owned(),
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
        session_token: named.session_token.clone(),
    };
    let Some(read) = secrets else { return Found::configured(None) };
    let problem = keys.named().find_map(|key| secret_text(read, namespace, key).err());
    let credentials = StoreCredentials::Secrets(keys);
    let found = Found { credentials, ..Found::configured(problem) };
    with_region(found, named, namespace, secrets)
}

fn with_region(
    found: Found,
    named: &S3Credentials,
    namespace: &str,
    secrets: Option<&Secrets>,
) -> Found {
    let (Some(secrets), Some(key)) = (secrets, &named.region) else { return found };
    match secret_text(secrets, namespace, key) {
        Ok(region) => Found { region: Some(region.to_owned()), ..found },
        Err(problem) => Found { problem: found.problem.or(Some(problem)), ..found },
    }
}

impl Found {
    fn configured(problem: Option<String>) -> Self {
        Self { credentials: StoreCredentials::Configured, region: None, authority: None, problem }
    }
}

impl SecretKeys {
    fn named(&self) -> impl Iterator<Item = &SecretKey> {
        [&self.access_key_id, &self.secret_access_key].into_iter().chain(&self.session_token)
    }
}
