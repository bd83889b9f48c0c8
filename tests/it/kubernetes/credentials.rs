//! Tokens and keys that change while the daemon runs.

use serde_json::json;

use crate::kubernetes::objects::STORE;
use crate::kubernetes::world::Options;
use crate::kubernetes::world::SECRET;
use crate::kubernetes::world::World;
use crate::kubernetes::world::finding;
use crate::made_archive::MadeArchive;

const MAIN: &str = "main";

#[tokio::test]
async fn keys_from_the_secret_of_the_store_follow_its_rotation() {
    let world = World::with_components(&["secret-reading"]).await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    // A store may be refused for five seconds longer than its Secret is wrong.
    let wrong = world.secret(world.s3.access_key(), "another-secret-key");
    world.server.apply(&wrong).await;
    let daemon = world.daemon(Options { secret_reading: true, ..Options::default() }).await;
    let denied = |it: &serde_json::Value| it.to_string().contains("store_denied");
    let told = world.cluster_when(&daemon, MAIN, "the wrong key", denied).await;
    assert_eq!(told["verdict"], "unknown");
    let right = world.secret(world.s3.access_key(), world.s3.secret_key());
    world.server.apply(&right).await;
    let told = world.findings_become(&daemon, MAIN, &[]).await;
    assert_eq!(told["verdict"], "recoverable");
    assert!(!daemon.log().contains(world.s3.secret_key()), "{}", daemon.log());
}

#[tokio::test]
async fn a_secret_that_is_incomplete_or_missing_is_told() {
    let world = World::with_components(&["secret-reading"]).await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let missing = world.daemon(Options { secret_reading: true, ..Options::default() }).await;
    let told = |it: &serde_json::Value| it.to_string().contains("credentials_incomplete");
    let archive = world.cluster_when(&missing, MAIN, "no Secret", told).await;
    let says = finding(&archive, "credentials_incomplete")["message"].as_str().unwrap().to_owned();
    assert!(says.contains(SECRET), "{says}");
    drop(missing);

    let mut half = world.secret(world.s3.access_key(), world.s3.secret_key());
    half["data"].as_object_mut().unwrap().remove("ACCESS_SECRET_KEY");
    world.server.apply(&half).await;
    let incomplete = world.daemon(Options { secret_reading: true, ..Options::default() }).await;
    let archive = world.cluster_when(&incomplete, MAIN, "half a Secret", told).await;
    let says = finding(&archive, "credentials_incomplete")["message"].as_str().unwrap().to_owned();
    assert!(says.contains("ACCESS_SECRET_KEY"), "{says}");
}

/// kube reads the file again after a minute at most, so the old token is not waited out here; what
/// happens when it ends is tested with faults.
#[tokio::test]
async fn keys_of_the_configuration_follow_their_files() {
    let world = World::begin().await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let daemon = world.daemon(Options::default()).await;
    world.findings_become(&daemon, MAIN, &[]).await;
    world.write_keys(world.s3.access_key(), "another-secret-key");
    let denied = |it: &serde_json::Value| it.to_string().contains("store_denied");
    let told = world.cluster_when(&daemon, MAIN, "the wrong key", denied).await;
    assert_ne!(told["recovery_windows"], json!([]), "{told:#}");
    world.write_keys(world.s3.access_key(), world.s3.secret_key());
    world.write_new_token().await;
    world.findings_become(&daemon, MAIN, &[]).await;
}

#[tokio::test]
async fn the_authority_that_the_store_names_is_trusted_where_secrets_are_read() {
    let world = World::with_components(&["secret-reading"]).await;
    let (_door, url, certificate) = world.s3.open_by_tls().await.unwrap();
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let mut store = world.object_store(STORE, "/");
    store["spec"]["configuration"]["endpointURL"] = json!(url);
    store["spec"]["configuration"]["endpointCA"] = json!({"name": SECRET, "key": "ca.crt"});
    world.server.apply(&store).await;
    let daemon = world.daemon(Options::default()).await;
    let untrusted = |it: &serde_json::Value| it.to_string().contains("UnknownIssuer");
    let told = world.cluster_when(&daemon, MAIN, "an unknown authority", untrusted).await;
    let found = finding(&told, "store_unreachable");
    assert_eq!(found["evidence"]["reason"], "tls", "{found}");
    assert!(found["hint"].as_str().unwrap().contains("endpointCA"), "{found}");
    drop(daemon);

    let mut secret = world.secret(world.s3.access_key(), world.s3.secret_key());
    world.server.apply(&secret).await;
    let daemon = world.daemon(Options { secret_reading: true, ..Options::default() }).await;
    let told = |it: &serde_json::Value| it.to_string().contains("credentials_incomplete");
    let archive = world.cluster_when(&daemon, MAIN, "no certificate", told).await;
    let says = finding(&archive, "credentials_incomplete")["message"].as_str().unwrap().to_owned();
    assert!(says.contains("ca.crt"), "{says}");
    drop(daemon);

    let pem = k8s_openapi::ByteString(certificate.into_bytes());
    secret["data"]["ca.crt"] = json!(pem);
    world.server.apply(&secret).await;
    let daemon = world.daemon(Options { secret_reading: true, ..Options::default() }).await;
    let told = world.findings_become(&daemon, MAIN, &[]).await;
    assert_eq!(told["verdict"], "recoverable");
}
