//! Credentials out of the Secrets that a store names, where that was asked for.
//!
//! Each Secret is read by its name, never listed. It is read again after a minute, and at once
//! after a store has refused what was in it, so that a rotation needs no restart.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::core::v1;
use kube::Api;
use kube::Client;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::sources::kubernetes::content::Secret;
use crate::sources::kubernetes::failure;
use crate::sources::kubernetes::resolve::SecretKeys;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::SecretKey;
use crate::sources::limits;
use crate::sources::store::s3::KeySource;
use crate::sources::store::s3::Keys;

/// Reads Secrets, and remembers them for a while.
#[derive(Clone)]
pub(super) struct Secrets {
    client: Client,
    entries: Arc<Mutex<BTreeMap<ObjectName, Arc<KnownSecret>>>>,
}

#[derive(Default)]
struct KnownSecret {
    /// Held while the Secret is read, so that it is read once for all who wait.
    last: tokio::sync::Mutex<Option<Last>>,
    is_refused: AtomicBool,
}

struct Last {
    read_at: Instant,
    secret: Reading<Arc<Secret>>,
}

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self { client, entries: Arc::default() }
    }

    /// Reads these and forgets all others.
    pub(super) async fn read_all(
        &self,
        names: BTreeSet<ObjectName>,
    ) -> BTreeMap<ObjectName, Reading<Arc<Secret>>> {
        self.lock().retain(|name, _| names.contains(name));
        let reads = names.into_iter().map(|name| async {
            let secret = self.read(&name).await;
            (name, secret)
        });
        stream::iter(reads).buffer_unordered(limits::SECRETS_AT_ONCE).collect().await
    }

    /// The Secret as it was at most a minute ago, or since it was last refused.
    pub(super) async fn read(&self, name: &ObjectName) -> Reading<Arc<Secret>> {
        let entry = Arc::clone(self.lock().entry(name.clone()).or_default());
        let mut last = entry.last.lock().await;
        let now = Instant::now();
        if let Some(last) = last.as_ref() {
            let is_refused = entry.is_refused.load(Ordering::Relaxed);
            let fresh = if is_refused { limits::SECRET_AGAIN } else { limits::SECRET_FRESH };
            if now.saturating_duration_since(last.read_at) < fresh {
                return last.secret.clone();
            }
        }
        entry.is_refused.store(false, Ordering::Relaxed);
        let mut secret = self.get(name).await;
        // What the server cannot say now is what it said before.
        if let (Err(unread), Some(Last { secret: Ok(known), .. })) = (&secret, last.as_ref())
            && !is_answer(unread.reason)
        {
            secret = Ok(Arc::clone(known));
        }
        *last = Some(Last { read_at: now, secret: secret.clone() });
        secret
    }

    fn refuse(&self, name: &ObjectName) {
        if let Some(entry) = self.lock().get(name) {
            entry.is_refused.store(true, Ordering::Relaxed);
        }
    }

    async fn get(&self, name: &ObjectName) -> Reading<Arc<Secret>> {
        let what = || format!("read the Secret {name}");
        let api: Api<v1::Secret> = Api::namespaced(self.client.clone(), &name.namespace);
        let secret = timeout(limits::KUBERNETES_CALL, api.get(&name.name)).await;
        let secret = secret.map_err(|_| Unreadable {
            what: what(),
            why: format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs()),
            reason: UnreadableReason::Timeout,
        })?;
        let secret = secret.map_err(|error| failure::unreadable(what(), &error))?;
        let data = secret.data.into_iter().flatten();
        Ok(Arc::new(Secret(data.map(|(key, bytes)| (key, bytes.0)).collect())))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectName, Arc<KnownSecret>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server said that there is nothing for us.
fn is_answer(reason: UnreadableReason) -> bool {
    matches!(reason, UnreadableReason::Auth | UnreadableReason::NotFound)
}

/// The keys of one store.
pub(super) struct StoreKeys {
    pub(super) keys: SecretKeys,
    pub(super) secrets: Secrets,
}

impl StoreKeys {
    async fn text(&self, at: &SecretKey) -> Result<String, String> {
        let name = self.secret_of(at);
        let secret = self.secrets.read(&name).await.map_err(|unread| unread.to_string())?;
        let text = secret.text(&at.key).map_err(|why| format!("the Secret {name}: {why}"))?;
        Ok(text.to_owned())
    }

    fn secret_of(&self, at: &SecretKey) -> ObjectName {
        let namespace = self.keys.namespace.as_str().into();
        ObjectName { namespace, name: at.name.as_str().into() }
    }
}

#[async_trait]
impl KeySource for StoreKeys {
    fn name(&self) -> String {
        let SecretKeys { namespace, access_key_id, secret_access_key, session_token } = &self.keys;
        let names = [Some(access_key_id), Some(secret_access_key), session_token.as_ref()];
        let names = names.map(|it| it.map(|it| format!("{}[{}]", it.name, it.key)));
        format!("{namespace}: {names:?}")
    }

    async fn keys(&self) -> Result<Keys, String> {
        let session_token = match &self.keys.session_token {
            Some(at) => Some(self.text(at).await?),
            None => None,
        };
        Ok(Keys {
            access_key_id: self.text(&self.keys.access_key_id).await?,
            secret_access_key: self.text(&self.keys.secret_access_key).await?,
            session_token,
        })
    }

    fn note_refusal(&self) {
        let SecretKeys { access_key_id, secret_access_key, session_token, .. } = &self.keys;
        for at in [access_key_id, secret_access_key].into_iter().chain(session_token) {
            self.secrets.refuse(&self.secret_of(at));
        }
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKeys").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests;
