//! Looks for the archives below a place.

use std::sync::Arc;

use futures::future::join_all;

use crate::domain::archive_id::ArchiveAddress;
use crate::service::orphans::Owners;
use crate::sources::archive::servers::Servers;
use crate::sources::archive::servers::servers_below;
use crate::sources::store::error::StoreError;
use crate::sources::store::opening::Access;
use crate::sources::store::opening::Stores;

/// A place to look at, and who owns what there.
#[derive(Clone, Debug)]
pub struct Errand {
    /// With an empty server name.
    pub(super) place: ArchiveAddress,
    pub(super) access: Access,
    pub(super) owners: Arc<Owners>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub(super) place: ArchiveAddress,
    /// As they were when it was looked for; what they owned was not.
    pub(super) owners: Arc<Owners>,
    pub(super) servers: Result<Servers, StoreError>,
}

/// Looks everywhere at the same time, each in its turn at its store.
pub async fn search(stores: &Stores, errands: Vec<Errand>) -> Vec<Outcome> {
    join_all(errands.into_iter().map(|errand| look(stores, errand))).await
}

async fn look(stores: &Stores, errand: Errand) -> Outcome {
    let Errand { place, access, owners } = errand;
    let store = stores.open(&place, &access);
    let turns = stores.turns(&place);
    let _turn = turns.look().await;
    let is_wanted = |name: &str| !owners.own(&server_at(&place, name));
    let servers = servers_below(store.as_ref(), place.folder().as_str(), is_wanted).await;
    Outcome { place, owners, servers }
}

pub(super) fn server_at(place: &ArchiveAddress, name: &str) -> ArchiveAddress {
    ArchiveAddress { server_name: name.to_owned(), ..place.clone() }
}
