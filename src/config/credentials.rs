//! Where the credentials for object stores are; `sources` reads the credentials themselves.

use std::path::PathBuf;

use crate::config::format;
use crate::config::reader::Section;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// What AWS's own tools would use: environment, profile, web identity, instance.
    DefaultChain,
    /// Each file holds one value. Both could be opened when the configuration was read.
    Files { access_key_id: PathBuf, secret_access_key: PathBuf },
}

/// Everything under `credentials`.
pub(super) struct CredentialSettings {
    /// With a problem in it, this is the default chain.
    pub(super) credentials: Credentials,
    /// Whether Secrets that an `ObjectStore` names are read; these win over `credentials`.
    pub(super) from_object_store: bool,
}

/// Reads `credentials`; Secrets can only be read where Kubernetes may be asked.
pub(super) fn read_credentials(section: &mut Section<'_>, may_ask: bool) -> CredentialSettings {
    const FROM_OBJECT_STORE: &str = "from_object_store";
    let from_object_store = section.word(FROM_OBJECT_STORE, &format::IS_TRUE).unwrap_or(false);
    if from_object_store && !may_ask {
        section.note::<()>(FROM_OBJECT_STORE, "false, since kubernetes.enabled is false", "true");
    }
    CredentialSettings { credentials: read_files(section), from_object_store }
}

fn read_files(section: &mut Section<'_>) -> Credentials {
    let (has_id, has_secret) = (section.has(ACCESS_KEY_ID_FILE), section.has(SECRET_FILE));
    if has_id != has_secret {
        let (missing, given) = match has_id {
            true => (SECRET_FILE, ACCESS_KEY_ID_FILE),
            false => (ACCESS_KEY_ID_FILE, SECRET_FILE),
        };
        section.note::<()>(missing, format!("a file, as {given} is given"), "nothing");
    }
    let access_key_id = section.text(ACCESS_KEY_ID_FILE, &format::CREDENTIAL_FILE);
    let secret_access_key = section.text(SECRET_FILE, &format::CREDENTIAL_FILE);
    match (access_key_id, secret_access_key) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Credentials::Files { access_key_id, secret_access_key }
        }
        _ => Credentials::DefaultChain,
    }
}

const ACCESS_KEY_ID_FILE: &str = "access_key_id_file";
const SECRET_FILE: &str = "secret_access_key_file";
