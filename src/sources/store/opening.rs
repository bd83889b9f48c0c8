//! Opens the object store of an archive.

use std::sync::Arc;

use crate::config::Credentials;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::sources::store::directory::DirectoryStore;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::s3::CredentialSource;
use crate::sources::store::s3::S3Clients;
use crate::sources::workshop::Turns;
use crate::sources::workshop::Workshop;

/// Opens stores; those at one endpoint share their connections.
#[derive(Debug)]
pub struct Stores {
    clients: S3Clients,
    credentials: CredentialSource,
    workshop: Workshop,
}

impl Stores {
    pub fn new(clients: S3Clients, credentials: &Credentials) -> Self {
        let credentials = match credentials {
            Credentials::DefaultChain => CredentialSource::DefaultChain,
            Credentials::Files { access_key_id, secret_access_key } => CredentialSource::Files {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
            },
        };
        Self { clients, credentials, workshop: Workshop::default() }
    }

    /// Opens with these credentials, or with those of the configuration. Asks the store for nothing
    /// yet.
    pub fn open(
        &self,
        address: &ArchiveAddress,
        credentials: Option<&CredentialSource>,
    ) -> Arc<dyn ObjectStore> {
        let credentials = credentials.unwrap_or(&self.credentials);
        match &address.store {
            StoreAddress::S3 { bucket, endpoint_url, region } => {
                let url = endpoint_url.as_deref();
                Arc::new(self.clients.store(bucket, url, region, credentials))
            }
            StoreAddress::Directory(root) => {
                // A bucket exists or not; a directory also may lack just this server's folder,
                // which is more likely a wrong path than a server that never archived.
                Arc::new(DirectoryStore::new(root).demanding(address.folder().as_str()))
            }
        }
    }

    /// The turns of all archives at the same store.
    pub fn turns(&self, address: &ArchiveAddress) -> Turns {
        self.workshop.at(&address.store)
    }
}
