//! A server that fails: each way becomes its typed error, and never an empty list.

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use cnpg_backup_verifier::domain::storage_class::StorageClass;
use cnpg_backup_verifier::observation::store_clock::StoreClock;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::sources::store::error::StoreError;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Changed;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::ConnectionRefused;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Denied;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Malformed;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::NoSuchBucket;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::NoSuchHost;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::NoSuchKey;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Throttled;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::TimedOut;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::TooLarge;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Unavailable;
use cnpg_backup_verifier::sources::store::error::StoreErrorKind::Untrusted;
use cnpg_backup_verifier::sources::store::object_store::ListRequest;
use cnpg_backup_verifier::sources::store::object_store::ObjectStore;
use cnpg_backup_verifier::sources::store::object_store::read_whole;
use cnpg_backup_verifier::sources::store::requests::Operation;
use cnpg_backup_verifier::sources::store::requests::Requests;
use cnpg_backup_verifier::sources::store::s3::Authority;
use cnpg_backup_verifier::sources::store::s3::CredentialSource;
use cnpg_backup_verifier::sources::store::s3::S3Clients;
use cnpg_backup_verifier::sources::store::s3::S3Store;
use prometheus::Registry;
use test_servers::s3::Fault;
use test_servers::s3::Operation as Sent;
use test_servers::s3::S3Server;
use test_servers::s3::Trigger;

use super::BUCKET;
use super::IMPATIENCE;
use super::clients;
use super::keys;
use super::open;
use super::server;

const KEY: &str = "pg/wals/0000000100000000/000000010000000000000001";

/// The errors of each call: list, read an object, read its end, head.
async fn errors(store: &dyn ObjectStore) -> [Option<StoreError>; 4] {
    [
        store.list_page(ListRequest::default()).await.err(),
        read_whole(store, KEY, 1 << 20).await.err(),
        store.open(KEY, 99_990, None).await.err(),
        store.head(KEY).await.err(),
    ]
}

fn counted(server: &S3Server, registry: &Registry) -> (S3Store, Requests) {
    let requests = Requests::register(registry).unwrap();
    let clients = S3Clients::new(clock::now, requests.clone()).with_patience(IMPATIENCE);
    (clients.store(BUCKET, Some(&server.endpoint_url()), "auto", &keys(server)), requests)
}

async fn filled() -> S3Server {
    let server = server().await;
    server.put(BUCKET, KEY, "x".repeat(100_000));
    server.put(BUCKET, "pg/wals/0000000100000000/000000010000000000000002", "x");
    server
}

/// Every call meets the fault, at every attempt.
async fn check(fault: Fault, expected: [StoreErrorKind; 4]) {
    let server = filled().await;
    server.inject(Trigger::always(None), fault.clone());
    let found = errors(&open(&server)).await;
    let text = format!("{found:?}");
    assert_eq!(found.map(|error| error.map(|it| it.kind)), expected.map(Some), "{fault:?}: {text}");
    assert!(!text.contains(server.secret_key()) && !text.contains(server.access_key()), "{text}");
}

#[tokio::test]
async fn every_fault_is_a_typed_error() {
    let region = || "eu-west-1".to_owned();
    check(Fault::SlowDown, [Throttled; 4]).await;
    check(Fault::TooManyRequests, [Throttled; 4]).await;
    check(Fault::InternalError, [Unavailable; 4]).await;
    check(Fault::Unauthorized, [Denied; 4]).await;
    check(Fault::AccessDenied, [Denied; 4]).await;
    check(Fault::RequestTimeTooSkewed, [Denied; 4]).await;
    check(Fault::NoSuchKey, [NoSuchKey; 4]).await;
    check(Fault::PermanentRedirect { region: region() }, [Denied; 4]).await;
    check(Fault::AuthorizationHeaderMalformed { region: region() }, [Denied; 4]).await;
    check(Fault::RedirectToLogin, [Malformed; 4]).await;
    check(Fault::HtmlPage, [Malformed; 4]).await;
    check(Fault::EmptyBody, [Malformed; 4]).await;
    check(Fault::Gateway { status: 502 }, [Unavailable; 4]).await;
    check(Fault::Gateway { status: 403 }, [Denied; 4]).await;
    // HEAD has no body that could tell a proxy from a store.
    check(Fault::Gateway { status: 404 }, [Malformed, Malformed, Malformed, NoSuchKey]).await;
    // An answer to HEAD has no body.
    check(
        Fault::LargeBody { status: 403, bytes: 300 << 20 },
        [TooLarge, TooLarge, TooLarge, Denied],
    )
    .await;
    check(
        Fault::LargeBody { status: 200, bytes: 1 << 30 },
        [TooLarge, Malformed, Malformed, Malformed],
    )
    .await;
    check(Fault::Drip { status: 403 }, [TimedOut, TimedOut, TimedOut, Denied]).await;
    check(Fault::Drip { status: 200 }, [TimedOut, Malformed, Malformed, Malformed]).await;
    check(Fault::Slow(Duration::from_secs(3)), [TimedOut; 4]).await;
    check(Fault::Reset, [Unavailable; 4]).await;
}

#[tokio::test]
async fn why_there_is_no_connection_is_told() {
    let server = filled().await;
    let clients = clients(&Registry::new());
    let found = async |url: &str, authority: Option<&Authority>| {
        let keys = keys(&server);
        let store = clients.trusting(authority).store(BUCKET, Some(url), "auto", &keys);
        errors(&store).await.map(|error| error.map(|it| it.kind))
    };
    let (_door, url, certificate) = server.open_by_tls().await.unwrap();
    let (_other_door, _, others) = server.open_by_tls().await.unwrap();
    let [authority, other] =
        [&certificate, &others].map(|pem| Authority::parse(pem.as_bytes()).unwrap());
    assert_eq!(found(&url, None).await, [Some(Untrusted); 4]);
    assert_eq!(found(&url, Some(&other)).await, [Some(Untrusted); 4]);
    assert_eq!(found(&url, Some(&authority)).await, [None; 4]);
    assert_eq!(found("http://store.invalid", None).await, [Some(NoSuchHost); 4]);
    let closed = {
        let gone = S3Server::start().await.unwrap();
        gone.endpoint_url()
    };
    assert_eq!(found(&closed, None).await, [Some(ConnectionRefused); 4]);
}

#[tokio::test]
async fn half_a_body_is_an_error() {
    let server = filled().await;
    server.inject(Trigger::always(None), Fault::CutBody);
    let [list, get, ..] = errors(&open(&server)).await;
    for error in [list, get] {
        assert_eq!(error.as_ref().map(|it| it.kind), Some(Unavailable), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_goes_on_where_it_was_cut() {
    let content = (0..100_000_u32).map(|it| it.to_le_bytes()[0] ^ it.to_le_bytes()[1]);
    let content = Bytes::from_iter(content);
    for cut_at in [0, 1, 2, 4_095, 50_000, 99_998, 99_999] {
        let server = server().await;
        server.put(BUCKET, KEY, content.clone());
        server.inject(Trigger::nth(Sent::Get, 1), Fault::CutBodyAt(cut_at));
        let registry = Registry::new();
        let (store, requests) = counted(&server, &registry);
        assert!(read_whole(&store, KEY, 1 << 20).await.unwrap() == content, "{cut_at}");
        let sent = [Operation::Get, Operation::GetRange].map(|it| requests.sent(it));
        assert_eq!(sent, if cut_at == 0 { [2, 0] } else { [1, 1] }, "{cut_at}");
        assert_eq!(requests.errors(Operation::Get, Unavailable), u64::from(cut_at == 0));
        assert_eq!(requests.errors(Operation::GetRange, Unavailable), u64::from(cut_at > 0));
    }
}

#[tokio::test]
async fn a_body_that_changes_before_it_goes_on_is_told() {
    let server = filled().await;
    server.inject(Trigger::nth(Sent::Get, 1), Fault::CutBodyAt(50_000));
    let mut body = open(&server).open(KEY, 0, None).await.unwrap();
    server.put(BUCKET, KEY, "y".repeat(100_000));
    let error = loop {
        match body.next().await {
            Ok(chunk) => assert!(chunk.unwrap().iter().all(|byte| *byte == b'x')),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, Changed, "{error}");
}

#[tokio::test]
async fn half_a_listing_is_an_error() {
    for fault in [Fault::XmlCutInTag, Fault::XmlCutBetweenElements] {
        let server = filled().await;
        server.inject(Trigger::always(Sent::List), fault.clone());
        let error = open(&server).list_page(ListRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, Malformed, "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn a_wrong_region_is_named() {
    let server = filled().await;
    let region = "eu-west-1".to_owned();
    server.inject(Trigger::always(None), Fault::AuthorizationHeaderMalformed { region });
    for error in errors(&open(&server)).await {
        let error = error.unwrap().to_string();
        assert!(error.contains("the bucket is in the region `eu-west-1`"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_object() {
    let server = server().await;
    let clients = clients(&Registry::new());
    let url = server.endpoint_url();
    let store = clients.store("missing", Some(&url), "auto", &keys(&server));
    let found = errors(&store).await.map(|error| error.map(|it| it.kind));
    let expected = [NoSuchBucket, NoSuchBucket, NoSuchBucket, NoSuchKey];
    assert_eq!(found, expected.map(Some));
}

#[tokio::test]
async fn wrong_credentials_are_denied() {
    let server = filled().await;
    let (id, secret) = (server.access_key(), server.secret_key());
    for (id, secret) in [(id, "wrong"), ("wrong", secret), ("", "")] {
        let credentials = CredentialSource::Keys {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: None,
        };
        let clients = clients(&Registry::new());
        let url = server.endpoint_url();
        let store = clients.store(BUCKET, Some(&url), "auto", &credentials);
        for error in errors(&store).await {
            assert_eq!(error.as_ref().map(|it| it.kind), Some(Denied), "{id:?}: {error:?}");
        }
    }
    let store = open(&server);
    assert_eq!(errors(&store).await, [const { None }; 4]);
    server.revoke_credentials();
    for error in errors(&store).await {
        assert_eq!(error.as_ref().map(|it| it.kind), Some(Denied), "{error:?}");
    }
}

#[tokio::test]
async fn rotated_key_files_work_at_the_next_request() {
    let server = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let access_key_id = folder.path().join("ACCESS_KEY_ID");
    let secret_access_key = folder.path().join("ACCESS_SECRET_KEY");
    let credentials = CredentialSource::Files {
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
    };
    let clients = clients(&Registry::new());
    let store = clients.store(BUCKET, Some(&server.endpoint_url()), "auto", &credentials);

    let error = store.head(KEY).await.unwrap_err();
    assert_eq!(error.kind, Denied);
    assert!(error.detail.contains("ACCESS_KEY_ID`: No such file"), "{error}");
    std::fs::write(&access_key_id, server.access_key()).unwrap();
    std::fs::write(&secret_access_key, format!("{}\n", server.secret_key())).unwrap();
    store.head(KEY).await.unwrap();
    server.set_credentials("rotated", "rotated-secret");
    assert_eq!(store.head(KEY).await.unwrap_err().kind, Denied);
    std::fs::write(&access_key_id, "rotated").unwrap();
    std::fs::write(&secret_access_key, "rotated-secret").unwrap();
    store.head(KEY).await.unwrap();
}

/// Amazon tells the tier of `INTELLIGENT_TIERING` in a header of its own (`HeadObject` in its API).
#[tokio::test]
async fn an_object_in_an_archive_tier_is_frozen() {
    let server = filled().await;
    let store = open(&server);
    assert_eq!(store.head(KEY).await.unwrap().class, StorageClass::Standard);
    server.inject(Trigger::next(Sent::Head, 1), Fault::ArchiveTier);
    assert_eq!(store.head(KEY).await.unwrap().class, StorageClass::Frozen);
}

#[tokio::test]
async fn a_store_that_is_gone_refuses_connections_until_it_is_back() {
    let server = filled().await;
    let store = open(&server);
    server.stop_listening().await;
    let error = store.list_page(ListRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, ConnectionRefused, "{error}");
    server.resume_listening().await.unwrap();
    assert_eq!(errors(&store).await, [const { None }; 4]);
}

#[tokio::test]
async fn one_failed_attempt_is_repeated_and_counted() {
    let faults = [
        Fault::SlowDown,
        Fault::TooManyRequests,
        Fault::InternalError,
        Fault::Gateway { status: 503 },
        Fault::Reset,
        Fault::CutBody,
        Fault::Slow(Duration::from_secs(3)),
    ];
    for fault in faults {
        let server = filled().await;
        let registry = Registry::new();
        let (store, requests) = counted(&server, &registry);
        server.inject(Trigger::nth(Sent::List, 1), fault.clone());
        let page = store.list_page(ListRequest::default()).await.unwrap();
        assert_eq!(page.objects.len(), 2, "{fault:?}");
        assert_eq!(server.requests().of(Sent::List), 2, "{fault:?}");
        assert_eq!(requests.sent(Operation::List), 2, "{fault:?}");
        let errors = StoreErrorKind::OF_REQUESTS.map(|kind| requests.errors(Operation::List, kind));
        assert_eq!(errors.iter().sum::<u64>(), 1, "{fault:?}: {errors:?}");
    }
}

#[tokio::test]
async fn what_no_retry_can_mend_is_asked_once() {
    for fault in [Fault::AccessDenied, Fault::NoSuchKey, Fault::HtmlPage, Fault::RedirectToLogin] {
        let server = filled().await;
        server.inject(Trigger::always(None), fault.clone());
        store_get(&server).await;
        assert_eq!(server.requests().total(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_once_and_counted() {
    for status in [200, 403, 503] {
        let server = filled().await;
        let registry = Registry::new();
        let (store, requests) = counted(&server, &registry);
        server.inject(Trigger::always(None), Fault::LargeBody { status, bytes: 100 << 20 });
        let error = store.list_page(ListRequest::default()).await.unwrap_err();
        let most = if status == 200 { 4 << 20 } else { 64 << 10 };
        let expected = format!("HTTP {status}, the answer has over {most} bytes");
        assert_eq!(error, StoreError::new(TooLarge, expected));
        assert_eq!(requests.sent(Operation::List), 1, "{status}");
        assert_eq!(requests.errors(Operation::List, TooLarge), 1, "{status}");
    }
}

#[tokio::test]
async fn an_error_in_a_good_answer_is_the_error_that_it_says() {
    let server = filled().await;
    let registry = Registry::new();
    let (store, requests) = counted(&server, &registry);
    server.inject(Trigger::nth(Sent::List, 1), Fault::LateError);
    assert_eq!(store.list_page(ListRequest::default()).await.unwrap().objects.len(), 2);
    assert_eq!(requests.errors(Operation::List, Unavailable), 1);
    assert_eq!(requests.sent(Operation::List), 2);
}

async fn store_get(server: &S3Server) {
    open(server).open(KEY, 0, None).await.unwrap_err();
}

#[tokio::test]
async fn an_answer_tells_how_far_the_clocks_are_apart() {
    let server = filled().await;
    let store = open(&server);
    assert_eq!(store.clock(), StoreClock::default());
    for offset in [TimeDelta::zero(), TimeDelta::minutes(3), TimeDelta::minutes(-2)] {
        server.set_clock_offset(offset);
        store.head(KEY).await.unwrap();
        let found = store.clock().ahead.unwrap() - offset;
        assert!(found.abs() < TimeDelta::seconds(3), "{offset}: {found}");
    }
}

#[tokio::test]
async fn stores_of_one_endpoint_share_a_client_and_its_clock() {
    let server = filled().await;
    let clients = clients(&Registry::new());
    let url = server.endpoint_url();
    let open = |bucket| clients.store(bucket, Some(&url), "auto", &keys(&server));
    let (one, other) = (open(BUCKET), open("other"));
    one.head(KEY).await.unwrap();
    assert!(other.clock().ahead.is_some());
}

#[tokio::test]
async fn without_credentials_the_answer_comes_soon() {
    let clients = clients(&Registry::new());
    let server = server().await;
    let url = server.endpoint_url();
    let store = clients.store(BUCKET, Some(&url), "auto", &CredentialSource::DefaultChain);
    let error = store.list_page(ListRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, Denied, "{error}");
}
