//! Faults as the SDK sees them: errors, but for those that it takes for an answer.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use test_servers::s3::Fault;
use test_servers::s3::Operation;
use test_servers::s3::Trigger;
use tokio::time::Instant;

use crate::BUCKET;
use crate::client;
use crate::server_with;
use crate::told;

fn faults() -> Vec<(Fault, u16, &'static str)> {
    let region = "eu-central-1".to_owned();
    vec![
        (Fault::SlowDown, 503, "SlowDown"),
        (Fault::TooManyRequests, 429, "TooManyRequests"),
        (Fault::InternalError, 500, "InternalError"),
        (Fault::Unauthorized, 401, "Unauthorized"),
        (Fault::AccessDenied, 403, "AccessDenied"),
        (Fault::RequestTimeTooSkewed, 403, "RequestTimeTooSkewed"),
        (Fault::NoSuchKey, 404, "NoSuchKey"),
        (Fault::PermanentRedirect { region: region.clone() }, 301, "PermanentRedirect"),
        (Fault::AuthorizationHeaderMalformed { region }, 400, "AuthorizationHeaderMalformed"),
        (Fault::RedirectToLogin, 302, ""),
        (Fault::Gateway { status: 502 }, 502, ""),
        (Fault::Reset, 0, ""),
    ]
}

#[tokio::test]
async fn a_fault_is_an_error_in_every_operation() {
    let server = server_with(&["a"]).await;
    let client = client(&server);
    for (fault, status, code) in faults() {
        server.inject(Trigger::next(None, 3), fault.clone());
        let list = client.list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
        let get = client.get_object().bucket(BUCKET).key("a").send().await.unwrap_err();
        let head = client.head_object().bucket(BUCKET).key("a").send().await.unwrap_err();
        assert_eq!((told(&list).0, told(&get).0, told(&head).0), (status, status, status));
        assert_eq!(list.code().unwrap_or_default(), code);
        assert_eq!(get.code().unwrap_or_default(), code);
        assert_eq!(server.faults_left(), 0);
    }
    assert!(client.list_objects_v2().bucket(BUCKET).send().await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_no_listing_is_an_error() {
    let server = server_with(&["a", "b", "c", "d"]).await;
    for fault in [Fault::HtmlPage, Fault::EmptyBody, Fault::CutBody] {
        server.inject(Trigger::next(Operation::List, 1), fault);
        let error = client(&server).list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
        assert_eq!(told(&error).0, 200);
    }
}

/// Why a listing must be counted: `KeyCount` is all that tells these answers from good ones.
#[tokio::test]
async fn the_sdk_takes_cut_xml_for_a_shorter_listing() {
    let server = server_with(&["a", "b", "c", "d"]).await;
    let cuts = [
        (Fault::XmlCutAtStart, 0, None),
        (Fault::XmlCutBetweenElements, 1, Some(4)),
        (Fault::XmlCutInTag, 2, Some(4)),
    ];
    for (fault, listed, key_count) in cuts {
        server.inject(Trigger::next(Operation::List, 1), fault.clone());
        let page = client(&server).list_objects_v2().bucket(BUCKET).send().await.unwrap();
        assert_eq!((page.contents().len(), page.key_count()), (listed, key_count), "{fault:?}");
        assert_ne!(page.is_truncated(), Some(true));
    }
}

#[tokio::test]
async fn a_fault_hits_the_page_it_is_meant_for() {
    let server = server_with(&["a", "b", "c", "d"]).await;
    server.inject(Trigger::nth(Operation::List, 2), Fault::SlowDown);
    let list = client(&server).list_objects_v2().bucket(BUCKET).max_keys(2);
    let mut pages = list.into_paginator().send();
    assert!(pages.next().await.unwrap().is_ok());
    assert!(pages.next().await.unwrap().is_err());
    assert_eq!(server.requests().of(Operation::List), 2);
    assert!(server.request_log()[1].contains("continuation-token="));
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error_when_it_is_read() {
    let server = server_with(&[]).await;
    server.put(BUCKET, "segment", vec![7; 1 << 20]);
    server.inject(Trigger::next(Operation::Get, 1), Fault::CutBody);
    let got = client(&server).get_object().bucket(BUCKET).key("segment").send().await.unwrap();
    assert_eq!(got.content_length(), Some(1 << 20));
    let mut body = got.body;
    let mut read = 0;
    let error = loop {
        match body.next().await.expect("an error before the end") {
            Ok(chunk) => read += chunk.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 1 << 19, "{error}");
}

#[tokio::test]
async fn a_closed_port_refuses_until_it_is_open_again() {
    let server = server_with(&["a"]).await;
    let list = client(&server).list_objects_v2().bucket(BUCKET);
    list.clone().send().await.unwrap();
    server.stop_listening().await;
    let error = list.clone().send().await.unwrap_err();
    assert_eq!(told(&error).0, 0);
    server.resume_listening().await.unwrap();
    assert!(list.send().await.is_ok());
}

#[tokio::test]
async fn answers_wait_as_long_as_they_are_told() {
    let server = server_with(&["a"]).await;
    server.set_latency(Duration::from_millis(30));
    server.inject(Trigger::next(Operation::List, 1), Fault::Slow(Duration::from_millis(50)));
    let started = Instant::now();
    client(&server).list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(80));
}
