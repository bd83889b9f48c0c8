//! A store that makes up the keys of a synthetic archive as they are asked for.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use cnpg_backup_verifier::domain::codec::Codec;
use cnpg_backup_verifier::domain::object_key::ServerFolder;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::domain::segment::SegmentNumber;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::sources::store::body::Body;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::object_store::ListPage;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::requests::Operation;
use cnpg_backup_verifier::sources::store::requests::Requests;
use futures::stream;

use crate::made_archive::segment;
use crate::synthetic::BACKUPS;
use crate::synthetic::Synthetic;

/// Plain segments of 1 MiB, of which each holds a commit.
#[derive(Debug)]
pub(crate) struct SyntheticStore {
    archive: Synthetic,
    folder: ServerFolder,
    newest: AtomicU64,
    /// In the order of `Operation::ALL`.
    counts: [AtomicU64; Operation::ALL.len()],
}

const PAGE: usize = 1_000;

impl SyntheticStore {
    pub(crate) fn new(archive: Synthetic) -> Self {
        let size = SegmentSize::new(1 << 20).unwrap();
        let archive = Synthetic { size, codec: Codec::None, object_bytes: 1 << 20, ..archive };
        Self {
            archive,
            folder: archive.folder(),
            newest: AtomicU64::new(archive.segments),
            counts: Default::default(),
        }
    }

    /// Uploads further segments.
    pub(crate) fn grow(&self, segments: u64) {
        self.newest.fetch_add(segments, Ordering::Relaxed);
    }

    pub(crate) fn reset_counts(&self) {
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    pub(crate) fn count(&self, operation: Operation) -> u64 {
        let at = Operation::ALL.iter().position(|it| *it == operation).unwrap();
        self.counts[at].load(Ordering::Relaxed)
    }

    pub(crate) fn dollars(&self) -> f64 {
        let price = |it| self.count(it) as f64 * Requests::price_dollars(it);
        Operation::ALL.into_iter().map(price).sum()
    }

    fn note(&self, operation: Operation) {
        let at = Operation::ALL.iter().position(|it| *it == operation).unwrap();
        self.counts[at].fetch_add(1, Ordering::Relaxed);
    }

    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    fn key(&self, number: u64) -> String {
        let name = SegmentNumber::new(number).name(TimelineId::FIRST, self.archive.size);
        self.folder.segment(name, Codec::None)
    }

    /// The first segment whose key comes after this one.
    fn first_after(&self, key: &str) -> u64 {
        let (mut first, mut end) = (1, self.newest() + 1);
        while first < end {
            let middle = first.midpoint(end);
            if self.key(middle).as_str() <= key { first = middle + 1 } else { end = middle }
        }
        first
    }

    fn listed(&self, key: String, number: u64) -> ListedObject {
        let uploaded_at = self.archive.uploaded_at(number);
        let version = ObjectVersion::new("\"e\"", self.archive.object_bytes);
        ListedObject {
            key,
            version,
            uploaded_at,
            class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
        }
    }

    fn wals(&self, request: ListRequest<'_>) -> ListPage {
        let after = request.continuation.or(request.start_after).unwrap_or_default();
        let first = match self.number(request.prefix) {
            Some(number) if after < request.prefix => number,
            _ => self.first_after(after.max(request.prefix)),
        };
        if request.is_outline {
            return self.outline(first);
        }
        let limit = request.keys_max.map_or(PAGE, usize::from);
        let mut page = ListPage::default();
        let mut keys = Keys::new(self);
        for number in (first..=self.newest()).filter(|it| !self.archive.is_hole(*it)) {
            let key = keys.key(number);
            if !key.starts_with(request.prefix) {
                break;
            }
            if page.objects.len() == limit {
                page.continuation = page.objects.last().map(|object| object.key.clone());
                break;
            }
            page.objects.push(self.listed(key.to_owned(), number));
        }
        page
    }

    fn outline(&self, first: u64) -> ListPage {
        let per_log = self.archive.size.segments_per_log();
        let mut page = ListPage::default();
        for log in first.div_ceil(per_log).saturating_sub(1)..=self.newest() / per_log {
            let key = self.key(log * per_log);
            let folder = key.rsplit_once('/').unwrap().0;
            if page.folders.len() == PAGE {
                // Sorts after all segments of the last folder.
                page.continuation = page.folders.last().map(|folder| format!("{folder}~"));
                break;
            }
            page.folders.push(format!("{folder}/"));
        }
        page
    }

    fn base(&self) -> ListPage {
        let object = |backup: u64, name: &str, size: u64| {
            let id = self.archive.backup_id(backup);
            let key = format!("{}{id}/{name}", self.folder.base());
            let uploaded_at = self.archive.backup_ended_at(backup);
            let version = ObjectVersion::new(format!("\"{backup:032x}\""), size);
            ListedObject {
                key,
                version,
                uploaded_at,
                class: cnpg_backup_verifier::domain::storage_class::StorageClass::default(),
            }
        };
        let both = |backup| {
            [object(backup, "backup.info", 1_000), object(backup, "data.tar.bz2", 4_000_000_000)]
        };
        ListPage { objects: (0..BACKUPS).flat_map(both).collect(), ..ListPage::default() }
    }

    fn number(&self, key: &str) -> Option<u64> {
        let first = self.first_after(key);
        let number = first.checked_sub(1).filter(|it| self.key(*it) == key)?;
        (!self.archive.is_hole(number)).then_some(number)
    }
}

/// Writes keys quickly: all but the last eight digits stay for a while.
struct Keys<'a> {
    store: &'a SyntheticStore,
    key: String,
    log: Option<u64>,
}

impl<'a> Keys<'a> {
    fn new(store: &'a SyntheticStore) -> Self {
        Self { store, key: String::new(), log: None }
    }

    fn key(&mut self, number: u64) -> &str {
        let per_log = self.store.archive.size.segments_per_log();
        let log = number / per_log;
        if self.log != Some(log) {
            self.key = self.store.key(number);
            self.log = Some(log);
        }
        self.key.truncate(self.key.len() - 8);
        for shift in (0..8).rev() {
            let digit = u32::try_from(((number % per_log) >> (4 * shift)) & 0xF).unwrap();
            self.key.push(char::from_digit(digit, 16).unwrap().to_ascii_uppercase());
        }
        &self.key
    }
}

#[async_trait]
impl ObjectStore for SyntheticStore {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        self.note(Operation::List);
        // Lets other archives go on, as an answer that takes its time would.
        tokio::task::yield_now().await;
        let is_base = request.prefix == self.folder.base();
        Ok(if is_base { self.base() } else { self.wals(request) })
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        self.note(Operation::Get);
        let bytes = if let Some(number) = self.number(key) {
            segment(1, number, self.archive.size, self.archive.uploaded_at(number))
        } else {
            let info_of = |it: &u64| key.contains(self.archive.backup_id(*it).as_str());
            let backup = (0..BACKUPS).find(info_of);
            let backup = backup.ok_or_else(|| StoreError::new(StoreErrorKind::NoSuchKey, key))?;
            self.archive.backup_info(backup).into_bytes()
        };
        let version = ObjectVersion::new("\"e\"", bytes.len() as u64);
        let chunk = Bytes::from(bytes).split_off(usize::try_from(from).unwrap());
        Body::new(key, from, expected, version, stream::iter([Ok(chunk)]))
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.note(Operation::Head);
        let number = self.number(key);
        let number = number.ok_or_else(|| StoreError::new(StoreErrorKind::NoSuchKey, key))?;
        Ok(self.listed(key.to_owned(), number))
    }

    fn clock(&self) -> StoreClock {
        StoreClock::default()
    }
}
