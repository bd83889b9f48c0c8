//! Which archive is spoken of, and where it lies.

use std::fmt;

use crate::domain::object_key::ServerFolder;

/// The names under which people and metrics know one archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveId {
    /// Namespace of the CloudNativePG `Cluster`; empty for an archive named by its address alone.
    pub namespace: String,
    /// Name of the `Cluster`; empty for an archive named by its address alone.
    pub cluster: String,
    /// The folder that Barman writes the cluster's files under.
    pub server_name: String,
}

/// Where an object store is, without the credentials to open it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreAddress {
    S3 {
        bucket: String,
        /// `None` is AWS itself.
        endpoint_url: Option<String>,
        region: String,
    },
    /// A local or mounted copy, as an absolute path.
    Directory(String),
}

/// One server's archive in one object store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveAddress {
    pub store: StoreAddress,
    /// The path below the bucket or directory, without the server name.
    pub prefix: String,
    pub server_name: String,
}

impl ArchiveAddress {
    pub fn folder(&self) -> ServerFolder {
        ServerFolder::new(&self.prefix, &self.server_name)
    }

    /// The `destinationPath` that barman-cloud was given.
    pub fn destination_path(&self) -> String {
        let prefix = self.prefix.trim_start_matches('/');
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        match &self.store {
            StoreAddress::S3 { bucket, .. } => format!("s3://{bucket}/{prefix}{slash}"),
            StoreAddress::Directory(path) => {
                format!("file://{}/{prefix}{slash}", path.trim_end_matches('/'))
            }
        }
    }
}

impl fmt::Display for ArchiveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.destination_path(), self.server_name)
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cluster.is_empty() {
            f.write_str(&self.server_name)
        } else if self.cluster == self.server_name {
            write!(f, "{}/{}", self.namespace, self.cluster)
        } else {
            write!(f, "{}/{} ({})", self.namespace, self.cluster, self.server_name)
        }
    }
}
