//! A place where orphans are looked for.

use tokio::time::Instant;

use crate::assessment::expectations::DrillExpectation;
use crate::config::ExpectationConfig;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ClusterId;
use crate::domain::orphan::Orphan;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::orphans::search::server_at;
use crate::sources::store::opening::Access;

/// Where archives of clusters lie, and so may those that no cluster names.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) namespace: String,
    pub(super) object_store: Option<String>,
    pub(super) address: ArchiveAddress,
    pub(super) access: Access,
    pub(super) searched_at: Option<Instant>,
    /// Why orphans may be missing here.
    pub(super) unread: Option<String>,
}

impl Ground {
    pub(super) fn holds(&self, address: &ArchiveAddress) -> bool {
        server_at(address, "").place() == self.address.place()
    }

    /// Once for as long as it is so.
    pub(super) fn tell_unread(&mut self, why: Option<String>) {
        let unread = why.map(|why| format!("look for orphans below {}: {why}", self.address));
        if let Some(why) = unread.as_ref().filter(|_| self.unread != unread) {
            tracing::info!("{why}");
        }
        self.unread = unread;
    }

    pub(super) fn orphan(
        &self,
        address: &ArchiveAddress,
        left_by: Option<ClusterId>,
    ) -> ArchiveSpec {
        let id = ArchiveId {
            namespace: self.namespace.clone(),
            cluster: String::new(),
            server_name: address.server_name.clone(),
        };
        let object_store = self.object_store.clone();
        ArchiveSpec {
            id,
            address: Some(address.clone()),
            access: self.access.clone(),
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig::default(),
            cluster: None,
            drills: DrillExpectation::default(),
            orphan: Some(Orphan { object_store, left_by }),
        }
    }
}
