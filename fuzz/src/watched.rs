//! What watches hold after the answers to lists and the lines of watches, and what it resolves to.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;
use kube::core::ObjectList;
use kube::core::WatchEvent;

use crate::config::ExpectationConfig;
use crate::sources::kubernetes::content::Content;
use crate::sources::kubernetes::content::Guarded;
use crate::sources::kubernetes::content::Objects;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::content::keep;
use crate::sources::kubernetes::resolve;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::Words;

pub use crate::sources::kubernetes::resolve::Discovered;
pub use crate::sources::kubernetes::resolve::Discovery;
pub use crate::sources::kubernetes::resolve::StoreCredentials;

/// Everything that is watched, in all namespaces.
pub struct Watched(Content);

impl Default for Watched {
    fn default() -> Self {
        Self(Content {
            clusters: vec![nothing()],
            backups: vec![nothing()],
            schedules: vec![nothing()],
            stores: vec![nothing()],
            deployments: nothing(),
            drills: Some(nothing()),
            operator_namespace: "cnpg-system".to_owned(),
            secrets: None,
        })
    }
}

impl Watched {
    /// Takes what the server sent for a kind: the first byte tells which, the rest is an answer to a
    /// list or one line of a watch.
    pub fn take(&mut self, sent: &[u8]) {
        let Some((kind, json)) = sent.split_first() else { return };
        let Content { clusters, backups, schedules, stores, deployments, drills, .. } = &mut self.0;
        match kind {
            b'c' => take(&mut clusters[0], json),
            b'b' => take(&mut backups[0], json),
            b's' => take(&mut schedules[0], json),
            b'o' => take(&mut stores[0], json),
            b'd' => take(deployments, json),
            b'r' => drills.iter_mut().for_each(|it| take(it, json)),
            _ => {}
        }
    }

    pub fn resolve(&self, now: DateTime<Utc>) -> Discovery {
        resolve::resolve(&self.0, &ExpectationConfig::DEFAULT, now)
    }

    /// Namespace and name of each `Cluster`, and whether it has the shape of one.
    pub fn clusters(&self) -> Vec<(String, String, bool)> {
        let objects = self.0.clusters[0].last.as_deref().into_iter().flatten();
        objects
            .map(|(it, read)| (it.namespace.to_string(), it.name.to_string(), read.is_ok()))
            .collect()
    }

    /// How many objects of other kinds have another shape, Deployments left out.
    pub fn other_unparsable(&self) -> usize {
        let Content { backups, schedules, stores, drills, .. } = &self.0;
        let results: usize = drills.iter().map(unparsable).sum();
        unparsable(&backups[0]) + unparsable(&schedules[0]) + unparsable(&stores[0]) + results
    }

    /// The namespaces of the Secrets that would be read.
    pub fn namespaces_of_secrets(&self) -> Vec<String> {
        resolve::named_secrets(&self.0).into_iter().map(|name| name.namespace.to_string()).collect()
    }
}

fn nothing<K: Kind>() -> Scope<K> {
    Scope { namespace: None, last: Some(Arc::default()), unread: None }
}

fn unparsable<K: Kind>(scope: &Scope<K>) -> usize {
    scope.last.as_deref().into_iter().flatten().filter(|(_, object)| object.is_err()).count()
}

/// As a watch does (`src/sources/kubernetes/watch.rs`). What cannot be read ends it, and it begins
/// again with a list.
fn take<K: Kind>(scope: &mut Scope<K>, json: &[u8]) {
    let words = &mut Words::default();
    if let Ok(list) = serde_json::from_slice::<ObjectList<Guarded<K>>>(json) {
        scope.last = Some(Arc::new(list.items.into_iter().map(|it| keep(it, words)).collect()));
        return;
    }
    let known: &mut Objects<K> = Arc::make_mut(scope.last.get_or_insert_default());
    match serde_json::from_slice::<WatchEvent<Guarded<K>>>(json) {
        Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
            known.extend([keep(object, words)]);
        }
        Ok(WatchEvent::Deleted(object)) => drop(known.remove(&keep(object, words).0)),
        Ok(WatchEvent::Bookmark(_) | WatchEvent::Error(_)) | Err(_) => {}
    }
}
