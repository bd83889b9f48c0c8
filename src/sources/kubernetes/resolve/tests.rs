mod backups;
mod claims;
mod drills;
mod state;

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;

use super::*;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::domain::cluster::DrillKind;
use crate::domain::cluster::Instance;
use crate::domain::cluster::Storage;
use crate::domain::format::BaseBackupAgeMax;
use crate::domain::segment::SegmentName;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::PluginDeployment;
use crate::observation::cluster::StoreFacts;
use crate::sources::kubernetes::content::Objects;
use crate::sources::kubernetes::content::Secret;
use crate::sources::kubernetes::content::keep;
use crate::sources::kubernetes::resources::Backup;
use crate::sources::kubernetes::resources::Words;
use crate::sources::kubernetes::resources::tests::from_yaml;

/// Objects of all kinds, as they stand in one file of manifests.
fn content(yaml: &str) -> Content {
    let items: Vec<Value> =
        yaml.split("\n---\n").filter(|it| !it.trim().is_empty()).map(from_yaml).collect();
    Content {
        clusters: vec![scope(&items)],
        backups: vec![scope(&items)],
        schedules: vec![scope(&items)],
        stores: vec![scope(&items)],
        deployments: scope(&items),
        drills: None,
        operator_namespace: "cnpg-system".to_owned(),
        secrets: None,
    }
}

fn scope<K: Kind>(items: &[Value]) -> Scope<K> {
    let objects: Objects<K> = items
        .iter()
        .filter(|item| item["kind"] == K::KIND)
        .map(|item| {
            let mut item = item.clone();
            if item["metadata"]["namespace"].is_null() {
                item["metadata"]["namespace"] = "databases".into();
            }
            keep::<K>(serde_json::from_value(item).unwrap(), &mut Words::default())
        })
        .collect();
    Scope { namespace: None, last: Some(Arc::new(objects)), unread: None }
}

fn discover(content: &Content) -> Discovery {
    let now = "2026-01-10T12:00:00Z".parse().unwrap();
    resolve(content, &ExpectationConfig::DEFAULT, now)
}

fn clusters(content: &Content) -> Vec<Discovered> {
    discover(content).clusters.unwrap()
}

fn only(yaml: &str) -> Discovered {
    let [discovered] = <[Discovered; 1]>::try_from(clusters(&content(yaml))).unwrap();
    discovered
}

fn unread<K: Kind>(reason: UnreadableReason) -> Scope<K> {
    let unread = Unreadable { what: "list".to_owned(), why: "no".to_owned(), reason };
    Scope { namespace: None, last: None, unread: Some(unread) }
}

const PLUGIN: &str = "name: barman-cloud.cloudnative-pg.io, isWALArchiver: true";

fn cluster(spec: &str) -> String {
    format!("kind: Cluster\nmetadata: {{name: postgres, uid: u1}}\nspec: {spec}\n")
}

fn cluster_with(parameters: &str) -> String {
    cluster(&format!("{{plugins: [{{{PLUGIN}, parameters: {{{parameters}}}}}]}}"))
}

fn store(configuration: &str) -> String {
    format!(
        "---\nkind: ObjectStore\nmetadata: {{name: store}}\nspec: {{configuration: {{{configuration}}}}}\n"
    )
}

const KEYS: &str =
    "s3Credentials: {accessKeyId: {name: r2, key: id}, secretAccessKey: {name: r2, key: secret}}";

const SCHEDULES: &str = "---
kind: ScheduledBackup
metadata: {name: daily, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {schedule: '0 0 0 * * *', cluster: {name: postgres}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
---
kind: ScheduledBackup
metadata: {name: hourly}
spec: {schedule: '@hourly', suspend: true, cluster: {name: postgres}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
---
kind: ScheduledBackup
metadata: {name: wrong}
spec: {schedule: 'daily', cluster: {name: postgres}, method: plugin}
status: {error: parse}
---
kind: ScheduledBackup
metadata: {name: in-tree}
spec: {schedule: '0 0 * * * *', cluster: {name: postgres}}
---
kind: ScheduledBackup
metadata: {name: other}
spec: {schedule: '@every 1m', cluster: {name: other}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
";

#[test]
fn an_archive_lies_where_cluster_and_store_say_together() {
    for (parameters, configuration, address) in [
        ("barmanObjectName: store", "destinationPath: 's3://bucket'", "s3://bucket/postgres"),
        ("barmanObjectName: store", "destinationPath: 's3://bucket/'", "s3://bucket/postgres"),
        (
            "barmanObjectName: store",
            "destinationPath: 's3://bucket/a/b//'",
            "s3://bucket/a/b//postgres",
        ),
        (
            "barmanObjectName: store, serverName: pg-v2",
            "destinationPath: 's3://bucket/a'",
            "s3://bucket/a/pg-v2",
        ),
        (
            "barmanObjectName: store, serverName: ''",
            "destinationPath: 's3://bucket/a'",
            "s3://bucket/a/",
        ),
    ] {
        let found = only(&format!("{}{}", cluster_with(parameters), store(configuration)));
        assert_eq!(found.address.unwrap().to_string(), address, "{parameters}");
        assert_eq!(found.cluster.archiver, Archiver::Plugin { is_wal_archiver: true });
    }
}

#[test]
fn a_store_that_cannot_be_read_says_why() {
    let s3 = "destinationPath: 's3://bucket'";
    let named = cluster_with("barmanObjectName: store");
    let other = "---\nkind: ObjectStore\nmetadata: {name: store, namespace: other}\nspec: {configuration: {destinationPath: 's3://b'}}\n";
    let disabled = cluster(
        "{plugins: [{name: barman-cloud.cloudnative-pg.io, enabled: false, parameters: {barmanObjectName: store}}]}",
    );
    let elsewhere =
        |why: &str| DeclaredStore::Elsewhere { name: "store".to_owned(), why: why.to_owned() };
    let unsupported =
        |why: &str| DeclaredStore::Unsupported { name: "store".to_owned(), why: why.to_owned() };
    for (yaml, expected) in [
        (cluster("{instances: 1}"), DeclaredStore::Undeclared),
        (format!("{disabled}{}", store(s3)), DeclaredStore::Undeclared),
        (cluster_with(""), DeclaredStore::Unnamed),
        (cluster_with("serverName: a"), DeclaredStore::Unnamed),
        (named.clone(), DeclaredStore::Missing("store".to_owned())),
        (format!("{named}{other}"), DeclaredStore::Missing("store".to_owned())),
        (
            format!(
                "{named}{}",
                store("destinationPath: 'https://a.blob.core.windows.net/b', azureCredentials: {}")
            ),
            elsewhere("it is in Azure Blob Storage"),
        ),
        (
            format!(
                "{named}{}",
                store("destinationPath: 'gs://b', googleCredentials: {gkeEnvironment: true}")
            ),
            elsewhere("it is in Google Cloud Storage"),
        ),
        (
            format!("{named}{}", store("destinationPath: 'file:///backups'")),
            unsupported("destinationPath: expected s3://BUCKET/PREFIX/, found \"file:///backups\""),
        ),
    ] {
        let found = only(&yaml);
        assert_eq!(found.cluster.store, Ok(expected), "{yaml}");
        assert_eq!(found.address, None);
    }
}

#[test]
fn the_sidecars_environment_may_name_endpoint_and_region() {
    let with_env = |env: &str| {
        let named = cluster_with("barmanObjectName: store");
        only(&format!(
            "{named}---\nkind: ObjectStore\nmetadata: {{name: store}}\nspec:\n  configuration: {{destinationPath: 's3://bucket', {KEYS}}}\n  instanceSidecarConfiguration: {{env: [{env}]}}\n"
        ))
    };
    let found = with_env(
        "{name: AWS_ENDPOINT_URL, value: 'https://a.eu.r2.cloudflarestorage.com/'}, {name: AWS_DEFAULT_REGION, value: weur}",
    );
    let expected = StoreAddress::S3 {
        bucket: "bucket".to_owned(),
        endpoint_url: Some("https://a.eu.r2.cloudflarestorage.com".to_owned()),
        region: "weur".to_owned(),
    };
    assert_eq!(found.address.clone().unwrap().store, expected);
    let Ok(DeclaredStore::Found(facts)) = found.cluster.store else { panic!("{found:?}") };
    assert!(facts.is_r2 && !facts.has_checksum_env);

    let found = with_env(
        "{name: AWS_REQUEST_CHECKSUM_CALCULATION, value: when_required}, {name: AWS_RESPONSE_CHECKSUM_VALIDATION, value: WHEN_REQUIRED}",
    );
    let Ok(DeclaredStore::Found(facts)) = found.cluster.store else { panic!("{found:?}") };
    assert!(facts.has_checksum_env && !facts.is_r2);

    let found =
        with_env("{name: AWS_ENDPOINT_URL, valueFrom: {secretKeyRef: {name: r2, key: url}}}");
    let Ok(DeclaredStore::Unsupported { why, .. }) = found.cluster.store else {
        panic!("{found:?}")
    };
    assert!(why.contains("AWS_ENDPOINT_URL"), "{why}");
}

#[test]
fn what_the_cluster_sets_for_every_container_wins_over_the_sidecars_own() {
    let of = |own: &str| {
        let parameters = "{barmanObjectName: store}";
        let plugin = format!(
            "{{name: barman-cloud.cloudnative-pg.io, isWALArchiver: true, parameters: {parameters}}}"
        );
        let cluster = cluster(&format!("{{plugins: [{plugin}], env: [{own}]}}"));
        let sidecar = "{name: AWS_ENDPOINT_URL, value: 'https://sidecar.example'}, {name: AWS_DEFAULT_REGION, value: sidecar}";
        let found = only(&format!(
            "{cluster}---\nkind: ObjectStore\nmetadata: {{name: store}}\nspec:\n  configuration: {{destinationPath: 's3://bucket', {KEYS}}}\n  instanceSidecarConfiguration: {{env: [{sidecar}]}}\n"
        ));
        match found.address.map(|address| address.store) {
            Some(StoreAddress::S3 { endpoint_url, region, .. }) => (endpoint_url.unwrap(), region),
            other => panic!("{other:?}"),
        }
    };
    let told =
        |endpoint: &str, region: &str| (format!("https://{endpoint}.example"), region.to_owned());
    assert_eq!(of(""), told("sidecar", "sidecar"));
    let own = "{name: AWS_ENDPOINT_URL, value: 'https://cluster.example'}";
    assert_eq!(of(own), told("cluster", "sidecar"));
    assert_eq!(
        of(&format!("{own}, {{name: AWS_DEFAULT_REGION, value: own}}")),
        told("cluster", "own")
    );
}

#[test]
fn an_in_tree_archive_is_found_too() {
    let spec = |server_name: &str| {
        format!(
            "{{backup: {{retentionPolicy: 7d, barmanObjectStore: {{destinationPath: 's3://bucket/a', endpointURL: 'https://s3.example.com', {server_name} {KEYS}}}}}}}"
        )
    };
    let found = only(&cluster(&spec("")));
    assert_eq!(found.address.clone().unwrap().to_string(), "s3://bucket/a/postgres");
    assert_eq!(found.cluster.archiver, Archiver::InTree);
    assert_eq!(found.retention_policy, RetentionPolicy::parse("7d"));
    assert_eq!(found.cluster.plugin, None);
    let facts = StoreFacts {
        name: String::new(),
        destination_path: "s3://bucket/a/".to_owned(),
        has_retention_policy: true,
        is_r2: false,
        has_checksum_env: false,
        credentials_problem: None,
    };
    assert_eq!(found.cluster.store, Ok(DeclaredStore::Found(facts)));
    assert_eq!(only(&cluster(&spec("serverName: old,"))).id.server_name, "old");
}

#[test]
fn the_archive_of_a_source_is_not_the_clusters_own() {
    let source = "externalClusters: [{name: source, plugin: {name: barman-cloud.cloudnative-pg.io, parameters: {barmanObjectName: store, serverName: source}}}], bootstrap: {recovery: {source: source}}";
    let found = only(&format!(
        "{}{}",
        cluster(&format!("{{{source}}}")),
        store("destinationPath: 's3://bucket'")
    ));
    assert_eq!(found.cluster.store, Ok(DeclaredStore::Undeclared));
    let own = format!(
        "{{{source}, plugins: [{{{PLUGIN}, parameters: {{barmanObjectName: store, serverName: source}}}}]}}"
    );
    let found = only(&format!("{}{}", cluster(&own), store("destinationPath: 's3://bucket'")));
    assert_eq!(found.address.unwrap().to_string(), "s3://bucket/source");
    assert_eq!(found.cluster.sharers, []);
}

#[test]
fn writers_of_one_folder_know_each_other() {
    let named = |name: &str, more: &str| {
        format!(
            "---\nkind: Cluster\nmetadata: {{name: {name}{more}}}\nspec: {{plugins: [{{{PLUGIN}, parameters: {{barmanObjectName: store, serverName: main}}}}]}}\n"
        )
    };
    let ignored = ", annotations: {backup-verifier.monosense.dev/ignore: 'true'}";
    let other = format!(
        "---\nkind: Cluster\nmetadata: {{name: d}}\nspec: {{plugins: [{{{PLUGIN}, parameters: {{barmanObjectName: store}}}}]}}\n"
    );
    let yaml = format!(
        "{}{}{}{other}{}",
        named("a", ""),
        named("b", ""),
        named("c", ignored),
        store("destinationPath: 's3://bucket'")
    );
    let found = clusters(&content(&yaml));
    let sharers: Vec<(String, Vec<String>)> = found
        .iter()
        .map(|it| {
            (it.id.cluster.clone(), it.cluster.sharers.iter().map(|it| it.name.clone()).collect())
        })
        .collect();
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        sharers,
        [
            ("a".to_owned(), names(&["b", "c"])),
            ("b".to_owned(), names(&["a", "c"])),
            ("d".to_owned(), names(&[])),
        ]
    );
}

#[test]
fn unread_is_never_missing() {
    let yaml = format!(
        "{}{}{SCHEDULES}",
        cluster_with("barmanObjectName: store"),
        store("destinationPath: 's3://bucket'")
    );
    let seen = content(&yaml);
    let blind = Content {
        stores: vec![unread(UnreadableReason::NotFound)],
        backups: vec![unread(UnreadableReason::Auth)],
        schedules: vec![unread(UnreadableReason::Timeout)],
        deployments: unread(UnreadableReason::Auth),
        ..seen.clone()
    };
    let [found] = <[Discovered; 1]>::try_from(clusters(&blind)).unwrap();
    assert_eq!(found.cluster.store.unwrap_err().reason, UnreadableReason::NotFound);
    assert_eq!(found.cluster.backups.unwrap_err().reason, UnreadableReason::Auth);
    assert_eq!(found.cluster.schedules.unwrap_err().reason, UnreadableReason::Timeout);
    assert_eq!(found.cluster.plugin.unwrap().unwrap_err().reason, UnreadableReason::Auth);
    assert_eq!((found.address, found.schedule), (None, None));

    let blind = Content { clusters: vec![unread(UnreadableReason::Auth)], ..seen.clone() };
    assert_eq!(discover(&blind).clusters.unwrap_err().reason, UnreadableReason::Auth);

    // One namespace is out of reach; what is known of the others and of it stays.
    let mut lost = unread::<Cluster>(UnreadableReason::Auth);
    lost.last = seen.clusters[0].last.clone();
    let blind = Content { clusters: vec![lost, scope(&[])], ..seen };
    let discovery = discover(&blind);
    assert_eq!((discovery.clusters.unwrap().len(), discovery.unread.len()), (1, 1));
}

#[test]
fn objects_that_do_not_parse_are_told_and_are_not_missing() {
    let bad = "---
kind: ObjectStore
metadata: {name: store}
spec: {configuration: {destinationPath: 3}}
---
kind: Cluster
metadata: {name: broken}
spec: {plugins: 3}
---
kind: ScheduledBackup
metadata: {name: broken}
spec: {schedule: 3, cluster: {name: postgres}}
";
    let discovery =
        discover(&content(&format!("{}{bad}", cluster_with("barmanObjectName: store"))));
    let kinds: Vec<&str> = discovery.unparsable.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["Cluster", "ObjectStore", "ScheduledBackup"]);
    let [found] = <[Discovered; 1]>::try_from(discovery.clusters.unwrap()).unwrap();
    assert_eq!(found.cluster.store.unwrap_err().reason, UnreadableReason::Parse);
    assert_eq!(found.cluster.schedules.unwrap_err().reason, UnreadableReason::Parse);
}

#[test]
fn the_plugin_is_known_by_labels_or_image() {
    let deployed = |deployment: &str| {
        let yaml = format!(
            "{}---\nkind: Deployment\n{deployment}",
            cluster_with("barmanObjectName: store")
        );
        only(&yaml).cluster.plugin.unwrap().unwrap()
    };
    let found = |name: &str, desired, available| PluginDeployment::Found {
        name: name.to_owned(),
        desired,
        available,
    };
    let spec = "spec: {template: {spec: {containers: [{image: 'ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.14.0'}]}}}";
    for (deployment, expected) in [
        (
            "metadata: {name: a, labels: {app: barman-cloud}}\nspec: {replicas: 2}\nstatus: {availableReplicas: 1}\n",
            found("a", 2, 1),
        ),
        (
            "metadata: {name: b, labels: {app.kubernetes.io/name: plugin-barman-cloud}}\nspec: {}\n",
            found("b", 1, 0),
        ),
        (&format!("metadata: {{name: c}}\n{spec}\n"), found("c", 1, 0)),
        (
            "metadata: {name: cnpg}\nspec: {}\n",
            PluginDeployment::Missing { namespace: "cnpg-system".to_owned() },
        ),
    ] {
        assert_eq!(deployed(deployment), expected);
    }
}

#[test]
fn secrets_are_named_only_by_watched_stores_and_their_faults_are_told() {
    let region = "s3Credentials: {accessKeyId: {name: r2, key: id}, secretAccessKey: {name: r2, key: secret}, region: {name: place, key: region}}";
    let yaml = format!(
        "{}{}---\nkind: ObjectStore\nmetadata: {{name: unused}}\nspec: {{configuration: {{destinationPath: 's3://b', s3Credentials: {{accessKeyId: {{name: other, key: id}}}}}}}}\n",
        cluster_with("barmanObjectName: store"),
        store(&format!("destinationPath: 's3://bucket', {region}")),
    );
    let seen = content(&yaml);
    let names: Vec<String> = named_secrets(&seen).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["databases/place", "databases/r2"]);

    let secret = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()));
        Ok(Arc::new(Secret(pairs.collect())))
    };
    let name = |name: &str| ObjectName { namespace: "databases".into(), name: name.into() };
    let with = |r2: Reading<Arc<Secret>>| {
        let place = secret(&[("region", "weur\n")]);
        let secrets = Some([(name("r2"), r2), (name("place"), place)].into());
        let [found] =
            <[Discovered; 1]>::try_from(clusters(&Content { secrets, ..seen.clone() })).unwrap();
        let Ok(DeclaredStore::Found(facts)) = found.cluster.store else { panic!("{found:?}") };
        (found.address.unwrap(), found.credentials, facts.credentials_problem)
    };
    let (address, credentials, problem) = with(secret(&[("id", "AKID"), ("secret", "hunter2")]));
    assert_eq!(problem, None);
    assert!(matches!(credentials, StoreCredentials::Secrets(_)), "{credentials:?}");
    let StoreAddress::S3 { region, .. } = address.store else { panic!("{address}") };
    assert_eq!(region, "weur");

    let (.., problem) = with(secret(&[("id", "AKID")]));
    assert_eq!(problem.as_deref(), Some("the Secret databases/r2: it has no key \"secret\""));
    let (.., problem) = with(secret(&[("id", "AKID"), ("secret", "two\nlines")]));
    assert!(!problem.unwrap().contains("two"));
    let denied = Unreadable {
        what: "read the Secret databases/r2".to_owned(),
        why: "forbidden".to_owned(),
        reason: UnreadableReason::Auth,
    };
    let (.., problem) = with(Err(denied));
    assert_eq!(problem.as_deref(), Some("read the Secret databases/r2: forbidden"));

    let [found] = <[Discovered; 1]>::try_from(clusters(&seen)).unwrap();
    assert_eq!(found.credentials, StoreCredentials::Configured);
    let Ok(DeclaredStore::Found(facts)) = found.cluster.store else { panic!("{found:?}") };
    assert_eq!(facts.credentials_problem, None);
}
