//! Which servers have an archive below a place.

use futures::stream;
use futures::stream::StreamExt;

use crate::sources::limits;
use crate::sources::store::error::StoreError;
use crate::sources::store::listing;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;

/// Of a folder so much is listed; what has more direct files than this before `base/` is no archive.
const KEYS_MAX: u16 = 100;

/// Some of the servers below a place, as far as they could be seen.
#[derive(Debug, Default)]
pub struct Servers {
    /// The names of the folders that hold an archive.
    pub archives: Vec<String>,
    pub has_more: bool,
    /// Why it is not known of some folder what it holds.
    pub unread: Option<StoreError>,
}

impl Servers {
    /// Whether every folder was looked into.
    pub const fn is_whole(&self) -> bool {
        !self.has_more && self.unread.is_none()
    }
}

/// Looks into the wanted folders directly under a prefix, which is empty or ends in `/`.
pub async fn servers_below(
    store: &dyn ObjectStore,
    prefix: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Servers, StoreError> {
    let listed = listing::outline(store, prefix).await?;
    let has_more = !listed.is_whole || limits::SERVERS_AT_A_PLACE_MAX < listed.folders.len();
    let folders = listed.folders.into_iter().take(limits::SERVERS_AT_A_PLACE_MAX);
    let named = folders.filter_map(|folder| {
        let name = folder.strip_prefix(prefix).unwrap_or(&folder).trim_end_matches('/').to_owned();
        is_wanted(&name).then_some((folder, name))
    });
    let looks = named.map(|(folder, name)| async move {
        let page = outline(store, &folder).await?;
        Ok::<_, StoreError>(is_archive(&page, &folder).then_some(name))
    });
    let looks: Vec<_> =
        stream::iter(looks.collect::<Vec<_>>()).buffered(limits::SERVERS_AT_ONCE).collect().await;
    let mut servers = Servers { has_more, ..Servers::default() };
    for look in looks {
        match look {
            Ok(name) => servers.archives.extend(name),
            Err(error) => drop(servers.unread.get_or_insert(error)),
        }
    }
    Ok(servers)
}

pub(super) async fn outline(store: &dyn ObjectStore, prefix: &str) -> Result<ListPage, StoreError> {
    let keys_max = Some(KEYS_MAX);
    let request = ListRequest { prefix, is_outline: true, keys_max, ..ListRequest::default() };
    store.list_page(request).await
}

pub(super) fn is_archive(page: &ListPage, prefix: &str) -> bool {
    let names = page.folders.iter().filter_map(|folder| folder.strip_prefix(prefix));
    names.into_iter().any(|name| ["base/", "wals/"].contains(&name))
}
