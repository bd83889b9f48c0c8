//! What the watches hold at one moment, with what they could not read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::core::DeserializeGuard;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::sources::kubernetes::resources::Backup;
use crate::sources::kubernetes::resources::Cluster;
use crate::sources::kubernetes::resources::Deployment;
use crate::sources::kubernetes::resources::Keep;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::Object;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::ObjectStoreResource;
use crate::sources::kubernetes::resources::ScheduledBackup;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::kubernetes::resources::Words;
use crate::sources::kubernetes::resources::drills::DrillResult;

/// The objects of one kind; an object that does not parse has the reason in its place.
///
/// Shared, as a change makes another map while somebody still reads the one before.
pub(super) type Objects<K> = BTreeMap<ObjectName, KeptObject<K>>;

pub(super) type KeptObject<K> = Result<Arc<<K as Kind>::Kept>, Box<str>>;

/// An object in a list or a line of a watch: one of another shape spoils no other.
pub(super) type Guarded<K> = DeserializeGuard<Object<K>>;

/// What is kept of an object, under its name; its texts are those of these words that it shares with others.
pub(super) fn keep<K: Kind>(object: Guarded<K>, words: &mut Words) -> (ObjectName, KeptObject<K>) {
    let name = ObjectName::of(object.meta(), words);
    let kept = object.0.map(|object| Arc::new(K::Kept::keep(&name, object, words)));
    (name, kept.map_err(|invalid| invalid.error.into()))
}

/// What one watch holds.
#[derive(Clone, Debug)]
pub(super) struct Scope<K: Kind> {
    /// `None` covers all namespaces.
    pub(super) namespace: Option<String>,
    /// As last seen; `None` before the first listing.
    pub(super) last: Option<Arc<Objects<K>>>,
    /// Why `last` is missing, or too old to be relied on.
    pub(super) unread: Option<Unreadable>,
}

impl<K: Kind> Scope<K> {
    pub(super) fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }

    pub(super) fn reading(&self) -> Result<&Objects<K>, &Unreadable> {
        match (&self.unread, &self.last) {
            (Some(unread), _) => Err(unread),
            (None, Some(objects)) => Ok(objects),
            (None, None) => Err(&NOT_WATCHED),
        }
    }
}

/// A scope without content carries its reason; this stands in where it does not.
static NOT_WATCHED: Unreadable =
    Unreadable { what: String::new(), why: String::new(), reason: UnreadableReason::Internal };

/// The objects of the scope that covers a namespace.
pub(super) fn reading_in<'a, K: Kind>(
    scopes: &'a [Scope<K>],
    namespace: &str,
) -> Reading<&'a Objects<K>> {
    let scope = scopes.iter().find(|scope| scope.covers(namespace));
    let scope = scope.ok_or_else(|| Unreadable {
        what: format!("list {}", K::PLURAL),
        why: format!("the namespace {namespace:?} is not watched"),
        reason: UnreadableReason::Internal,
    })?;
    scope.reading().map_err(Unreadable::clone)
}

/// Everything that is resolved into archives.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) clusters: Vec<Scope<Cluster>>,
    pub(super) backups: Vec<Scope<Backup>>,
    pub(super) schedules: Vec<Scope<ScheduledBackup>>,
    pub(super) stores: Vec<Scope<ObjectStoreResource>>,
    /// Of the operator's namespace.
    pub(super) deployments: Scope<Deployment>,
    /// `None` where no namespace for restore drills is configured.
    pub(super) drills: Option<Scope<DrillResult>>,
    pub(super) operator_namespace: String,
    /// `None` unless Secrets may be read.
    pub(super) secrets: Option<BTreeMap<ObjectName, Reading<Arc<Secret>>>>,
}

/// The `data` of a Secret. Never printed.
#[derive(PartialEq, Eq)]
pub(super) struct Secret(pub(super) BTreeMap<String, Vec<u8>>);

impl Secret {
    fn bytes(&self, key: &str) -> Result<&[u8], String> {
        let bytes = self.0.get(key).ok_or_else(|| format!("it has no key {key:?}"))?;
        Ok(bytes)
    }

    /// One line of printable ASCII, without the blanks around it.
    pub(super) fn text(&self, key: &str) -> Result<&str, String> {
        let bytes = self.bytes(key)?;
        let text = str::from_utf8(bytes).unwrap_or_default().trim();
        let is_key = !text.is_empty() && text.chars().all(|it| it.is_ascii_graphic());
        if is_key {
            Ok(text)
        } else {
            Err(format!("its key {key:?} is not one line of printable ASCII"))
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One value out of the Secrets that were read.
pub(super) fn secret_text<'a>(
    secrets: &'a BTreeMap<ObjectName, Reading<Arc<Secret>>>,
    namespace: &str,
    at: &SecretKey,
) -> Result<&'a str, String> {
    let (name, secret) = secret(secrets, namespace, at)?;
    secret.text(&at.key).map_err(|why| format!("the Secret {name}: {why}"))
}

/// The same, whatever it holds.
pub(super) fn secret_bytes<'a>(
    secrets: &'a BTreeMap<ObjectName, Reading<Arc<Secret>>>,
    namespace: &str,
    at: &SecretKey,
) -> Result<&'a [u8], String> {
    let (name, secret) = secret(secrets, namespace, at)?;
    secret.bytes(&at.key).map_err(|why| format!("the Secret {name}: {why}"))
}

fn secret<'a>(
    secrets: &'a BTreeMap<ObjectName, Reading<Arc<Secret>>>,
    namespace: &str,
    at: &SecretKey,
) -> Result<(ObjectName, &'a Secret), String> {
    let name = ObjectName { namespace: namespace.into(), name: at.name.as_str().into() };
    match secrets.get(&name) {
        Some(Ok(secret)) => Ok((name, secret)),
        Some(Err(unread)) => Err(unread.to_string()),
        None => Err(format!("read the Secret {name}: it was not asked for")),
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
