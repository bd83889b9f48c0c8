//! Opens the object store of an archive.

use std::sync::Arc;

use crate::config::Credentials;
use crate::config::ObjectStoresConfig;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::codec::Bzip2;
use crate::sources::store::directory::DirectoryStore;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::refused::RefusedStore;
use crate::sources::store::s3::Authority;
use crate::sources::store::s3::CredentialSource;
use crate::sources::store::s3::S3Clients;
use crate::sources::workshop::Turns;
use crate::sources::workshop::Workshop;

/// How a store lets us in, and how it is known to be the right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `None` is as the configuration says.
    pub credentials: Option<CredentialSource>,
    /// `None` trusts what this machine trusts.
    pub authority: Option<Authority>,
}

type Open = dyn Fn(&ArchiveAddress, &Access) -> Arc<dyn ObjectStore> + Send + Sync;

/// Opens stores, and knows the turns at each.
pub struct Stores {
    open: Box<Open>,
    workshop: Workshop,
    names_endpoints: bool,
}

impl Stores {
    /// Those at one endpoint share their connections. One that may not be asked opens as a store
    /// that only says so.
    pub fn new(
        clients: S3Clients,
        credentials: &Credentials,
        object_stores: ObjectStoresConfig,
        bzip2: Bzip2,
    ) -> Self {
        let configured = match credentials {
            Credentials::DefaultChain => CredentialSource::DefaultChain,
            Credentials::Files { access_key_id, secret_access_key } => CredentialSource::Files {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
            },
        };
        let names_endpoints = object_stores.names_endpoints();
        let stores = Self::opened_by(move |address, access| {
            if let Some(why) = object_stores.refusal(&address.store) {
                return Arc::new(RefusedStore::new(&why));
            }
            match &address.store {
                StoreAddress::S3 { bucket, endpoint_url, region } => {
                    let credentials = access.credentials.as_ref().unwrap_or(&configured);
                    let (url, authority) = (endpoint_url.as_deref(), access.authority.as_ref());
                    Arc::new(clients.trusting(authority).store(bucket, url, region, credentials))
                }
                StoreAddress::Directory(root) => {
                    // A bucket exists or not; a directory also may lack just this server's folder,
                    // which is more likely a wrong path than a server that never archived.
                    Arc::new(DirectoryStore::new(root).demanding(address.folder().as_str()))
                }
            }
        });
        Self { workshop: Workshop::decoding_by(bzip2), names_endpoints, ..stores }
    }

    /// Opens them in another way.
    pub fn opened_by(
        open: impl Fn(&ArchiveAddress, &Access) -> Arc<dyn ObjectStore> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Box::new(open), workshop: Workshop::default(), names_endpoints: false }
    }

    /// Asks the store for nothing yet.
    pub fn open(&self, address: &ArchiveAddress, access: &Access) -> Arc<dyn ObjectStore> {
        (self.open)(address, access)
    }

    /// Whether somebody named the endpoints that may be asked, and plain http among them.
    pub const fn names_endpoints(&self) -> bool {
        self.names_endpoints
    }

    /// The turns of all archives at the same store.
    pub fn turns(&self, address: &ArchiveAddress) -> Turns {
        self.workshop.at(&address.store)
    }
}
