//! What every store must do alike.

use std::collections::BTreeSet;

use bytes::Bytes;
use bytes::BytesMut;
use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::observation::inventory::ListedObject;
use cnpg_backup_verifier::sources::limits::LISTS_AT_ONCE;
use cnpg_backup_verifier::sources::store::body::Body;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::failing::Failing;
use cnpg_backup_verifier::sources::store::listing::list_all;
use cnpg_backup_verifier::sources::store::listing::list_in_ranges;
use cnpg_backup_verifier::sources::store::memory::MemoryStore;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::object_store::read_whole;
use cnpg_backup_verifier::sources::store::requests::Operation;
use cnpg_backup_verifier::sources::workshop::Turns;
use test_servers::s3::Operation as Sent;

use super::BUCKET;
use super::Fixture;
use super::open;
use super::open_patiently;
use super::server;

/// Names that sort differently as paths and as keys, and names that are hard to transport.
const KEYS: [&str; 15] = [
    "a b+c%25/&x=1;y",
    "base/20260801T020000/backup.info",
    "base/20260801T020000/data.tar.bz2",
    "line\nbreak/\u{1}control",
    "pg/wals-old/1",
    "pg/wals.txt",
    "pg/wals/00000001.history",
    "pg/wals/0000000100000000/000000010000000000000001.bz2",
    "pg/wals/0000000100000000/000000010000000000000002",
    "pg/wals/0000000100000000/000000010000000000000002.gz",
    "pg/wals/0000000100000001/000000010000000100000000",
    "pg/wals/00000002.history",
    "pg/wals0",
    "\u{e9}t\u{e9}/\u{fffd}",
    "\u{10ffff}",
];

fn uploaded_at() -> DateTime<Utc> {
    "2026-01-10T12:00:00Z".parse().unwrap()
}

/// What a listing must show, from the definition: folders and keys in byte order.
fn expected(request: ListRequest<'_>) -> BTreeSet<String> {
    let ListRequest { prefix, start_after: after, is_outline, .. } = request;
    let later = KEYS.iter().filter(|key| after.is_none_or(|after| after < **key));
    let under = later.filter_map(|key| Some((*key, key.strip_prefix(prefix)?)));
    under
        .map(|(key, rest)| match rest.split_once('/') {
            Some((folder, _)) if is_outline => format!("{prefix}{folder}/"),
            _ => key.to_owned(),
        })
        .collect()
}

async fn pages(store: &dyn ObjectStore, first: ListRequest<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut continuation: Option<String> = None;
    loop {
        let request = ListRequest { continuation: continuation.as_deref(), ..first };
        let page = store.list_page(request).await.unwrap();
        let mut names = page.folders;
        names.extend(page.objects.into_iter().map(|object| object.key));
        assert!(first.keys_max.is_none_or(|keys_max| names.len() <= usize::from(keys_max)));
        names.sort();
        found.extend(names);
        continuation = page.continuation;
        if continuation.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_show_every_key_once_and_in_byte_order() {
    for fixture in Fixture::all().await {
        for key in KEYS {
            fixture.put(key, "x", uploaded_at());
        }
        let store = fixture.store();
        for prefix in ["", "pg", "pg/", "pg/wals", "pg/wals/", "pg/wals/0000000100000000/", "no/"] {
            let starts = [None, Some("a"), Some("pg/wals/0000000100000000/0"), Some("pg/wals0")];
            for start_after in starts.into_iter().chain(KEYS.map(Some)) {
                for is_outline in [false, true] {
                    for keys_max in [Some(1), Some(2), None] {
                        let request = ListRequest {
                            prefix,
                            start_after,
                            is_outline,
                            continuation: None,
                            keys_max,
                        };
                        let found = pages(store.as_ref(), request).await;
                        let expected = expected(request);
                        let name = fixture.name();
                        assert!(found.iter().eq(&expected), "{name} {request:?}: {found:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_object_is_described_and_read_as_it_was_stored() {
    let key = "pg/base/20260801T020000/backup.info";
    for fixture in Fixture::all().await {
        let name = fixture.name();
        fixture.put(key, "0123456789", uploaded_at());
        let store = fixture.store();
        let head = store.head(key).await.unwrap();
        let page = store.list_page(ListRequest { prefix: "pg/", ..ListRequest::default() });
        let listed = page.await.unwrap().objects;
        assert_eq!(listed, std::slice::from_ref(&head), "{name}");
        assert_eq!((head.version.size, head.uploaded_at), (10, uploaded_at()), "{name}");
        let etag = &head.version.etag;
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{name} {etag}");

        assert_eq!(read_whole(store.as_ref(), key, 10).await.unwrap(), "0123456789", "{name}");
        assert_eq!(store.open(key, 0, None).await.unwrap().version(), &head.version, "{name}");
        for from in 0..10 {
            let body = store.open(key, from, Some(&head.version)).await.unwrap();
            assert_eq!(body.version(), &head.version, "{name} {from}");
            let rest = usize::try_from(from).unwrap();
            assert_eq!(collect(body).await.unwrap(), "0123456789"[rest..], "{name} {from}");
        }
        for from in [10, 99, 1 << 40] {
            let error = store.open(key, from, None).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Changed, "{name} {from}: {error}");
        }
        fixture.put(key, "something else", uploaded_at());
        assert_ne!(store.head(key).await.unwrap().version.etag, head.version.etag, "{name}");
        fixture.put("pg/empty", "", uploaded_at());
        assert_eq!(read_whole(store.as_ref(), "pg/empty", 0).await.unwrap(), "", "{name}");
    }
}

#[tokio::test]
async fn an_object_that_was_replaced_is_never_read_as_what_it_was() {
    for fixture in Fixture::all().await {
        let (store, name) = (fixture.store(), fixture.name());
        let contents = ["x", "y"].map(|it| it.repeat(300_000));
        fixture.put("a", contents[0].clone(), uploaded_at());
        let before = store.head("a").await.unwrap().version;
        let mut body = store.open("a", 0, None).await.unwrap();
        let begin = body.next().await.unwrap().unwrap();
        fixture.put("a", contents[1].clone(), uploaded_at() + TimeDelta::seconds(1));
        match collect(body).await {
            Ok(rest) => assert_eq!([begin, rest].concat(), contents[0].as_bytes(), "{name}"),
            Err(error) => assert_eq!(error.kind, StoreErrorKind::Changed, "{name}: {error}"),
        }
        for from in [0, 7] {
            let error = store.open("a", from, Some(&before)).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Changed, "{name} {from}: {error}");
        }
        let now = store.head("a").await.unwrap().version;
        let body = store.open("a", 299_999, Some(&now)).await.unwrap();
        assert_eq!(collect(body).await.unwrap(), "y", "{name}");
    }
}

async fn collect(mut body: Body) -> Result<Bytes, StoreError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

#[tokio::test]
async fn every_listed_key_can_be_opened() {
    for fixture in Fixture::all().await {
        for key in KEYS {
            fixture.put(key, key, uploaded_at());
        }
        let store = fixture.store();
        let mut listed = Vec::new();
        list_all(store.as_ref(), "", None, |object| listed.push(object.key)).await.unwrap();
        for key in listed {
            let content = read_whole(store.as_ref(), &key, 99).await.unwrap();
            assert_eq!(content, key, "{}", fixture.name());
            assert_eq!(store.head(&key).await.unwrap().key, key, "{}", fixture.name());
        }
    }
}

#[tokio::test]
async fn what_is_missing_or_too_large_is_a_typed_error() {
    for fixture in Fixture::all().await {
        fixture.put("a/b", "0123456789", uploaded_at());
        let (store, name) = (fixture.store(), fixture.name());
        for key in ["a/c", "a", "a/b/c", "../a/b", "b"] {
            let no_such_key = Some(StoreErrorKind::NoSuchKey);
            for from in [0, 3] {
                let opened = store.open(key, from, None).await;
                assert_eq!(opened.err().map(|it| it.kind), no_such_key, "{name} {key}");
            }
            assert_eq!(store.head(key).await.err().map(|it| it.kind), no_such_key, "{name} {key}");
        }
        let error = read_whole(store.as_ref(), "a/b", 9).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "larger than allowed: `a/b` has 10 bytes, expected at most 9",
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_empty_store_is_not_a_missing_one() {
    for fixture in Fixture::all().await {
        let page = fixture.store().list_page(ListRequest::default()).await.unwrap();
        assert!(page.objects.is_empty() && page.continuation.is_none(), "{}", fixture.name());
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let store = cnpg_backup_verifier::sources::store::directory::DirectoryStore::new(missing);
    let error = store.list_page(ListRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoSuchBucket);
}

/// A million segments would take a minute without optimisation; these are a seventh.
fn segments() -> impl Iterator<Item = String> {
    let segments = (0..140_000_u32).map(|number| {
        let (log, segment) = (number / 256, number % 256);
        format!("pg/wals/00000001{log:08X}/00000001{log:08X}{segment:08X}.bz2")
    });
    segments.chain(["pg/wals/00000002.history".to_owned(), "pg/wals/stray".to_owned()])
}

async fn in_ranges(store: &dyn ObjectStore) -> Vec<Vec<String>> {
    let add = |fold: &mut Vec<String>, object: ListedObject| fold.push(object.key);
    list_in_ranges(store, &Turns::default(), "pg/wals/", Vec::new, add).await.unwrap()
}

#[tokio::test]
async fn ranges_show_the_same_keys_for_few_more_requests() {
    let server = server().await;
    let mut keys = segments().collect::<Vec<_>>();
    server.put_many_synthetic(BUCKET, keys.iter().map(|key| (key.clone(), 1, uploaded_at())));
    keys.sort();

    let store = open_patiently(&server);
    let folds = in_ranges(&store).await;
    assert_eq!(folds.len(), LISTS_AT_ONCE);
    let folders = folds.iter().map(|fold| {
        let folders = fold.iter().filter_map(|key| key.get(8..24).filter(|_| key.len() > 40));
        folders.collect::<BTreeSet<_>>()
    });
    let folders = folders.collect::<Vec<_>>();
    let pairs = folders.windows(2);
    assert!(
        pairs.into_iter().all(|pair| pair[0].is_disjoint(&pair[1])),
        "a folder is in two folds"
    );
    assert!(folds.into_iter().flatten().eq(keys), "not the same keys");
    let least = 141;
    let sent = server.requests().of(Sent::List);
    assert!(sent <= least + u64::try_from(LISTS_AT_ONCE).unwrap() + 4, "{sent} requests");
}

#[tokio::test]
async fn a_listing_of_one_page_costs_one_request() {
    let server = server().await;
    let keys = segments().take(1000);
    server.put_many_synthetic(BUCKET, keys.map(|key| (key, 1, uploaded_at())));
    let store = open(&server);
    assert_eq!(in_ranges(&store).await.len(), 1);
    assert_eq!(server.requests().of(Sent::List), 1);
    let last = segments().nth(997).unwrap();
    let mut found = Vec::new();
    list_all(&store, "pg/wals/", Some(&last), |object| found.push(object.key)).await.unwrap();
    assert!(found.into_iter().eq(segments().skip(998).take(2)));
    assert_eq!(server.requests().of(Sent::List), 2);
}

#[tokio::test]
async fn a_listing_that_breaks_on_a_later_page_is_an_error() {
    let store = Failing::new(MemoryStore::default());
    for key in segments().take(20_000) {
        store.inner().put(key, "");
    }
    let error = StoreError::new(StoreErrorKind::Throttled, "on purpose");
    store.fail_nth(Operation::List, 3, error.clone());
    let listed = list_all(&store, "pg/wals/", None, |_| {}).await;
    assert_eq!(listed, Err(error.clone()));

    let calls = store.calls();
    assert!(in_ranges(&store).await.len() > 1);
    for nth in 1..=store.calls() - calls {
        store.fail_nth(Operation::List, nth, error.clone());
        let (turns, add) = (Turns::default(), |count: &mut u64, _| *count += 1);
        let listed = list_in_ranges(&store, &turns, "pg/wals/", || 0, add).await;
        assert_eq!(listed, Err(error.clone()), "call {nth}");
    }
}
