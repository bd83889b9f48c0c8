use super::*;
use crate::domain::destination::Declared;
use crate::domain::destination::declared_address;
use crate::sources::kubernetes::resolve::claims::Claims;
use crate::sources::kubernetes::resolve::claims::named_secrets;

fn claims(content: &Content) -> Claims {
    discover(content).claims.unwrap().unwrap()
}

/// The place of each ground, with whose it is.
fn grounds(content: &Content) -> Vec<String> {
    let claims = claims(content);
    let ground = |it: &Ground| {
        let store = it.object_store.as_deref().unwrap_or("-");
        format!("{} {}/{store}", it.address.destination_path(), it.namespace)
    };
    claims.grounds.iter().map(ground).collect()
}

/// Whether some cluster names this server of a bucket.
fn is_claimed(content: &Content, destination_path: &str, server_name: &str) -> bool {
    let declared = Declared { destination_path, endpoint_url: None, region: None, server_name };
    claims(content).hold(&declared_address(declared).unwrap())
}

const STORE: &str = "destinationPath: 's3://cnpg/home'";

#[test]
fn a_cluster_claims_what_it_writes_and_every_store_is_a_ground() {
    let unused = store("destinationPath: 's3://other/'").replace("{name: store}", "{name: unused}");
    let yaml = cluster_with("barmanObjectName: store") + &store(STORE) + &unused;
    let content = content(&yaml);
    assert_eq!(
        grounds(&content),
        ["s3://cnpg/home/ databases/store", "s3://other/ databases/unused"]
    );
    assert!(is_claimed(&content, "s3://cnpg/home/", "postgres"));
    for (path, name) in [("s3://cnpg/home", "other"), ("s3://other", "postgres")] {
        assert!(!is_claimed(&content, path, name), "{path} {name}");
    }
}

#[test]
fn what_a_cluster_only_reads_or_does_not_write_at_present_is_claimed_too() {
    let spec = "{
        plugins: [{name: barman-cloud.cloudnative-pg.io, enabled: false,
            parameters: {barmanObjectName: store, serverName: paused}}],
        backup: {barmanObjectStore: {destinationPath: 's3://tree', serverName: old}},
        externalClusters: [
            {name: origin, plugin: {name: barman-cloud.cloudnative-pg.io,
                parameters: {barmanObjectName: store}}},
            {name: told, plugin: {name: barman-cloud.cloudnative-pg.io,
                parameters: {barmanObjectName: store, serverName: source}}},
            {name: tree, barmanObjectStore: {destinationPath: 's3://legacy'}},
            {name: live, connectionParameters: {host: db}}]}";
    let content = content(&(cluster(spec) + &store(STORE)));
    for (path, name) in [
        ("s3://cnpg/home", "paused"),
        ("s3://tree", "old"),
        ("s3://cnpg/home", "origin"),
        ("s3://cnpg/home", "postgres"),
        ("s3://cnpg/home", "source"),
        ("s3://legacy", "tree"),
    ] {
        assert!(is_claimed(&content, path, name), "{path} {name}");
    }
    for name in ["told", "live", "tree"] {
        assert!(!is_claimed(&content, "s3://cnpg/home", name), "{name}");
    }
    // Nobody archives to the store that is only read.
    assert_eq!(grounds(&content), ["s3://cnpg/home/ databases/store", "s3://tree/ databases/-"]);
}

#[test]
fn a_cluster_that_is_ignored_keeps_its_archive() {
    let ignored = "{name: postgres, annotations: {backup-verifier.monosense.dev/ignore: 'true'}}";
    let yaml =
        cluster_with("barmanObjectName: store").replace("{name: postgres, uid: u1}", ignored);
    let content = content(&(yaml + &store(STORE)));
    assert_eq!(clusters(&content), []);
    assert!(is_claimed(&content, "s3://cnpg/home/", "postgres"));
}

#[test]
fn a_store_that_is_ignored_is_no_ground() {
    let ignored = "{name: store, annotations: {backup-verifier.monosense.dev/ignore: 'true'}}";
    let ignored = store(STORE).replace("{name: store}", ignored);
    for yaml in [ignored.clone(), cluster_with("barmanObjectName: store") + &ignored] {
        assert_eq!(grounds(&content(&yaml)), Vec::<String>::new());
    }
}

#[test]
fn one_place_of_several_stores_is_one_ground() {
    let other = store(STORE).replace("{name: store}", "{name: again, namespace: apps}");
    let content = content(&(cluster_with("barmanObjectName: store") + &store(STORE) + &other));
    assert_eq!(grounds(&content), ["s3://cnpg/home/ apps/again"]);
}

#[test]
fn the_environment_of_a_cluster_says_where_the_store_is_that_it_uses() {
    let env = "env: [{name: AWS_ENDPOINT_URL, value: 'http://minio:9000'}]";
    let yaml =
        cluster_with("barmanObjectName: store").replace("spec: {", &format!("spec: {{{env}, "));
    let content = content(&(yaml + &store(STORE)));
    let claims = claims(&content);
    let [ground] = claims.grounds.as_slice() else { panic!("{claims:?}") };
    let StoreAddress::S3 { endpoint_url, .. } = &ground.address.store else { panic!("{ground:?}") };
    assert_eq!(endpoint_url.as_deref(), Some("http://minio:9000"));
}

/// Its folder may be in any store.
#[test]
fn a_server_whose_place_is_not_known_is_claimed_everywhere() {
    let content = content(&(cluster_with("barmanObjectName: gone") + &store(STORE)));
    assert!(is_claimed(&content, "s3://cnpg/home", "postgres"));
    assert!(!is_claimed(&content, "s3://cnpg/home", "other"));
}

#[test]
fn while_a_cluster_may_have_been_missed_nothing_is_known_of_claims() {
    let whole = content(&(cluster_with("barmanObjectName: store") + &store(STORE)));
    let no_clusters = Content {
        clusters: vec![whole.clusters[0].clone(), unread(UnreadableReason::Auth)],
        ..whole.clone()
    };
    let no_stores = Content { stores: vec![unread(UnreadableReason::Timeout)], ..whole.clone() };
    let odd = content(&(cluster("{plugins: 1}") + &store(STORE)));
    let odd_store = content(&(cluster("{}") + &store("destinationPath: 1")));
    for content in [no_clusters, no_stores, odd, odd_store] {
        assert!(discover(&content).claims.unwrap().is_err(), "{content:?}");
    }
    // Without the plugin there is no such kind, and nothing was missed.
    let in_tree = Content { stores: vec![unread(UnreadableReason::NotFound)], ..whole };
    assert!(discover(&in_tree).claims.unwrap().is_ok());
}

#[test]
fn secrets_of_stores_that_no_cluster_uses_are_named_too() {
    let content = content(&store(&format!("{STORE}, {KEYS}")));
    let names: Vec<String> = named_secrets(&content).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["databases/r2"]);
}
