//! Looks around where nothing of an archive was found: mostly the address is wrong.

use crate::observation::Reading;
use crate::observation::surroundings::Names;
use crate::observation::surroundings::Surroundings;
use crate::sources::archive::Collector;
use crate::sources::archive::servers::Servers;
use crate::sources::archive::servers::is_archive;
use crate::sources::archive::servers::outline;
use crate::sources::archive::servers::servers_below;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ObjectStore;

const LOOK: &str = "list what lies at the address";

/// Enough to recognise a place by.
const NAMES_MAX: usize = 10;

/// So many folders are looked into at each place; each costs a request.
const FOLDERS_MAX: usize = 10;

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

/// The archives whose folders lie directly under a prefix, which is empty or ends in `/`.
pub async fn archives_below(store: &dyn ObjectStore, prefix: &str) -> Result<Below, StoreError> {
    let Servers { archives, has_more, unread } = servers_below(store, prefix, |_| true).await?;
    if let Some(error) = unread {
        return Err(error);
    }
    let others = if archives.is_empty() {
        names(&outline(store, prefix).await?, prefix, None).first
    } else {
        Vec::new()
    };
    Ok(Below { archives, has_more, others })
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
