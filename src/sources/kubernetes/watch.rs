//! Keeps the objects of a kind as they are now: a list, then a watch, again and again.
//!
//! An object that does not parse stays in its place, with the reason. What was seen stays while
//! the server cannot be asked, and is not relied on after a while.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::runtime::watcher;
use kube::runtime::watcher::Event;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::sources::kubernetes::content;
use crate::sources::kubernetes::content::Guarded;
use crate::sources::kubernetes::content::KeptObject;
use crate::sources::kubernetes::content::Objects;
use crate::sources::kubernetes::content::Scope;
use crate::sources::kubernetes::failure;
use crate::sources::kubernetes::resources::Kind;
use crate::sources::kubernetes::resources::ObjectName;
use crate::sources::kubernetes::resources::Words;
use crate::sources::limits;

/// What is watched of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// `None` for all namespaces.
    pub(super) namespace: Option<String>,
    pub(super) labels: Option<&'static str>,
    /// Whether a server that does not know the kind has none of it.
    pub(super) is_optional: bool,
}

/// One watch.
#[derive(Debug)]
pub(super) struct Feed<K: Kind> {
    wanted: Wanted,
    state: Arc<Mutex<State<K>>>,
    task: AbortHandle,
}

#[derive(Debug)]
struct State<K: Kind> {
    /// As last listed and watched.
    objects: Option<Arc<Objects<K>>>,
    /// Since when the server cannot be asked, and why.
    failing: Option<(Instant, Unreadable)>,
}

/// Tells that something was seen, or could not be.
pub(super) type Changes = watch::Sender<u64>;

impl<K: Kind> Feed<K> {
    pub(super) fn start(
        client: &Client,
        wanted: Wanted,
        changes: Changes,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let state = Arc::new(Mutex::new(State { objects: None, failing: None }));
        let api: Api<Guarded<K>> = match &wanted.namespace {
            None => Api::all(client.clone()),
            Some(namespace) => Api::namespaced(client.clone(), namespace),
        };
        let what = wanted.what(K::PLURAL);
        let watch = Watch::new(Arc::clone(&state), changes, what);
        let task = tasks.spawn(watch.run(api, wanted.labels));
        Self { wanted, state, task }
    }

    /// Whether the first list was answered, be it with a refusal.
    pub(super) fn has_looked(&self) -> bool {
        let state = lock(&self.state);
        state.objects.is_some() || state.failing.is_some()
    }

    pub(super) fn scope(&self, now: Instant) -> Scope<K> {
        let state = lock(&self.state);
        let namespace = self.wanted.namespace.clone();
        // It has no end but a panic, after which nothing is noticed any more.
        if self.task.is_finished() {
            let unread = self.unanswered("the watch has ended", UnreadableReason::Internal);
            return Scope { namespace, last: state.objects.clone(), unread: Some(unread) };
        }
        let lasting = state.failing.as_ref().filter(|(since, _)| {
            state.objects.is_none()
                || limits::KUBERNETES_STALE <= now.saturating_duration_since(*since)
        });
        match lasting {
            None if state.objects.is_none() => {
                let (why, reason) = ("Kubernetes has not answered yet", UnreadableReason::Timeout);
                let unread = self.unanswered(why, reason);
                Scope { namespace, last: None, unread: Some(unread) }
            }
            None => Scope { namespace, last: state.objects.clone(), unread: None },
            Some((_, unread)) if self.wanted.is_optional && is_unknown_kind(unread) => {
                Scope { namespace, last: Some(Arc::default()), unread: None }
            }
            Some((_, unread)) => {
                Scope { namespace, last: state.objects.clone(), unread: Some(unread.clone()) }
            }
        }
    }

    fn unanswered(&self, why: &str, reason: UnreadableReason) -> Unreadable {
        let what = format!("list {}", self.wanted.what(K::PLURAL));
        Unreadable { what, why: why.to_owned(), reason }
    }
}

impl Wanted {
    fn what(&self, plural: &str) -> String {
        match &self.namespace {
            None => plural.to_owned(),
            Some(namespace) => format!("{plural} in {namespace}"),
        }
    }
}

fn is_unknown_kind(unread: &Unreadable) -> bool {
    unread.reason == UnreadableReason::NotFound
}

/// The task behind a [`Feed`].
struct Watch<K: Kind> {
    state: Arc<Mutex<State<K>>>,
    changes: Changes,
    /// Such as `clusters in databases`.
    what: String,
    /// What a list that has not ended showed so far.
    listed: Option<Objects<K>>,
    words: Words,
    /// Failures since the last calm.
    trouble: Option<Trouble>,
}

struct Trouble {
    last_at: Instant,
    pause: Duration,
    /// Told once, not at every attempt.
    told: Option<UnreadableReason>,
}

impl<K: Kind> Watch<K> {
    fn new(state: Arc<Mutex<State<K>>>, changes: Changes, what: String) -> Self {
        Self { state, changes, what, listed: None, words: Words::default(), trouble: None }
    }

    /// Never ends: each failure is followed by a pause and another list.
    ///
    /// kube's watcher would go on from the version it knows. But it asks for the same version for
    /// ever where a watch cannot be started, and does not tell that it can again.
    async fn run(mut self, api: Api<Guarded<K>>, labels: Option<&'static str>) {
        let config = watcher::Config {
            label_selector: labels.map(str::to_owned),
            timeout: Some(limits::KUBERNETES_WATCH_SECONDS),
            page_size: Some(limits::KUBERNETES_PAGE),
            ..watcher::Config::default()
        };
        loop {
            let mut events = pin!(watcher(api.clone(), config.clone()));
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => self.take(event),
                    Err(error) => {
                        let pause = self.fail(&error);
                        tokio::time::sleep(pause).await;
                        break;
                    }
                }
            }
        }
    }

    fn take(&mut self, event: Event<Guarded<K>>) {
        match event {
            Event::Init => self.listed = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let (name, object) = keep(object, &mut self.words);
                self.listed.get_or_insert_default().insert(name, object);
            }
            Event::InitDone => {
                let listed = Arc::new(self.listed.take().unwrap_or_default());
                self.change(|known| *known = listed);
                self.words.forget_unused();
            }
            Event::Apply(object) => {
                let (name, object) = keep(object, &mut self.words);
                self.change(|known| {
                    Arc::make_mut(known).insert(name, object);
                });
            }
            Event::Delete(object) => {
                let name = ObjectName::of(object.meta(), &mut self.words);
                self.change(|known| {
                    Arc::make_mut(known).remove(&name);
                });
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Arc<Objects<K>>)) {
        let failed = {
            let mut state = lock(&self.state);
            change(state.objects.get_or_insert_default());
            state.failing.take()
        };
        if let Some((since, _)) = failed {
            let seconds = Instant::now().saturating_duration_since(since).as_secs();
            tracing::info!(seconds, "{}: works again", self.what);
        }
        self.tell();
    }

    /// Notes a failure; the answer is how long to pause.
    fn fail(&mut self, error: &watcher::Error) -> Duration {
        let now = Instant::now();
        self.listed = None;
        let trouble =
            self.trouble.take().filter(|it| now.saturating_duration_since(it.last_at) < CALM);
        let mut trouble =
            trouble.unwrap_or(Trouble { last_at: now, pause: PAUSE_FIRST, told: None });
        let status = failure::status(error);
        // That the known version is too old is part of watching: what was seen is still right.
        if status.is_none_or(|status| status.code != HTTP_GONE) {
            let unread = failure::of_watch(&self.what, error);
            if trouble.told.replace(unread.reason) != Some(unread.reason) {
                tracing::warn!(reason = unread.reason.code(), "{unread}");
            }
            let mut state = lock(&self.state);
            let since = state.failing.take().map_or(now, |(since, _)| since);
            state.failing = Some((since, unread));
        }
        let wanted = status.and_then(|status| status.details.as_ref());
        let wanted = Duration::from_secs(wanted.map_or(0, |it| u64::from(it.retry_after_seconds)));
        let pause = trouble.pause.max(wanted).min(PAUSE_MAX);
        trouble.pause = trouble.pause.saturating_mul(2).min(PAUSE_MAX);
        trouble.last_at = now;
        self.trouble = Some(trouble);
        self.tell();
        pause
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

const HTTP_GONE: u16 = 410;

const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// A kind that appears is noticed within a minute.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// After this long without a failure, the next one is a new one.
const CALM: Duration = Duration::from_mins(2);

fn keep<K: Kind>(object: Guarded<K>, words: &mut Words) -> (ObjectName, KeptObject<K>) {
    let (name, kept) = content::keep(object, words);
    if let Err(why) = &kept {
        tracing::warn!(kind = K::KIND, object = %name, "{why}; skipped until it changes");
    }
    (name, kept)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
