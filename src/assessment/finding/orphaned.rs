//! An archive that belongs to no cluster any more.

use std::fmt;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::domain::orphan::Orphan;

/// Nobody adds to it, nobody's retention shortens it, and somebody may still need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphaned {
    pub address: String,
    pub orphan: Orphan,
}

impl Family for Orphaned {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        (FindingCode::ArchiveOrphaned, Topic::Whole)
    }

    fn hint(&self) -> &'static str {
        "keep it as long as its backups may be needed, then delete its folder: no retention policy \
         does; if a Cluster that is not seen here writes it, see which ones name it: kubectl get \
         clusters.postgresql.cnpg.io -A -o yaml"
    }

    fn evidence(&self) -> Evidence {
        let Orphan { object_store, left_by } = &self.orphan;
        let mut evidence = vec![("address", self.address.clone())];
        evidence.extend(object_store.clone().map(|name| ("object_store", name)));
        evidence.extend(left_by.as_ref().map(|cluster| ("deleted_cluster", cluster.to_string())));
        evidence
    }
}

impl fmt::Display for Orphaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Orphan { object_store, left_by } = &self.orphan;
        write!(f, "no Cluster uses the archive {}", self.address)?;
        if let Some(name) = object_store {
            write!(f, ", which lies under ObjectStore {name}")?;
        }
        left_by.as_ref().map_or(Ok(()), |cluster| write!(f, "; Cluster {cluster} was deleted"))
    }
}
