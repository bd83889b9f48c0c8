//! `ListObjectsV2`.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use chrono::DateTime;
use chrono::TimeDelta;
use test_servers::s3::Operation;
use tokio::time::Duration;
use tokio::time::Instant;

use crate::BUCKET;
use crate::client;
use crate::server_with;

fn keys(page: &ListObjectsV2Output) -> Vec<&str> {
    page.contents().iter().filter_map(|object| object.key()).collect()
}

fn common_prefixes(page: &ListObjectsV2Output) -> Vec<&str> {
    page.common_prefixes().iter().filter_map(|common| common.prefix()).collect()
}

async fn all_keys(client: &Client, start_after: &str, max_keys: i32) -> Vec<String> {
    let list = client.list_objects_v2().bucket(BUCKET).max_keys(max_keys).start_after(start_after);
    let mut pages = list.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(keys(&page.unwrap()).into_iter().map(str::to_owned));
    }
    found
}

#[tokio::test]
async fn pages_follow_in_byte_order_from_start_after() {
    let server = server_with(&["a", "B", "é", "b/2", "b/10", "z", "\u{fffd}", "\u{10000}"]).await;
    let client = client(&server);
    let in_order = ["B", "a", "b/10", "b/2", "z", "é", "\u{fffd}", "\u{10000}"];
    assert_eq!(all_keys(&client, "", 3).await, in_order);
    assert_eq!(all_keys(&client, "a", 2).await, &in_order[2..]);
    assert_eq!(all_keys(&client, "aa", 1).await, &in_order[2..]);
    assert_eq!(server.requests().of(Operation::List), 3 + 3 + 6);
}

#[tokio::test]
async fn a_delimiter_folds_keys_across_pages() {
    let server = server_with(&["x/1/a", "x/1/b", "x/2/a", "x/3", "x/4/a", "y"]).await;
    let list = client(&server).list_objects_v2().bucket(BUCKET).prefix("x/").delimiter("/");
    let first = list.clone().max_keys(2).send().await.unwrap();
    assert_eq!(common_prefixes(&first), ["x/1/", "x/2/"]);
    assert_eq!((first.is_truncated(), first.key_count()), (Some(true), Some(2)));
    let token = first.next_continuation_token().unwrap();
    let second = list.continuation_token(token).start_after("x/1/").send().await.unwrap();
    assert_eq!((keys(&second), common_prefixes(&second)), (vec!["x/3"], vec!["x/4/"]));
    assert_eq!(second.is_truncated(), Some(false));
}

#[tokio::test]
async fn odd_keys_come_encoded_when_asked() {
    let server = server_with(&["a+b %", "line\nbreak", "é/x"]).await;
    let list = client(&server).list_objects_v2().bucket(BUCKET);
    let plain = list.clone().send().await.unwrap();
    assert_eq!(keys(&plain), ["a+b %", "line\nbreak", "é/x"]);
    let encoded = list.encoding_type(EncodingType::Url).delimiter("é").send().await.unwrap();
    assert_eq!(keys(&encoded), ["a%2Bb+%25", "line%0Abreak"]);
    assert_eq!(common_prefixes(&encoded), ["%C3%A9"]);
    assert_eq!(encoded.delimiter(), Some("%C3%A9"));
    for key in ["a+b %", "line\nbreak", "é/x"] {
        let got = client(&server).get_object().bucket(BUCKET).key(key).send().await.unwrap();
        let body = got.body.collect().await.unwrap().to_vec();
        assert_eq!(body, format!("content of {key}").as_bytes());
    }
}

#[tokio::test]
async fn a_key_that_xml_cannot_hold_needs_the_encoding() {
    let server = server_with(&["\u{1}"]).await;
    let list = client(&server).list_objects_v2().bucket(BUCKET);
    assert!(list.clone().send().await.is_err());
    let encoded = list.encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(keys(&encoded), ["%01"]);
}

#[tokio::test]
async fn a_hook_changes_the_bucket_between_two_pages() {
    let server = server_with(&["a", "b", "c", "d"]).await;
    server.on_list_page(1, |store| {
        store.put(BUCKET, "a2", "too late");
        store.put(BUCKET, "b2", "in time");
        store.delete(BUCKET, "d");
    });
    assert_eq!(all_keys(&client(&server), "", 2).await, ["a", "b", "b2", "c"]);
}

#[tokio::test]
async fn a_page_out_of_a_million_keys_is_quick() {
    const KEYS: u64 = 1_000_000;
    let server = server_with(&[]).await;
    let uploaded = |number| DateTime::UNIX_EPOCH + TimeDelta::seconds(number);
    let objects = (0..KEYS).map(|number| {
        let (folder, segment) = (number / 256, number % 256);
        let key = format!("main/wals/00000001{folder:08X}/00000001{folder:08X}{segment:08X}.bz2");
        (key, 1 << 20, uploaded(number.cast_signed()))
    });
    server.put_many_synthetic(BUCKET, objects);
    let client = client(&server);

    let started = Instant::now();
    let list = client.list_objects_v2().bucket(BUCKET).prefix("main/");
    let mut pages = list.into_paginator().send();
    let mut listed = 0;
    // A tenth will do: a debug build of the SDK reads 30 pages per second.
    for _ in 0..100 {
        listed += pages.next().await.unwrap().unwrap().contents().len();
    }
    assert_eq!(listed, 100_000);

    let folders = client.list_objects_v2().bucket(BUCKET).prefix("main/wals/").delimiter("/");
    let mut pages = folders.into_paginator().send();
    let mut found = 0;
    while let Some(page) = pages.next().await {
        found += page.unwrap().common_prefixes().len();
    }
    assert_eq!(found, 3907);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
