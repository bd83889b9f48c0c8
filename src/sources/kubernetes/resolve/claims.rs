//! Where servers have their folders, and which of these some `Cluster` names: what is left belongs to
//! nobody.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::Place;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::resolve::StoreCredentials;
use crate::sources::kubernetes::resolve::annotations::Annotations;
use crate::sources::kubernetes::resolve::clusters;
use crate::sources::kubernetes::resolve::store::ResolvedStore;
use crate::sources::kubernetes::resolve::store::Wiring;
use crate::sources::kubernetes::resolve::unparsable_objects;
use crate::sources::kubernetes::resources::Kept;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::ObjectStoreResource;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::store::s3::Authority;

/// What all clusters together lay claim to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// One for each place.
    pub grounds: Vec<Ground>,
    places: BTreeSet<Place>,
    /// Server names whose place is not known; they count everywhere.
    names: BTreeSet<String>,
}

/// A place below which servers have their folders.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    pub namespace: String,
    /// `None` for a store that a `Cluster` holds itself.
    pub object_store: Option<String>,
    /// With an empty server name.
    pub address: ArchiveAddress,
    pub credentials: StoreCredentials,
    pub authority: Option<Authority>,
}

impl Claims {
    /// Whether some cluster names this archive, or may.
    pub fn hold(&self, address: &ArchiveAddress) -> bool {
        self.places.contains(&address.place()) || self.names.contains(&address.server_name)
    }

    pub fn claim(&mut self, address: &ArchiveAddress) {
        self.places.insert(address.place());
    }

    fn claim_all(&mut self, wiring: &Wiring<'_>, resolved: &ResolvedStore) {
        match &resolved.address {
            Some(address) => self.claim(address),
            None => drop(self.names.insert(wiring.server_name.to_owned())),
        }
    }
}

/// Unread where a cluster may have been missed: what is its own would pass for nobody's.
pub(super) fn claims(content: &Content) -> Reading<Claims> {
    check(&content.clusters)?;
    let has_stores = content.stores.iter().all(|scope| !is_unknown_kind(scope));
    if has_stores {
        check(&content.stores)?;
    }
    let kinds = ["Cluster", "ObjectStore"];
    if let Some(object) =
        unparsable_objects(content).into_iter().find(|it| kinds.contains(&it.kind))
    {
        let what = format!("read {} {}/{}", object.kind, object.namespace, object.name);
        return Err(Unreadable { what, why: object.why, reason: UnreadableReason::Parse });
    }
    let mut claims = Claims::default();
    let mut grounds = Grounds::default();
    for (name, cluster) in clusters(content) {
        let is_ignored = Annotations::read(&cluster.meta).is_ignored;
        for wiring in Wiring::written(name, cluster) {
            let resolved = wiring.resolve(content);
            claims.claim_all(&wiring, &resolved);
            let store = wiring.object_store_name();
            // A cluster that is ignored is no reason to leave out the store of others.
            if store.is_some() || !is_ignored {
                grounds.add(&name.namespace, store, resolved);
            }
        }
        for wiring in Wiring::read(name, cluster) {
            claims.claim_all(&wiring, &wiring.resolve(content));
        }
    }
    for (name, store) in stores(content) {
        if Annotations::read(&store.meta).is_ignored {
            grounds.ignore(name, content);
        } else if !grounds.used.contains(name) {
            let resolved = Wiring::unused(name).resolve(content);
            grounds.add(&name.namespace, Some(&name.name), resolved);
        }
    }
    claims.grounds = grounds.finish();
    Ok(claims)
}

/// What leads to the stores, also to those that no cluster uses.
pub(in crate::sources::kubernetes) fn named_secrets(content: &Content) -> BTreeSet<ObjectName> {
    let stores = stores(content).filter(|(_, store)| !Annotations::read(&store.meta).is_ignored);
    let names = stores.flat_map(|(name, _)| {
        let wiring = Wiring::unused(name);
        let keys: Vec<SecretKey> = wiring.secret_keys(content).into_iter().cloned().collect();
        let namespace = &name.namespace;
        keys.into_iter()
            .map(|key| ObjectName { namespace: namespace.clone(), name: key.name.into() })
            .collect::<Vec<_>>()
    });
    names.collect()
}

fn stores(content: &Content) -> impl Iterator<Item = (&ObjectName, &Kept<ObjectStoreResource>)> {
    let objects = content.stores.iter().filter_map(|scope| scope.last.as_deref()).flatten();
    objects.filter_map(|(name, store)| Some((name, store.as_deref().ok()?)))
}

fn check<K: Kind>(scopes: &[Scope<K>]) -> Reading<()> {
    scopes.iter().try_for_each(|scope| scope.reading().map(|_| ()).map_err(Unreadable::clone))
}

/// Without the plugin there are no stores of its kind.
fn is_unknown_kind<K: Kind>(scope: &Scope<K>) -> bool {
    scope.unread.as_ref().is_some_and(|unread| unread.reason == UnreadableReason::NotFound)
}

/// Of several declarations for one place the first by namespace and name counts.
#[derive(Default)]
struct Grounds {
    found: BTreeMap<Place, Ground>,
    /// The stores that clusters archive to, by whatever environment.
    used: BTreeSet<ObjectName>,
    ignored: BTreeSet<Place>,
}

impl Grounds {
    fn add(&mut self, namespace: &str, object_store: Option<&str>, resolved: ResolvedStore) {
        if let Some(name) = object_store {
            self.used.insert(ObjectName { namespace: namespace.into(), name: name.into() });
        }
        let Some(address) = resolved.address else { return };
        let address = ArchiveAddress { server_name: String::new(), ..address };
        let place = address.place();
        let ground = Ground {
            namespace: namespace.to_owned(),
            object_store: object_store.map(str::to_owned),
            address,
            credentials: resolved.credentials,
            authority: resolved.authority,
        };
        let known = self.found.get(&place);
        if known.is_none_or(|known| rank(&ground) < rank(known)) {
            self.found.insert(place, ground);
        }
    }

    fn ignore(&mut self, store: &ObjectName, content: &Content) {
        let mut own = self.found.iter().filter(|(_, ground)| {
            *ground.namespace == *store.namespace
                && ground.object_store.as_deref() == Some(&*store.name)
        });
        let place = own.next().map(|(place, _)| place.clone());
        let alone = || Wiring::unused(store).resolve(content).address.map(|it| it.place());
        self.ignored.extend(place.or_else(alone));
    }

    fn finish(self) -> Vec<Ground> {
        let wanted = self.found.into_iter().filter(|(place, _)| !self.ignored.contains(place));
        wanted.map(|(_, ground)| ground).collect()
    }
}

fn rank(ground: &Ground) -> (&str, bool, Option<&str>) {
    let object_store = ground.object_store.as_deref();
    (&ground.namespace, object_store.is_none(), object_store)
}
