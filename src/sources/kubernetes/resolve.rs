//! From the objects of Kubernetes to archives and what was declared of them. Does no I/O.
//!
//! A cluster's archive is the one that it writes. Archives under `spec.externalClusters` are not
//! taken for it: a cluster only reads them, to bootstrap or to replicate, and where they are
//! written by a living cluster, that cluster has them as its own. For the same reason a replica
//! or a restored cluster with the folder of its source is in somebody's way only if another
//! cluster writes there now.

mod annotations;
mod backups;
mod claims;
mod cluster;
mod drills;
mod operator;
mod plugin;
mod store;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::config::ExpectationConfig;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::archive_id::Place;
use crate::domain::cluster::ClusterId;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::schedule::Schedule;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;
use crate::observation::cluster::ObservedCluster;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::content::reading_in;
use crate::sources::kubernetes::resolve::annotations::Annotations;
use crate::sources::kubernetes::resolve::backups::BackupIndex;
use crate::sources::kubernetes::resolve::drills::DrillIndex;
use crate::sources::kubernetes::resolve::store::Wiring;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::store::s3::Authority;

pub use claims::Claims;
pub use claims::Ground;

pub(super) use claims::named_secrets as secrets_of_stores;

/// Everything that Kubernetes showed at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// By namespace and name; without those that an annotation removes. Unread if no namespace
    /// could be read. Clusters of a namespace that became unreadable stay as they were last seen.
    pub clusters: Reading<Vec<Discovered>>,
    /// Why `clusters` may be incomplete or out of date.
    pub unread: Vec<Unreadable>,
    /// Objects that were skipped. A `Cluster` among them still exists.
    pub unparsable: Vec<UnparsableObject>,
    /// `None` where nobody looks for archives that no cluster names.
    pub claims: Option<Reading<Claims>>,
}

/// A `Cluster` and the archive that it writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovered {
    pub id: ArchiveId,
    /// `None` if there is no store that can be read; `cluster.store` says why.
    pub address: Option<ArchiveAddress>,
    pub cluster: ObservedCluster,
    pub retention_policy: Option<RetentionPolicy>,
    /// The annotations of the `Cluster`, over the defaults.
    pub expectations: ExpectationConfig,
    /// The most frequent one of those that are active and have the method of the archive.
    pub schedule: Option<Schedule>,
    pub credentials: StoreCredentials,
    /// `endpointCA`, where Secrets are read.
    pub authority: Option<Authority>,
}

/// With what an archive's store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreCredentials {
    /// With the credentials of the configuration.
    Configured,
    /// `inheritFromIAMRole`: with what the environment gives.
    DefaultChain,
    /// With the Secrets that the store names.
    Secrets(SecretKeys),
}

/// Which values of which Secrets open a store. Holds none of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKeys {
    pub(super) namespace: String,
    pub(super) access_key_id: SecretKey,
    pub(super) secret_access_key: SecretKey,
    pub(super) session_token: Option<SecretKey>,
}

/// An object of ours to read that has another shape than its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnparsableObject {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub why: String,
}

/// Resolves every cluster.
pub(super) fn resolve(
    content: &Content,
    defaults: &ExpectationConfig,
    now: DateTime<Utc>,
) -> Discovery {
    let unread: Vec<Unreadable> =
        content.clusters.iter().filter_map(|scope| scope.unread.clone()).collect();
    let mut unparsable = unparsable_objects(content);
    unparsable.sort();
    if let (Some(first), true) = (unread.first(), unread.len() == content.clusters.len()) {
        let claims = Some(Err(first.clone()));
        return Discovery { clusters: Err(first.clone()), unread, unparsable, claims };
    }
    let wired: Vec<Wired<'_>> = clusters(content).map(|it| Wired::new(it, content)).collect();
    let backups = BackupIndex::new(content);
    let (drills, writers) = (DrillIndex::new(content), writers(&wired));
    let around = Surroundings { content, backups, drills, writers, defaults, now };
    let discovered = wired
        .into_iter()
        .filter(|wired| !wired.annotations.is_ignored)
        .map(|wired| wired.discovered(&around))
        .collect();
    let claims = Some(claims::claims(content));
    Discovery { clusters: Ok(discovered), unread, unparsable, claims }
}

/// The Secrets that stores of watched clusters name.
pub(super) fn named_secrets(content: &Content) -> BTreeSet<ObjectName> {
    let mut names = BTreeSet::new();
    for (name, cluster) in clusters(content) {
        if Annotations::read(&cluster.meta).is_ignored {
            continue;
        }
        let wiring = Wiring::of(name, cluster);
        for key in wiring.secret_keys(content) {
            names.insert(ObjectName {
                namespace: Arc::clone(&name.namespace),
                name: key.name.as_str().into(),
            });
        }
    }
    names
}

/// All clusters that parse, as they were last seen.
fn clusters(content: &Content) -> impl Iterator<Item = (&ObjectName, &Kept<Cluster>)> {
    let objects = content.clusters.iter().filter_map(|scope| scope.last.as_deref()).flatten();
    objects.filter_map(|(name, cluster)| Some((name, cluster.as_deref().ok()?)))
}

fn unparsable_objects(content: &Content) -> Vec<UnparsableObject> {
    let mut found = Vec::new();
    note_unparsable(&mut found, &content.clusters);
    note_unparsable(&mut found, &content.backups);
    note_unparsable(&mut found, &content.schedules);
    note_unparsable(&mut found, &content.stores);
    note_unparsable(&mut found, content.drills.as_slice());
    found
}

fn note_unparsable<K: Kind>(found: &mut Vec<UnparsableObject>, scopes: &[Scope<K>]) {
    let objects = scopes.iter().filter_map(|scope| scope.last.as_deref()).flatten();
    found.extend(objects.filter_map(|(name, object)| {
        Some(UnparsableObject {
            kind: K::KIND,
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
            why: object.as_ref().err()?.to_string(),
        })
    }));
}

/// Who writes where. Also those that an annotation removes: they write all the same.
fn writers(wired: &[Wired<'_>]) -> BTreeMap<Place, Vec<ClusterId>> {
    let mut writers: BTreeMap<Place, Vec<ClusterId>> = BTreeMap::new();
    for wired in wired {
        if let Some(place) = wired.store.address.as_ref().map(ArchiveAddress::place) {
            writers.entry(place).or_default().push(wired.id());
        }
    }
    writers
}

/// What all clusters are resolved with.
struct Surroundings<'a> {
    content: &'a Content,
    backups: BackupIndex<'a>,
    drills: DrillIndex<'a>,
    writers: BTreeMap<Place, Vec<ClusterId>>,
    defaults: &'a ExpectationConfig,
    now: DateTime<Utc>,
}

/// A cluster with its store looked up.
struct Wired<'a> {
    name: &'a ObjectName,
    cluster: &'a Kept<Cluster>,
    annotations: Annotations,
    wiring: Wiring<'a>,
    store: store::ResolvedStore,
}

impl<'a> Wired<'a> {
    fn new((name, cluster): (&'a ObjectName, &'a Kept<Cluster>), content: &Content) -> Self {
        let wiring = Wiring::of(name, cluster);
        let store = wiring.resolve(content);
        let annotations = Annotations::read(&cluster.meta);
        Self { name, cluster, annotations, wiring, store }
    }

    fn id(&self) -> ClusterId {
        let ObjectName { namespace, name } = self.name;
        ClusterId { namespace: namespace.to_string(), name: name.to_string() }
    }

    fn discovered(self, around: &Surroundings<'_>) -> Discovered {
        let Surroundings { content, backups, drills, writers, defaults, now } = around;
        let id = self.id();
        let schedules = backups.schedules(self.name);
        let schedule = schedules.as_ref().ok().and_then(|schedules| {
            backups::most_frequent(schedules, &self.wiring.archiver, *now).cloned()
        });
        let place = self.store.address.as_ref().map(ArchiveAddress::place);
        let sharers = place.and_then(|place| writers.get(&place)).into_iter().flatten();
        let sharers = sharers.filter(|other| **other != id).cloned().collect();
        let is_read = reading_in(&content.clusters, &self.name.namespace).is_ok();
        let cluster = ObservedCluster {
            uid: self.cluster.meta.uid.clone(),
            created_at: self.cluster.meta.created_at,
            system_identifier: cluster::system_identifier(self.cluster).filter(|_| is_read),
            timeline: cluster::timeline(self.cluster).filter(|_| is_read),
            operator: operator::version(content),
            archiver: self.wiring.archiver.clone(),
            instance: cluster::instance(self.cluster),
            store: self.store.declared,
            activity: cluster::activity(self.name, self.cluster),
            schedules,
            backups: backups.backups(self.name),
            elsewhere: backups.elsewhere(self.name, self.cluster),
            plugin: plugin::deployment(&self.wiring.archiver, content),
            sharers,
            wal_archiving: None,
            drills: self.annotations.drills,
            drill_reports: drills.of(self.name),
            known_drill_reports: drills.known(self.name),
            bad_annotations: self.annotations.bad,
            id,
        };
        Discovered {
            id: ArchiveId {
                namespace: self.name.namespace.to_string(),
                cluster: self.name.name.to_string(),
                server_name: self.wiring.server_name.to_owned(),
            },
            address: self.store.address,
            cluster,
            retention_policy: self.store.retention_policy,
            expectations: self.annotations.expectations.or(**defaults),
            schedule,
            credentials: self.store.credentials,
            authority: self.store.authority,
        }
    }
}

#[cfg(test)]
mod tests;
