//! Credentials and permissions.

use crate::BUCKET;
use crate::client;
use crate::client_with_keys;
use crate::server_with;
use crate::told;

async fn listing_fails_with(client: &aws_sdk_s3::Client, code: &str) {
    let error = client.list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(told(&error), (403, code.to_owned()));
}

#[tokio::test]
async fn wrong_keys_are_refused() {
    let server = server_with(&["a"]).await;
    let wrong_secret = client_with_keys(&server, server.access_key(), "wrong");
    listing_fails_with(&wrong_secret, "SignatureDoesNotMatch").await;
    let wrong_key = client_with_keys(&server, "wrong", server.secret_key());
    listing_fails_with(&wrong_key, "InvalidAccessKeyId").await;
}

#[tokio::test]
async fn keys_rotate_while_the_server_runs() {
    let server = server_with(&["a"]).await;
    let (old, new) = (client(&server), client_with_keys(&server, "next", "next-secret"));
    server.revoke_credentials();
    listing_fails_with(&old, "InvalidAccessKeyId").await;
    server.set_credentials("next", "next-secret");
    listing_fails_with(&old, "InvalidAccessKeyId").await;
    assert!(new.list_objects_v2().bucket(BUCKET).send().await.is_ok());
}

#[tokio::test]
async fn a_server_that_denies_all_denies_until_it_allows() {
    let server = server_with(&["a"]).await;
    let client = client(&server);
    server.deny_all();
    listing_fails_with(&client, "AccessDenied").await;
    let error = client.head_object().bucket(BUCKET).key("a").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    server.allow_all();
    assert!(client.head_object().bucket(BUCKET).key("a").send().await.is_ok());
}
