//! A store that answers well, and not with what it holds: a proxy in between emptied, halved or
//! zeroed it.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use chrono::TimeZone;
use chrono::Utc;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::object_version::ObjectVersion;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::sources::store::body::Body;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;
use cnpg_backup_verifier::sources::store::object_store::ListPage;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use futures::stream;
use test_servers::s3::S3Server;

use crate::made_archive::MadeArchive;
use crate::scene::Scene;
use crate::scene::codes;
use crate::scene::look;
use crate::scene::look_at_everything;
use crate::scene::watch_store;

/// What becomes of the bytes of a `backup.info` on their way.
type Distort = fn(&[u8]) -> Bytes;

struct Lying {
    inner: MemoryStore,
    /// For so many more answers.
    lies: Mutex<(usize, Distort)>,
}

#[async_trait]
impl ObjectStore for Lying {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        self.inner.list_page(request).await
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        let mut body = self.inner.open(key, from, expected).await?;
        let distort = {
            let mut lies = self.lies.lock().unwrap();
            if !key.ends_with("backup.info") || lies.0 == 0 {
                return Ok(body);
            }
            lies.0 -= 1;
            lies.1
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        let bytes = distort(&bytes);
        let size = u64::try_from(bytes.len()).unwrap();
        let version = ObjectVersion::new(body.version().etag.clone(), size);
        Body::new(key, 0, None, version, stream::iter([Ok(bytes)]))
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.inner.head(key).await
    }

    fn clock(&self) -> StoreClock {
        self.inner.clock()
    }
}

const EMPTIED: Distort = |_| Bytes::new();
const HALVED: Distort = |bytes| Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
const ZEROED: Distort = |bytes| vec![0; bytes.len()].into();

#[tokio::test]
async fn a_bad_answer_for_a_backup_info_is_forgotten_with_the_next_good_one() {
    for (distort, accuses) in [(EMPTIED, false), (HALVED, false), (ZEROED, true)] {
        let archive = MadeArchive::healthy(20);
        let lies = Mutex::new((usize::MAX, distort));
        let store = Arc::new(Lying { inner: archive.in_memory(), lies });
        let mut watched = watch_store(archive.config(None), store.clone());
        let bad = look_at_everything(&mut watched).await;
        assert_ne!(bad.verdict, Verdict::Recoverable, "{bad:#?}");
        // Of another length than was listed, it tells of the answer and not of the backup.
        assert_eq!(codes(&bad).contains(&"backup_info_unreadable"), accuses, "{bad:#?}");
        store.lies.lock().unwrap().0 = 0;
        let good = look(&mut watched).await;
        assert_eq!((good.verdict, codes(&good)), (Verdict::Recoverable, vec![]), "{good:#?}");
    }
}

/// Lists in a way of its own.
struct ListingOtherwise {
    inner: MemoryStore,
    is_backwards: bool,
}

#[async_trait]
impl ObjectStore for ListingOtherwise {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        // Version 1 of `ListObjects` does not know of a key to start after.
        let start_after = request.start_after.filter(|_| self.is_backwards);
        let mut page = self.inner.list_page(ListRequest { start_after, ..request }).await?;
        if self.is_backwards {
            page.objects.reverse();
        }
        Ok(page)
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        self.inner.open(key, from, expected).await
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        self.inner.head(key).await
    }

    fn clock(&self) -> StoreClock {
        self.inner.clock()
    }
}

#[tokio::test]
async fn a_store_that_lists_in_its_own_way_is_told_to_be_one() {
    // More than what a look lists anew.
    let archive = MadeArchive::healthy(100);
    for (is_backwards, says) in [(true, "does not list in byte order"), (false, "version 1")] {
        let store = Arc::new(ListingOtherwise { inner: archive.in_memory(), is_backwards });
        let mut watched = watch_store(archive.config(None), store);
        look_at_everything(&mut watched).await;
        let read = look(&mut watched).await;
        assert_eq!(codes(&read), ["listing_unusable"], "{says}");
        assert_eq!(read.verdict, Verdict::Unknown);
        assert!(read.findings[0].to_string().contains(says), "{}", read.findings[0]);
        assert!(read.is_store_up(), "it answers");
    }
}

#[tokio::test]
async fn one_bad_answer_accuses_nobody() {
    let archive = MadeArchive::healthy(20);
    let store = Arc::new(Lying { inner: archive.in_memory(), lies: Mutex::new((1, ZEROED)) });
    let mut watched = watch_store(archive.config(None), store);
    let read = look_at_everything(&mut watched).await;
    assert_eq!((read.verdict, codes(&read)), (Verdict::Recoverable, vec![]), "{read:#?}");
}

/// The WAL is 80 minutes old, by uploads that are stamped right, and may be 15.
#[tokio::test]
async fn a_date_that_lags_behind_the_uploads_makes_no_old_wal_fresh() {
    let mut archive = MadeArchive::empty();
    archive.now -= TimeDelta::minutes(80);
    archive.add_healthy(20);
    for (ahead, expected) in [
        (TimeDelta::zero(), "wal_stale"),
        (TimeDelta::minutes(-86), "clock_unreliable"),
        (TimeDelta::days(-1), "clock_unreliable"),
    ] {
        let store = archive.in_memory();
        store.set_clock(StoreClock { ahead: Some(ahead), ..StoreClock::default() });
        let mut watched = watch_store(archive.config(None), Arc::new(store));
        for seen in [look_at_everything(&mut watched).await, look(&mut watched).await] {
            assert_eq!((seen.verdict, codes(&seen)), (Verdict::AtRisk, vec![expected]), "{ahead}");
        }
    }
}

/// A store that refuses what is signed a quarter of an hour off cannot lag more.
#[tokio::test]
async fn a_date_that_lags_behind_the_uploads_is_told() {
    let server = S3Server::start().await.unwrap();
    let archive = MadeArchive::healthy(20);
    archive.put_into(&server);
    server.set_clock_offset(TimeDelta::minutes(-12));
    let config = archive.config(Some(server.endpoint_url()));
    let mut scene = Scene::watching(server, config);
    for seen in [scene.look().await, scene.poll().await] {
        let found = (seen.verdict, codes(&seen));
        assert_eq!(found, (Verdict::AtRisk, vec!["clock_unreliable"]), "{seen:#?}");
    }
}

#[tokio::test]
async fn a_date_that_jumps_between_two_answers_is_not_believed() {
    let mut scene = Scene::of(&MadeArchive::healthy(20)).await;
    assert_eq!(scene.look().await.verdict, Verdict::Recoverable);
    scene.server.set_clock_offset(TimeDelta::seconds(630));
    let jumped = scene.poll().await;
    let found = (jumped.verdict, codes(&jumped));
    assert_eq!(found, (Verdict::AtRisk, vec!["clock_unreliable"]), "{jumped:#?}");
    let said = jumped.findings[0].to_string();
    assert!(
        said.contains("moved 10 min") && said.contains("forward") && said.ends_with("or ours"),
        "{said}"
    );
}

#[tokio::test]
async fn an_upload_from_a_far_future_is_told_at_every_look() {
    for year in [2036, 9999] {
        let archive = MadeArchive::healthy(20);
        let store = archive.in_memory();
        let newest = archive.segment_key(1, 20);
        let uploaded_at = Utc.with_ymd_and_hms(year, 1, 2, 3, 4, 5).unwrap();
        store.put_at(&newest, archive.objects[&newest].0.clone(), uploaded_at);
        let mut watched = watch_store(archive.config(None), Arc::new(store));
        for seen in [look_at_everything(&mut watched).await, look(&mut watched).await] {
            let found = (seen.verdict, codes(&seen));
            assert_eq!(found, (Verdict::AtRisk, vec!["clock_unreliable"]), "{seen:#?}");
        }
    }
}
