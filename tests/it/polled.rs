//! An archive in memory that is polled on a clock that does not wait, and what that asks for.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::pace::Pace;
use cnpg_backup_verifier::service::watched::Watched;
use cnpg_backup_verifier::sources::store::body::Body;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::failing::Failing;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;
use cnpg_backup_verifier::sources::store::object_store::ListPage;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;

use crate::made_archive::MadeArchive;
use crate::scene::look;
use crate::scene::look_at_everything;
use crate::scene::pace;
use crate::scene::watch_store_at;

/// An archive in memory, polled each minute on a clock that does not wait. Its uploads are as old
/// as the real clock says.
pub(crate) struct Polled {
    pub(crate) archive: MadeArchive,
    pub(crate) store: Arc<Noting>,
    watched: Watched,
}

const DAY: Duration = Duration::from_hours(24);

impl Polled {
    /// The archive was listed once.
    pub(crate) async fn start(archive: MadeArchive, polling: Polling) -> Self {
        let mut polled = Self::new(archive, polling);
        assert_eq!(polled.poll().await.verdict, Verdict::Recoverable);
        polled.asked();
        polled
    }

    pub(crate) fn new(archive: MadeArchive, polling: Polling) -> Self {
        Self::at(archive, pace(polling, DAY))
    }

    pub(crate) fn at(archive: MadeArchive, pace: Pace) -> Self {
        let inner = Failing::new(archive.in_memory());
        let head_answer = Mutex::new(HeadAnswer::Truth);
        let store = Arc::new(Noting { inner, asked: Mutex::default(), head_answer });
        let shared: Arc<dyn ObjectStore> = store.clone();
        let watched = watch_store_at(archive.config(None), shared, pace);
        Self { archive, store, watched }
    }

    pub(crate) async fn poll(&mut self) -> Arc<Assessment> {
        tokio::time::advance(Duration::from_mins(1)).await;
        look(&mut self.watched).await
    }

    /// The newest segment that a poll shows.
    pub(crate) async fn poll_newest(&mut self) -> String {
        self.poll().await.newest_segment.unwrap().name.to_string()
    }

    /// What was asked for since the last question.
    pub(crate) fn asked(&self) -> String {
        std::mem::take(&mut *self.store.asked.lock().unwrap())
    }

    /// What each of some polls asked for, parted by spaces.
    pub(crate) async fn play(&mut self, polls: usize) -> String {
        let mut played = Vec::new();
        for _ in 0..polls {
            self.poll().await;
            played.push(self.asked());
        }
        played.join(" ")
    }

    pub(crate) fn memory(&self) -> &MemoryStore {
        self.store.inner.inner()
    }

    /// A look at everything, out of turn.
    pub(crate) async fn list_everything(&mut self) -> Arc<Assessment> {
        look_at_everything(&mut self.watched).await
    }

    /// A backup that has just ended.
    pub(crate) fn back_up(&mut self, first: u64, last: u64) {
        let ended_at = clock::now();
        let id = self.archive.add_backup(ended_at, first, last);
        for name in ["data.tar.bz2", "backup.info"] {
            let key = self.archive.key(&format!("base/{id}/{name}"));
            self.memory().put_at(&key, self.archive.objects[&key].0.clone(), ended_at);
        }
    }

    pub(crate) fn upload(&mut self, number: u64) {
        let key = self.archive.add_segment(number, clock::now());
        self.memory().put_at(&key, self.archive.objects[&key].0.clone(), clock::now());
    }
}

/// Writes down what is asked for: `W` and `B` for a LIST of `wals/` and `base/`, `h` and `g` for
/// a HEAD and a GET.
pub(crate) struct Noting {
    pub(crate) inner: Failing<MemoryStore>,
    asked: Mutex<String>,
    head_answer: Mutex<HeadAnswer>,
}

/// What the store says to HEAD.
#[derive(Clone)]
pub(crate) enum HeadAnswer {
    Truth,
    /// That it is there, whatever it is.
    Yes,
    /// The same of keys with this in them.
    YesTo(&'static str),
    Refusal(StoreErrorKind),
}

impl Noting {
    pub(crate) fn answer_head_with(&self, answer: HeadAnswer) {
        *self.head_answer.lock().unwrap() = answer;
    }

    fn note(&self, letter: char) {
        self.asked.lock().unwrap().push(letter);
    }
}

#[async_trait]
impl ObjectStore for Noting {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        self.note(if request.prefix.contains("/base/") { 'B' } else { 'W' });
        self.inner.list_page(request).await
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        self.note('g');
        self.inner.open(key, from, expected).await
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.note('h');
        let answer = self.head_answer.lock().unwrap().clone();
        let is_yes = match answer {
            HeadAnswer::Truth => false,
            HeadAnswer::Yes => true,
            HeadAnswer::YesTo(part) => key.contains(part),
            HeadAnswer::Refusal(kind) => return Err(StoreError::new(kind, "on purpose")),
        };
        if !is_yes {
            return self.inner.head(key).await;
        }
        let version = ObjectVersion::new("\"yes\"", 100);
        Ok(ListedObject {
            key: key.to_owned(),
            version,
            uploaded_at: clock::now(),
            class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
        })
    }

    fn clock(&self) -> StoreClock {
        self.inner.clock()
    }
}
