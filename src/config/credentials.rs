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

/// Reads the files under `credentials`; with a problem in them the answer is the default chain.
pub(super) fn read_files(section: &mut Section<'_>) -> Credentials {
    let (has_id, has_secret) = (section.has(ACCESS_KEY_ID_FILE), section.has(SECRET_FILE));
    if has_id != has_secret {
        let (missing, given) = match has_id {
            true => (SECRET_FILE, ACCESS_KEY_ID_FILE),
            false => (ACCESS_KEY_ID_FILE, SECRET_FILE),
        };
        section.note::<()>(missing, format!("a file, because {given} is given"), "nothing");
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
