//! One suite for every object store, and what the S3 client makes of a server that fails.

mod faults;
mod suite;

use std::fs;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::sources::limits;
use cnpg_backup_verifier::sources::limits::Patience;
use cnpg_backup_verifier::sources::store::directory::DirectoryStore;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::requests::Requests;
use cnpg_backup_verifier::sources::store::s3::CredentialSource;
use cnpg_backup_verifier::sources::store::s3::S3Clients;
use cnpg_backup_verifier::sources::store::s3::S3Store;
use prometheus::Registry;
use tempfile::TempDir;
use test_servers::s3::S3Server;

const BUCKET: &str = "backups";

/// Fails fast, with one retry.
const IMPATIENCE: Patience = Patience {
    connect: Duration::from_millis(500),
    first_byte: Duration::from_millis(400),
    next_byte: Duration::from_millis(400),
    attempt: Duration::from_millis(600),
    call: Duration::from_secs(5),
    attempts_max: 2,
    pause_first: Duration::from_millis(1),
    pause_max: Duration::from_millis(1),
    bytes_per_second_min: 1 << 20,
};

/// A store, and the way to fill it.
enum Fixture {
    Memory(Arc<MemoryStore>),
    Directory(TempDir),
    S3(Box<S3Server>),
}

impl Fixture {
    /// One of each kind, empty.
    async fn all() -> Vec<Self> {
        let folder = tempfile::tempdir().unwrap();
        vec![
            Self::Memory(Arc::default()),
            Self::Directory(folder),
            Self::S3(Box::new(server().await)),
        ]
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Directory(_) => "directory",
            Self::S3(_) => "S3",
        }
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        match self {
            Self::Memory(store) => Arc::clone(store) as Arc<dyn ObjectStore>,
            Self::Directory(folder) => Arc::new(DirectoryStore::new(folder.path())),
            Self::S3(server) => Arc::new(open(server)),
        }
    }

    fn put(&self, key: &str, bytes: impl Into<Bytes>, uploaded_at: DateTime<Utc>) {
        match self {
            Self::Memory(store) => store.put_at(key, bytes, uploaded_at),
            Self::S3(server) => server.put_at(BUCKET, key, bytes, uploaded_at),
            Self::Directory(folder) => {
                let path = folder.path().join(key);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, bytes.into()).unwrap();
                let file = File::options().append(true).open(&path).unwrap();
                file.set_modified(SystemTime::from(uploaded_at)).unwrap();
            }
        }
    }
}

async fn server() -> S3Server {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET);
    server
}

fn open(server: &S3Server) -> S3Store {
    let clients = clients(&Registry::new());
    clients.store(BUCKET, Some(&server.endpoint_url()), "auto", &keys(server))
}

/// For many requests at once, which take their time without optimisation.
fn open_patiently(server: &S3Server) -> S3Store {
    let clients = clients(&Registry::new()).with_patience(limits::PATIENCE);
    clients.store(BUCKET, Some(&server.endpoint_url()), "auto", &keys(server))
}

fn clients(registry: &Registry) -> S3Clients {
    S3Clients::new(clock::now, Requests::register(registry).unwrap()).with_patience(IMPATIENCE)
}

fn keys(server: &S3Server) -> CredentialSource {
    CredentialSource::Keys {
        access_key_id: server.access_key().to_owned(),
        secret_access_key: server.secret_key().to_owned(),
        session_token: None,
    }
}
