//! The archives below the stores of clusters that no cluster names: found there, or left behind by one that
//! was deleted.

mod ground;
mod search;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::Place;
use crate::domain::cluster::ClusterId;
use crate::observation::Reading;
use crate::publication::snapshot::OrphanSearch;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::orphans::ground::Ground;
use crate::service::orphans::search::server_at;
use crate::sources::kubernetes::Claims;
use crate::sources::kubernetes::StoreCredentials;
use crate::sources::limits;
use crate::sources::store::opening::Access;
use crate::sources::store::s3::CredentialSource;

pub use crate::service::orphans::search::Errand;
pub use crate::service::orphans::search::Outcome;
pub use crate::service::orphans::search::search;

/// A folder that appears, or is deleted, shows this much later; what a deleted cluster leaves is seen
/// at once.
const SEARCH_EVERY: Duration = Duration::from_hours(1);

/// Who owns which archive, as far as anybody knows.
#[derive(Debug, Default)]
pub struct Owners {
    claims: Claims,
    /// By the configuration.
    configured: BTreeSet<Place>,
}

/// All that is known of them. By default nobody looks for any.
#[derive(Debug, Default)]
pub struct Orphans {
    is_sought: bool,
    /// Why nobody can become one now.
    unread: Option<String>,
    owners: Arc<Owners>,
    grounds: BTreeMap<Place, Ground>,
    known: BTreeMap<Place, Arc<ArchiveSpec>>,
}

/// A cluster that was deleted, and whose archive is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub cluster: ClusterId,
    pub uid: String,
    pub address: ArchiveAddress,
}

impl Owners {
    fn own(&self, address: &ArchiveAddress) -> bool {
        self.claims.hold(address) || self.configured.contains(&address.place())
    }
}

impl Orphans {
    /// Takes over what Kubernetes shows now. While it does not show everything nobody becomes an orphan, and
    /// whoever is one stays one.
    pub(super) fn follow(
        &mut self,
        claims: Option<Reading<Claims>>,
        configured: BTreeSet<Place>,
        source: impl Fn(&StoreCredentials) -> Option<CredentialSource>,
    ) {
        let claims = match claims {
            None => {
                *self = Self::default();
                return;
            }
            Some(Err(unreadable)) => {
                (self.is_sought, self.unread) = (true, Some(unreadable.to_string()));
                return;
            }
            Some(Ok(claims)) => claims,
        };
        // Whatever was left behind meanwhile is found by looking.
        let has_missed = self.unread.take().is_some();
        self.is_sought = true;
        let mut before = std::mem::take(&mut self.grounds);
        for ground in &claims.grounds {
            let credentials = source(&ground.credentials);
            let access = Access { credentials, authority: ground.authority.clone() };
            let place = ground.address.place();
            let known = before.remove(&place).filter(|known| known.access == access);
            let (searched_at, unread) = known.map_or_else(
                || (None, Some(format!("{} has not been searched yet", ground.address))),
                |known| (known.searched_at.filter(|_| !has_missed), known.unread),
            );
            let ground = Ground {
                namespace: ground.namespace.clone(),
                object_store: ground.object_store.clone(),
                address: ground.address.clone(),
                access,
                searched_at,
                unread,
            };
            self.grounds.insert(place, ground);
        }
        self.owners = Arc::new(Owners { claims, configured });
        let (owners, grounds) = (&self.owners, &self.grounds);
        self.known.retain(|_, spec| keeps(spec, owners, grounds));
    }

    /// What clusters wrote before and write no longer. Tells of those that were deleted.
    pub(super) fn inherit(
        &mut self,
        before: &[Arc<ArchiveSpec>],
        after: &[Arc<ArchiveSpec>],
    ) -> Vec<Left> {
        let mut left = Vec::new();
        if !self.is_sought || self.unread.is_some() {
            return left;
        }
        let clusters =
            |it: &Arc<ArchiveSpec>| it.cluster.as_ref().map(|cluster| cluster.id.clone());
        let living: BTreeSet<ClusterId> = after.iter().filter_map(clusters).collect();
        let watched: BTreeSet<Place> =
            after.iter().filter_map(|it| it.address.as_ref()).map(ArchiveAddress::place).collect();
        for spec in before {
            let (Some(cluster), Some(address)) = (&spec.cluster, &spec.address) else { continue };
            let place = address.place();
            if watched.contains(&place) || self.owners.own(address) {
                continue;
            }
            let id = Some(cluster.id.clone()).filter(|id| !living.contains(id));
            let what = match &id {
                Some(id) => format!("cluster {id} is gone"),
                None => format!("cluster {} archives elsewhere", cluster.id),
            };
            let Some(ground) = self.grounds.get(&server_at(address, "").place()) else {
                tracing::info!("{what}, and no ObjectStore leads to its archive {address}");
                continue;
            };
            tracing::warn!("{what}; its archive {address} is orphaned");
            self.known.insert(place, Arc::new(ground.orphan(address, id.clone())));
            left.extend(id.map(|id| Left {
                cluster: id,
                uid: cluster.uid.clone(),
                address: address.clone(),
            }));
        }
        left
    }

    /// Where to look now; whoever asks looks.
    pub fn errands(&mut self) -> Vec<Errand> {
        if self.unread.is_some() {
            return Vec::new();
        }
        let now = Instant::now();
        let is_due = |ground: &&mut Ground| {
            let age = ground.searched_at.map(|at| now.saturating_duration_since(at));
            age.is_none_or(|age| SEARCH_EVERY <= age)
        };
        let owners = &self.owners;
        let due = self.grounds.values_mut().filter(is_due);
        let errands = due.map(|ground| {
            ground.searched_at = Some(now);
            let (place, access) = (ground.address.clone(), ground.access.clone());
            Errand { place, access, owners: Arc::clone(owners) }
        });
        errands.collect()
    }

    /// Takes over what was found.
    pub fn note(&mut self, outcomes: Vec<Outcome>) {
        // Who owns what may have changed since.
        if self.unread.is_some() {
            return;
        }
        for Outcome { place, owners, servers } in outcomes {
            let Some(ground) = self.grounds.get_mut(&place.place()) else { continue };
            let servers = match servers {
                Ok(servers) => servers,
                Err(error) => {
                    ground.tell_unread(Some(error.to_string()));
                    continue;
                }
            };
            let limit = limits::SERVERS_AT_A_PLACE_MAX;
            let cut =
                servers.has_more.then(|| format!("only the first {limit} folders are looked into"));
            let unread = servers.unread.as_ref().map(ToString::to_string);
            ground.tell_unread(unread.or(cut));
            let found: BTreeMap<Place, ArchiveAddress> = servers
                .archives
                .iter()
                .map(|name| server_at(&ground.address, name))
                .filter(|address| !self.owners.own(address))
                .map(|address| (address.place(), address))
                .collect();
            if servers.is_whole() {
                let is_there = |place: &Place, spec: &ArchiveSpec| {
                    let was_sought = |it: &ArchiveAddress| ground.holds(it) && !owners.own(it);
                    let is_sought = spec.address.as_ref().is_some_and(was_sought);
                    !is_sought || found.contains_key(place)
                };
                self.known.retain(|place, spec| is_there(place, spec) || tell_gone(spec));
            }
            for (place, address) in found {
                let (known, ground) = (&mut self.known, &*ground);
                known.entry(place).or_insert_with(|| {
                    tracing::info!("no Cluster uses the archive {address}: it is orphaned");
                    Arc::new(ground.orphan(&address, None))
                });
            }
        }
    }

    /// To be watched; of several with one name the first by address.
    pub fn specs(&self) -> Vec<Arc<ArchiveSpec>> {
        let mut names = BTreeSet::new();
        self.known.values().filter(|spec| names.insert(&spec.id)).cloned().collect()
    }

    /// `None` where nobody looks for any.
    pub fn search_state(&self) -> Option<OrphanSearch> {
        let mut names = BTreeSet::new();
        let hidden = self.known.values().filter(|spec| !names.insert(&spec.id)).map(|spec| {
            let address = spec.address.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{address} is not watched: another orphan is also called {}", spec.id)
        });
        let grounds = self.grounds.values().filter_map(|ground| ground.unread.clone());
        let unread = self.unread.iter().cloned().chain(grounds).chain(hidden).collect();
        self.is_sought.then_some(OrphanSearch { unread })
    }
}

/// Whether an orphan is one still. Says why not.
fn keeps(spec: &ArchiveSpec, owners: &Owners, grounds: &BTreeMap<Place, Ground>) -> bool {
    let Some(address) = &spec.address else { return false };
    if owners.own(address) {
        tracing::info!("the archive {address} is no longer orphaned");
        return false;
    }
    if !grounds.contains_key(&server_at(address, "").place()) {
        tracing::info!("no ObjectStore leads to the orphaned archive {address} any more");
        return false;
    }
    true
}

/// The answer is that it is to be forgotten.
fn tell_gone(spec: &ArchiveSpec) -> bool {
    let address = spec.address.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::info!("the orphaned archive {address} is no longer stored");
    false
}

#[cfg(test)]
mod tests;
