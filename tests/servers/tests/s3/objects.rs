//! Reading and writing objects.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::Delete;
use aws_sdk_s3::types::ObjectIdentifier;
use chrono::DateTime;
use chrono::TimeDelta;
use test_servers::s3::Operation;

use crate::BUCKET;
use crate::client;
use crate::server_with;
use crate::told;

#[tokio::test]
async fn a_range_is_cut_out_of_an_object() {
    let server = server_with(&[]).await;
    server.put(BUCKET, "digits", "0123456789");
    let get = client(&server).get_object().bucket(BUCKET).key("digits");
    for (range, expected) in [("bytes=2-4", "234"), ("bytes=8-", "89"), ("bytes=-3", "789")] {
        let got = get.clone().range(range).send().await.unwrap();
        assert!(got.content_range().unwrap().ends_with("/10"));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), expected.as_bytes(), "{range}");
    }
    let error = get.range("bytes=10-").send().await.unwrap_err();
    assert_eq!(told(&error), (416, "InvalidRange".to_owned()));
}

#[tokio::test]
async fn an_unchanged_object_is_not_sent_again() {
    let server = server_with(&["a"]).await;
    let get = client(&server).get_object().bucket(BUCKET).key("a");
    let etag = get.clone().send().await.unwrap().e_tag.unwrap();
    let error = get.clone().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(told(&error).0, 304);
    server.put(BUCKET, "a", "changed");
    assert!(get.clone().if_none_match(&etag).send().await.is_ok());
    let error = get.if_match(&etag).send().await.unwrap_err();
    assert_eq!(told(&error), (412, "PreconditionFailed".to_owned()));
}

#[tokio::test]
async fn a_back_dated_object_says_so() {
    let server = server_with(&[]).await;
    let uploaded_at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    server.put_at(BUCKET, "old", "x", uploaded_at);
    let client = client(&server);
    let head = client.head_object().bucket(BUCKET).key("old").send().await.unwrap();
    assert_eq!(head.last_modified().unwrap().secs(), uploaded_at.timestamp());
    assert_eq!(head.content_length(), Some(1));
    let page = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(page.contents()[0].last_modified().unwrap().secs(), uploaded_at.timestamp());
    assert_eq!(page.contents()[0].e_tag(), head.e_tag());
}

#[tokio::test]
async fn a_wrong_clock_shows_in_new_uploads() {
    let server = server_with(&["honest"]).await;
    server.set_clock_offset(TimeDelta::hours(2));
    server.put(BUCKET, "lying", "x");
    let page = client(&server).list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let at = |index: usize| page.contents()[index].last_modified().unwrap().secs();
    assert!((at(1) - at(0) - 7200).abs() < 60);
}

#[tokio::test]
async fn a_synthetic_object_reads_as_zeros() {
    let server = server_with(&[]).await;
    let objects = [("zeros".to_owned(), 200_000, DateTime::UNIX_EPOCH)];
    server.put_many_synthetic(BUCKET, objects.into_iter());
    let get = client(&server).get_object().bucket(BUCKET).key("zeros");
    let whole = get.clone().send().await.unwrap();
    assert_eq!(whole.content_length(), Some(200_000));
    assert_eq!(whole.body.collect().await.unwrap().to_vec(), vec![0; 200_000]);
    let part = get.range("bytes=100000-199999").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().to_vec(), vec![0; 100_000]);
}

#[tokio::test]
async fn what_a_client_writes_is_there_until_it_deletes_it() {
    let server = server_with(&[]).await;
    let client = client(&server);
    for key in ["a", "b", "c"] {
        let body = ByteStream::from_static(b"hello");
        client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
    }
    assert_eq!(server.get(BUCKET, "a").as_deref(), Some(b"hello".as_slice()));
    client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    let named =
        ["b", "never-there"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(named.to_vec())).build().unwrap();
    client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(server.keys(BUCKET, ""), ["c"]);
    assert_eq!(server.requests().writes(), 5);
    assert_eq!(server.requests().of(Operation::Put), 3);
}

#[tokio::test]
async fn parts_become_an_object_when_they_are_completed() {
    let server = server_with(&[]).await;
    let client = client(&server);
    let create = client.create_multipart_upload().bucket(BUCKET).key("big");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, content) in [(1, "first "), (2, "second")] {
        let upload = client.upload_part().bucket(BUCKET).key("big").upload_id(&id);
        let body = ByteStream::from_static(content.as_bytes());
        let sent = upload.part_number(number).body(body).send().await.unwrap();
        let part = CompletedPart::builder().part_number(number).e_tag(sent.e_tag.unwrap());
        parts.push(part.build());
    }
    let open = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(open.uploads()[0].key(), Some("big"));
    assert_eq!(server.get(BUCKET, "big"), None);
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(&id);
    let named = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = complete.multipart_upload(named);
    let done = complete.clone().send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    assert_eq!(server.get(BUCKET, "big").as_deref(), Some(b"first second".as_slice()));
    let error = complete.send().await.unwrap_err();
    assert_eq!(told(&error), (404, "NoSuchUpload".to_owned()));
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let server = server_with(&[]).await;
    let client = client(&server);
    let create = client.create_multipart_upload().bucket(BUCKET).key("big");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let abort = client.abort_multipart_upload().bucket(BUCKET).key("big").upload_id(id);
    abort.send().await.unwrap();
    let open = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert!(open.uploads().is_empty() && server.keys(BUCKET, "").is_empty());
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = server_with(&[]).await;
    let client = client(&server);
    let error = client.get_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert_eq!(told(&error), (404, "NoSuchKey".to_owned()));
    let error = client.list_objects_v2().bucket("nowhere").send().await.unwrap_err();
    assert_eq!(told(&error), (404, "NoSuchBucket".to_owned()));
    let error = client.head_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert_eq!(told(&error), (404, "NotFound".to_owned()));
    let error = client.head_bucket().bucket("nowhere").send().await.unwrap_err();
    assert_eq!(told(&error), (404, "NotFound".to_owned()));
    client.create_bucket().bucket("nowhere").send().await.unwrap();
    client.head_bucket().bucket("nowhere").send().await.unwrap();
}
