//! Where the keys to an object store come from.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_credential_types::Credentials;
use aws_credential_types::provider;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_s3::config::IdentityCache;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::SharedIdentityCache;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::config::open_key_file;
use crate::sources::limits;

/// How a store is opened. Never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum CredentialSource {
    /// What AWS tools would use: environment, profile files, web identity, instance metadata.
    DefaultChain,
    /// Two files that are read again for every request, so that a rotation needs no restart.
    Files {
        access_key_id: PathBuf,
        secret_access_key: PathBuf,
    },
    Keys {
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
    },
    /// Asked for every request.
    Asked(Asked),
}

/// Knows the keys of a store, which may change.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// Sources of the same name give the same keys.
    fn name(&self) -> String;

    /// The keys as they are now, or why there are none; the error never shows a key.
    async fn keys(&self) -> Result<Keys, String>;

    /// The store refused them.
    fn note_refusal(&self);
}

/// What signs a request. Never printed.
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

/// A [`KeySource`] that is compared by its name.
#[derive(Clone, Debug)]
pub struct Asked {
    name: String,
    source: Arc<dyn KeySource>,
}

impl Asked {
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self { name: source.name(), source }
    }

    async fn credentials(&self) -> provider::Result {
        let keys = self.source.keys().await.map_err(CredentialsError::provider_error)?;
        let Keys { access_key_id, secret_access_key, session_token } = keys;
        Ok(Credentials::new(access_key_id, secret_access_key, session_token, None, "asked"))
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Asked {}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ProvideCredentials for Asked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

impl CredentialSource {
    pub(super) fn provider(&self, region: Region) -> SharedCredentialsProvider {
        match self.clone() {
            Self::DefaultChain => {
                SharedCredentialsProvider::new(DefaultChain { region, chain: Arc::default() })
            }
            Self::Files { access_key_id, secret_access_key } => {
                SharedCredentialsProvider::new(KeyFiles { access_key_id, secret_access_key })
            }
            Self::Keys { access_key_id, secret_access_key, session_token } => {
                let (id, secret) = (access_key_id, secret_access_key);
                let keys = Credentials::new(id, secret, session_token, None, "given");
                SharedCredentialsProvider::new(keys)
            }
            Self::Asked(asked) => SharedCredentialsProvider::new(asked),
        }
    }

    /// To be told when the store refuses what was signed with them.
    pub(super) fn note_refusal(&self) {
        match self {
            Self::Asked(asked) => asked.source.note_refusal(),
            Self::DefaultChain | Self::Files { .. } | Self::Keys { .. } => {}
        }
    }

    /// Files cost less to read than a cache to keep right; the chain may ask servers.
    pub(super) fn cache(&self) -> SharedIdentityCache {
        match self {
            Self::DefaultChain => IdentityCache::lazy().build(),
            Self::Files { .. } | Self::Keys { .. } | Self::Asked(_) => IdentityCache::no_cache(),
        }
    }
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DefaultChain => "DefaultChain",
            Self::Files { .. } => "Files",
            Self::Keys { .. } => "Keys",
            Self::Asked(_) => "Asked",
        })
    }
}

/// Built at its first use, because that needs a runtime.
///
/// The chain reads profile files on the thread that asks, so it is asked on one of its own: a file
/// on a dead mount stops that thread alone. Whoever asks meanwhile waits, so that there is one.
#[derive(Debug)]
struct DefaultChain {
    region: Region,
    chain: Arc<Mutex<Option<DefaultCredentialsChain>>>,
}

impl DefaultChain {
    async fn credentials(&self) -> provider::Result {
        let mut chain = Arc::clone(&self.chain).lock_owned().await;
        let (region, runtime) = (self.region.clone(), Handle::current());
        let asked = spawn_blocking(move || {
            runtime.block_on(async {
                if chain.is_none() {
                    *chain = Some(default_chain(region).await);
                }
                match chain.as_ref() {
                    Some(chain) => chain.provide_credentials().await,
                    None => Err(CredentialsError::not_loaded_no_source()),
                }
            })
        });
        asked.await.unwrap_or_else(|error| Err(CredentialsError::provider_error(error)))
    }
}

async fn default_chain(region: Region) -> DefaultCredentialsChain {
    // Nobody answers for instance metadata outside AWS; the default is to ask four times.
    let metadata = imds::Client::builder()
        .max_attempts(1)
        .connect_timeout(limits::INSTANCE_METADATA)
        .read_timeout(limits::INSTANCE_METADATA)
        .build();
    DefaultCredentialsChain::builder().region(region).imds_client(metadata).build().await
}

impl ProvideCredentials for DefaultChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[derive(Debug)]
struct KeyFiles {
    access_key_id: PathBuf,
    secret_access_key: PathBuf,
}

impl KeyFiles {
    async fn credentials(&self) -> provider::Result {
        let (id, secret) = (self.access_key_id.clone(), self.secret_access_key.clone());
        let keys = spawn_blocking(move || Ok((read_key(&id)?, read_key(&secret)?)));
        let keys: Result<(String, String), String> =
            keys.await.unwrap_or_else(|error| Err(error.to_string()));
        let (id, secret) = keys.map_err(CredentialsError::provider_error)?;
        Ok(Credentials::new(id, secret, None, None, "files"))
    }
}

impl ProvideCredentials for KeyFiles {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// The error names the file and never shows what is in it.
fn read_key(path: &Path) -> Result<String, String> {
    let failed = |why: &dyn fmt::Display| format!("read the key file `{}`: {why}", path.display());
    let file = open_key_file(path).map_err(|error| failed(&error))?;
    let bytes_max = limits::CREDENTIAL_FILE_BYTES_MAX;
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if bytes_max < u64::try_from(text.len()).unwrap_or(u64::MAX) {
        return Err(failed(&format!("expected at most {bytes_max} bytes")));
    }
    let key = text.trim();
    let is_key = !key.is_empty() && key.chars().all(|it| it.is_ascii_graphic());
    if is_key { Ok(key.to_owned()) } else { Err(failed(&"expected one line of printable ASCII")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_never_printed() {
        let source = CredentialSource::Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI".to_owned(),
            session_token: None,
        };
        assert_eq!(format!("{source:?}"), "Keys");
    }

    #[test]
    fn a_key_file_may_end_in_a_newline_and_holds_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "AKIDEXAMPLE\n").unwrap();
        assert_eq!(read_key(&path).unwrap(), "AKIDEXAMPLE");
        for wrong in ["", "\n", "two words", "a\nb", "\u{e9}"] {
            std::fs::write(&path, wrong).unwrap();
            let error = read_key(&path).unwrap_err();
            assert!(error.ends_with("expected one line of printable ASCII"), "{error}");
        }
        assert!(read_key(Path::new("/no/such/file")).unwrap_err().contains("/no/such/file"));
    }

    #[test]
    fn a_key_file_that_is_too_large_is_refused_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "A".repeat(4096)).unwrap();
        assert_eq!(read_key(&path).unwrap().len(), 4096);
        std::fs::write(&path, "A".repeat(4097)).unwrap();
        assert!(read_key(&path).unwrap_err().ends_with("expected at most 4096 bytes"));
    }

    #[test]
    fn a_key_is_read_through_links_and_from_nothing_but_a_regular_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key"), "AKIDEXAMPLE").unwrap();
        std::os::unix::fs::symlink("key", path("link")).unwrap();
        assert_eq!(read_key(&path("link")).unwrap(), "AKIDEXAMPLE");
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        // Opened in the ordinary way, it would wait here for ever.
        for wrong in ["pipe", "."] {
            let error = read_key(&path(wrong)).unwrap_err();
            assert!(error.ends_with("it is not a regular file"), "{error}");
        }
    }
}
