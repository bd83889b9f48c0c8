//! What the server keeps: objects, their history under one counter of versions, tokens, faults and
//! the log of requests.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use crate::kubernetes::call::Target;
use crate::kubernetes::fault::Faults;
use crate::kubernetes::identity::Tokens;
use crate::kubernetes::json::key_of;
use crate::kubernetes::json::metadata_mut;
use crate::kubernetes::requests::RequestLog;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// Changes kept per kind, as the watch cache of the API server is bounded.
const HISTORY_MAX: usize = 100_000;

/// One change of one object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    /// The new state, or the last one of a deleted object.
    pub(super) object: Arc<Value>,
    /// `None` when the change created the object.
    pub(super) previous: Option<Arc<Value>>,
    pub(super) is_deletion: bool,
}

/// Objects by namespace and name, in the order in which lists show them.
pub(super) type Objects = BTreeMap<(String, String), Arc<Value>>;

/// The objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) objects: Objects,
    pub(super) history: VecDeque<Change>,
    /// Versions before this one are forgotten.
    pub(super) oldest: u64,
}

impl Table {
    /// The objects as they were at a version that is not forgotten.
    pub(super) fn at(&self, revision: u64) -> Objects {
        let mut objects = self.objects.clone();
        for change in self.history.iter().rev().take_while(|change| change.revision > revision) {
            let key = key_of(&change.object);
            match &change.previous {
                Some(previous) => objects.insert(key, Arc::clone(previous)),
                None => objects.remove(&key),
            };
        }
        objects
    }
}

#[derive(Debug)]
pub(super) struct State {
    /// The version of the last change, of whatever kind.
    pub(super) revision: u64,
    pub(super) types: Vec<Arc<ResourceType>>,
    /// By `plural.group`. A table outlives its kind, so that open watches see the last deletions.
    tables: BTreeMap<String, Table>,
    pub(super) tokens: Tokens,
    pub(super) faults: Faults,
    pub(super) log: RequestLog,
    /// What containers have logged, by namespace, pod and container.
    container_logs: BTreeMap<(String, String, String), String>,
    identifiers: u64,
    /// Tells open watches that there is something to look at.
    news: watch::Sender<u64>,
}

impl State {
    pub(super) fn new(types: Vec<ResourceType>) -> Self {
        let mut state = Self {
            // Not near zero, which has a meaning of its own.
            revision: 1000,
            types: Vec::new(),
            tables: BTreeMap::new(),
            tokens: Tokens::default(),
            faults: Faults::default(),
            log: RequestLog::default(),
            container_logs: BTreeMap::new(),
            identifiers: 0,
            news: watch::Sender::new(0),
        };
        for kind in types {
            state.install(kind);
        }
        state
    }

    /// Serves a kind from now on, or serves it anew: watches of the former definition end.
    pub(super) fn install(&mut self, kind: ResourceType) {
        self.types.retain(|known| !known.is(&kind.group, &kind.plural));
        let oldest = self.revision;
        self.tables.entry(kind.qualified()).or_default().oldest = oldest;
        self.types.push(Arc::new(kind));
        self.announce();
    }

    /// Serves a kind no more, and deletes its objects.
    pub(super) fn uninstall(&mut self, group: &str, plural: &str) {
        let Some(kind) = self.find_type(group, plural) else { return };
        let keys: Vec<_> = self.table(&kind).objects.keys().cloned().collect();
        for (namespace, name) in keys {
            self.remove(&kind, &namespace, &name);
        }
        self.types.retain(|known| !Arc::ptr_eq(known, &kind));
        self.announce();
    }

    pub(super) fn find_type(&self, group: &str, plural: &str) -> Option<Arc<ResourceType>> {
        self.types.iter().find(|kind| kind.is(group, plural)).cloned()
    }

    /// The kind with this `apiVersion` and `kind`.
    pub(super) fn type_of(&self, api_version: &str, kind: &str) -> Option<Arc<ResourceType>> {
        self.types
            .iter()
            .find(|known| known.kind == kind && known.api_version() == api_version)
            .cloned()
    }

    pub(super) fn is_installed(&self, kind: &Arc<ResourceType>) -> bool {
        self.types.iter().any(|known| Arc::ptr_eq(known, kind))
    }

    pub(super) fn table(&self, kind: &ResourceType) -> &Table {
        self.tables.get(&kind.qualified()).expect("a table for every kind")
    }

    pub(super) fn get(&self, kind: &ResourceType, ns: &str, name: &str) -> Option<Arc<Value>> {
        self.table(kind).objects.get(&(ns.to_owned(), name.to_owned())).cloned()
    }

    /// All objects of a kind born with the server.
    pub(super) fn objects(&self, group: &str, plural: &str) -> Vec<Arc<Value>> {
        let kind = self.find_type(group, plural);
        kind.map_or(Vec::new(), |kind| self.table(&kind).objects.values().cloned().collect())
    }

    /// Writes an object under a new version.
    pub(super) fn put(&mut self, kind: &ResourceType, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        metadata_mut(&mut object)
            .insert("resourceVersion".to_owned(), json!(self.revision.to_string()));
        let object = Arc::new(object);
        let key = key_of(&object);
        let previous = self.table_mut(kind).objects.insert(key, Arc::clone(&object));
        let revision = self.revision;
        let change = Change { revision, object: Arc::clone(&object), previous, is_deletion: false };
        self.record(kind, change);
        object
    }

    /// Takes an object away. The last state that watches see carries the version of the deletion.
    pub(super) fn remove(&mut self, kind: &ResourceType, ns: &str, name: &str) {
        let key = (ns.to_owned(), name.to_owned());
        let Some(previous) = self.table_mut(kind).objects.remove(&key) else { return };
        self.revision += 1;
        let mut last = Value::clone(&previous);
        metadata_mut(&mut last)
            .insert("resourceVersion".to_owned(), json!(self.revision.to_string()));
        let revision = self.revision;
        let previous = Some(previous);
        let change = Change { revision, object: Arc::new(last), previous, is_deletion: true };
        self.record(kind, change);
    }

    fn record(&mut self, kind: &ResourceType, change: Change) {
        let table = self.table_mut(kind);
        table.history.push_back(change);
        if table.history.len() > HISTORY_MAX
            && let Some(forgotten) = table.history.pop_front()
        {
            table.oldest = table.oldest.max(forgotten.revision);
        }
        self.announce();
    }

    /// Forgets all versions before the present one, of the kind with this plural or of all kinds.
    pub(super) fn compact(&mut self, plural: Option<&str>) {
        let revision = self.revision;
        for (qualified, table) in &mut self.tables {
            let is_meant = plural.is_none_or(|plural| {
                qualified.split_once('.').map_or(qualified.as_str(), |(name, _)| name) == plural
            });
            if is_meant {
                // The history stays for the watches that are open: they have read past it.
                table.oldest = revision;
            }
        }
    }

    /// Adds lines to what a container has logged, each behind its time.
    pub(super) fn add_to_log(&mut self, place: [&str; 3], lines: &str) {
        let [namespace, pod, container] = place.map(str::to_owned);
        self.container_logs.entry((namespace, pod, container)).or_default().push_str(lines);
    }

    /// All of it, whatever time is asked for. One that has not begun is refused, as the kubelet refuses
    /// it.
    pub(super) fn log_of(&self, target: &Target, container: &str) -> Result<String, Failure> {
        let place = (target.namespace.clone(), target.name.clone(), container.to_owned());
        self.container_logs.get(&place).cloned().ok_or_else(|| {
            let pod = &target.name;
            let why = format!("container {container:?} in pod {pod:?} is waiting to start");
            Failure::bad_request(why)
        })
    }

    /// A new `metadata.uid`.
    pub(super) fn new_uid(&mut self) -> String {
        self.identifiers += 1;
        format!("5eed0000-0000-4000-8000-{:012x}", self.identifiers)
    }

    /// Wakes all watches.
    pub(super) fn announce(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn table_mut(&mut self, kind: &ResourceType) -> &mut Table {
        self.tables.get_mut(&kind.qualified()).expect("a table for every kind")
    }
}
