//! Which archive is spoken of, and where it lies.

use std::fmt;

use crate::domain::object_key::ServerFolder;

/// The names under which people and metrics know one archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveId {
    /// Namespace of the CloudNativePG `Cluster`, or of the `ObjectStore` below which an orphaned
    /// archive lies; empty for an archive named by its address alone.
    pub namespace: String,
    /// Name of the `Cluster`; empty for an archive named by its address alone, and for an orphaned one.
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

/// Where an archive lies, whichever way it is reached: neither the region nor which of Amazon's
/// endpoints is asked tells two apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

impl ArchiveAddress {
    pub fn place(&self) -> Place {
        let folder = self.folder();
        let folder = folder.as_str();
        Place(match &self.store {
            StoreAddress::S3 { bucket, endpoint_url, .. } => {
                let endpoint = endpoint_url.as_deref().filter(|url| !is_amazon(url));
                format!("s3 {} {bucket} {folder}", endpoint.unwrap_or_default())
            }
            StoreAddress::Directory(root) => {
                format!("file {} {folder}", root.trim_end_matches('/'))
            }
        })
    }

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

fn is_amazon(endpoint_url: &str) -> bool {
    let host = endpoint_url.split_once("://").map_or(endpoint_url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| host.ends_with(end))
}

impl fmt::Display for ArchiveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.destination_path(), self.server_name)
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() && self.cluster.is_empty() {
            f.write_str(&self.server_name)
        } else if self.cluster.is_empty() {
            write!(f, "{}/- ({})", self.namespace, self.server_name)
        } else if self.cluster == self.server_name {
            write!(f, "{}/{}", self.namespace, self.cluster)
        } else {
            write!(f, "{}/{} ({})", self.namespace, self.cluster, self.server_name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(endpoint_url: Option<&str>, region: &str, prefix: &str) -> ArchiveAddress {
        let store = StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
            region: region.to_owned(),
        };
        ArchiveAddress { store, prefix: prefix.to_owned(), server_name: "pg".to_owned() }
    }

    #[test]
    fn the_way_to_an_archive_is_no_part_of_its_place() {
        let amazon = address(None, "eu-west-1", "home").place();
        assert_eq!(amazon, address(None, "auto", "/home/").place());
        let regional = "https://s3.eu-west-1.amazonaws.com";
        assert_eq!(amazon, address(Some(regional), "auto", "home").place());
        for other in ["https://s3.example.com", "https://amazonaws.com.example.com"] {
            assert_ne!(amazon, address(Some(other), "auto", "home").place(), "{other}");
        }
        assert_ne!(amazon, address(None, "eu-west-1", "other").place());
    }

    #[test]
    fn an_archive_is_called_by_what_is_known_of_it() {
        for (namespace, cluster, expected) in [
            ("", "", "pg"),
            ("databases", "", "databases/- (pg)"),
            ("databases", "pg", "databases/pg"),
            ("databases", "main", "databases/main (pg)"),
        ] {
            let [namespace, cluster, server_name] = [namespace, cluster, "pg"].map(str::to_owned);
            let archive = ArchiveId { namespace, cluster, server_name };
            assert_eq!(archive.to_string(), expected);
        }
    }
}
