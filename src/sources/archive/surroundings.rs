//! Looks around where nothing of an archive was found: mostly the address is wrong.

use futures::stream;
use futures::stream::StreamExt;
use futures::stream::TryStreamExt;

use crate::observation::Reading;
use crate::observation::surroundings::Names;
use crate::observation::surroundings::Surroundings;
use crate::sources::archive::Collector;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;

const LOOK: &str = "list what lies at the address";

/// Enough to recognise a place by.
const NAMES_MAX: usize = 10;

/// So many folders are looked into at each place; each costs a request.
const FOLDERS_MAX: usize = 10;

/// Of a folder so much is listed; what has more direct files than this before `base/` is no archive.
const KEYS_MAX: u16 = 100;

impl Collector {
    /// Costs up to two requests, and one for each folder that is found.
    pub(super) async fn look_around(&self) -> Reading<Surroundings> {
        let (store, own) = (self.store.as_ref(), self.folder.as_str());
        let page = outline(store, own).await.map_err(|error| error.unreadable(LOOK))?;
        let mut archives = archives_in(store, &page).await;
        let inside = names(&page, own, None);
        // A token may be for this folder alone.
        let beside = match parent(own) {
            Some(parent) => match outline(store, parent).await {
                Ok(page) => {
                    if is_archive(&page, parent) {
                        archives.push(parent.to_owned());
                    }
                    archives.extend(archives_in(store, &page).await);
                    names(&page, parent, Some(own))
                }
                Err(error) if error.kind == StoreErrorKind::Denied => Names::default(),
                Err(error) => return Err(error.unreadable(LOOK)),
            },
            None => Names::default(),
        };
        Ok(Surroundings { inside, beside, archives })
    }
}

/// What lies at a place for many archives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Below {
    /// The names of the folders that hold an archive.
    pub archives: Vec<String>,
    pub has_more: bool,
    /// The first few of what is there where no archive is.
    pub others: Vec<String>,
}

/// So many folders of one place are looked into.
const BELOW_MAX: usize = 1_000;

/// One request for each folder, some at once.
const AT_ONCE: usize = 8;

/// The archives whose folders lie directly under a prefix, which is empty or ends in `/`.
pub async fn archives_below(store: &dyn ObjectStore, prefix: &str) -> Result<Below, StoreError> {
    let listed = listing::outline(store, prefix).await?;
    let has_more = !listed.is_whole || BELOW_MAX < listed.folders.len();
    let folders = listed.folders.into_iter().take(BELOW_MAX);
    let looks = folders.map(|folder| async move {
        let page = outline(store, &folder).await?;
        Ok::<_, StoreError>((is_archive(&page, &folder), folder))
    });
    let looks: Vec<(bool, String)> =
        stream::iter(looks.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
    let archives = looks.into_iter().filter(|(is_archive, _)| *is_archive);
    let name = |folder: String| {
        let name = folder.strip_prefix(prefix).unwrap_or(&folder);
        name.trim_end_matches('/').to_owned()
    };
    let archives: Vec<String> = archives.map(|(_, folder)| name(folder)).collect();
    let others = if archives.is_empty() {
        names(&outline(store, prefix).await?, prefix, None).first
    } else {
        Vec::new()
    };
    Ok(Below { archives, has_more, others })
}

async fn outline(store: &dyn ObjectStore, prefix: &str) -> Result<ListPage, StoreError> {
    let keys_max = Some(KEYS_MAX);
    let request = ListRequest { prefix, is_outline: true, keys_max, ..ListRequest::default() };
    store.list_page(request).await
}

/// The folders of a page that hold an archive, as far as they can be seen.
async fn archives_in(store: &dyn ObjectStore, page: &ListPage) -> Vec<String> {
    let mut archives = Vec::new();
    for folder in page.folders.iter().take(FOLDERS_MAX) {
        if outline(store, folder).await.is_ok_and(|page| is_archive(&page, folder)) {
            archives.push(folder.clone());
        }
    }
    archives
}

fn is_archive(page: &ListPage, prefix: &str) -> bool {
    let names = page.folders.iter().filter_map(|folder| folder.strip_prefix(prefix));
    names.into_iter().any(|name| ["base/", "wals/"].contains(&name))
}

fn names(page: &ListPage, prefix: &str, without: Option<&str>) -> Names {
    let objects = page.objects.iter().map(|object| object.key.as_str());
    let keys = page.folders.iter().map(String::as_str).chain(objects);
    let keys = keys.filter(|key| Some(*key) != without);
    // The object of this very name is how some tools make a folder.
    let names = keys.filter_map(|key| key.strip_prefix(prefix)).filter(|name| !name.is_empty());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    let has_more = NAMES_MAX < names.len() || page.continuation.is_some();
    names.truncate(NAMES_MAX);
    Names { first: names, has_more }
}

/// `None` at the top.
fn parent(folder: &str) -> Option<&str> {
    let own = folder.strip_suffix('/')?;
    Some(own.rfind('/').map_or("", |at| own.get(..=at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_higher_is_the_folder_around() {
        for (folder, expected) in
            [("a/b/", Some("a/")), ("a/", Some("")), ("", None), ("a//", Some("a/"))]
        {
            assert_eq!(parent(folder), expected, "{folder}");
        }
    }
}
