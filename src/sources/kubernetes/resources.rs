//! The kinds of Kubernetes that are read, with no more than the fields that are used.
//!
//! Unknown fields are ignored: a newer operator has more of them. A known field of another shape
//! makes the object one that does not parse. The shapes are those of CloudNativePG 1.30
//! (`api/v1/*_types.go`) and of the Barman Cloud Plugin 0.14 (`api/v1/objectstore_types.go`).

pub(super) mod drills;
pub(super) mod jobs;
mod kept_backup;
mod specs;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use kept_backup::backup_method;
pub(super) use specs::*;

/// A kind, as a type without values.
pub(super) trait Kind: Clone + Debug + Send + Sync + 'static {
    /// Empty for the core group.
    const GROUP: &'static str;
    const VERSION: &'static str;
    const KIND: &'static str;
    const PLURAL: &'static str;
    /// Labels and annotations that are kept, by the start of their keys.
    const KEPT: &'static [&'static str];
    const KEEPS_UID: bool = false;

    type Spec: Part;
    type Status: Part;
    /// What stays of an object as long as it is there.
    type Kept: Keep<Self>;
}

pub(super) trait Part:
    Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static
{
}

impl<T: Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static> Part for T {}

/// An object as the API server sends it.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(deserialize = ""))]
pub(super) struct Object<K: Kind> {
    metadata: ObjectMeta,
    #[serde(alias = "data")]
    spec: K::Spec,
    #[serde(default, deserialize_with = "specs::or_default")]
    status: K::Status,
}

pub(super) trait Keep<K: Kind>: Debug + Send + Sync + 'static {
    fn keep(name: &ObjectName, object: Object<K>, words: &mut Words) -> Self;
}

/// What is kept of an object of most kinds.
#[derive(Clone, Debug)]
pub(super) struct Kept<K: Kind> {
    pub(super) meta: Meta,
    pub(super) spec: K::Spec,
    pub(super) status: K::Status,
}

/// What is kept of `metadata`; the name is the key under which it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// Empty where the kind keeps none.
    pub(super) uid: String,
    pub(super) created_at: Option<DateTime<Utc>>,
    /// Somebody has deleted it, and it is not gone yet.
    pub(super) is_leaving: bool,
    labels: Box<[(String, String)]>,
    annotations: Box<[(String, String)]>,
}

/// Where an object is; orders by namespace first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectName {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

impl ObjectName {
    pub(super) fn of(meta: &ObjectMeta, words: &mut Words) -> Self {
        let namespace = words.share(meta.namespace.as_deref().unwrap_or_default());
        Self { namespace, name: meta.name.as_deref().unwrap_or_default().into() }
    }
}

/// Texts that many objects have in common, such as the name of the cluster that they are for: each is in
/// memory once.
#[derive(Debug, Default)]
pub(super) struct Words(BTreeSet<Arc<str>>);

impl Words {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    /// Forgets those that no object has any more.
    pub(super) fn forget_unused(&mut self) {
        self.0.retain(|it| 1 < Arc::strong_count(it));
    }
}

impl<K: Kind> Keep<K> for Kept<K> {
    fn keep(_: &ObjectName, object: Object<K>, _: &mut Words) -> Self {
        let Object { metadata, spec, status } = object;
        Self { meta: Meta::keep::<K>(metadata), spec, status }
    }
}

impl Meta {
    fn keep<K: Kind>(metadata: ObjectMeta) -> Self {
        let is_kept = |key: &str| K::KEPT.iter().any(|start| key.starts_with(start));
        let keep = |pairs: Option<BTreeMap<String, String>>| {
            pairs.into_iter().flatten().filter(|(key, _)| is_kept(key)).collect()
        };
        let created_at = metadata.creation_timestamp;
        Self {
            uid: metadata.uid.filter(|_| K::KEEPS_UID).unwrap_or_default(),
            // Kubernetes writes whole seconds.
            created_at: created_at.and_then(|time| DateTime::from_timestamp(time.0.as_second(), 0)),
            is_leaving: metadata.deletion_timestamp.is_some(),
            labels: keep(metadata.labels),
            annotations: keep(metadata.annotations),
        }
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        find(&self.labels, key)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        find(&self.annotations, key)
    }

    /// Annotations whose keys begin like this, with the rest of the key.
    pub(super) fn annotations_behind<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.annotations.iter();
        pairs.filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

impl<K: Kind> Resource for Object<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        K::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        K::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
pub(super) mod tests;
