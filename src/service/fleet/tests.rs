use tempfile::TempDir;

use super::*;
use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::verdict::Verdict;
use crate::config::Credentials;
use crate::config::ObjectStoresConfig;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::Archiver;
use crate::domain::codec::Bzip2;
use crate::domain::retention_policy::RetentionPolicy;
use crate::observation::cluster::Activity;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::ObservedCluster;
use crate::service::clock;
use crate::service::own_metrics::OwnMetrics;
use crate::service::pace::Pace;
use crate::service::watched::Watched;
use crate::sources::kubernetes::Claims;
use crate::sources::kubernetes::Ground;
use crate::sources::store::opening::Stores;
use crate::sources::store::s3::S3Clients;

/// A cluster whose archive is an empty directory.
fn discovered(name: &str, folder: &TempDir) -> Discovered {
    let id = ArchiveId {
        namespace: "databases".to_owned(),
        cluster: name.to_owned(),
        server_name: name.to_owned(),
    };
    std::fs::create_dir_all(folder.path().join(name)).unwrap();
    let root = folder.path().to_str().unwrap().to_owned();
    let address = ArchiveAddress {
        store: StoreAddress::Directory(root),
        prefix: String::new(),
        server_name: name.to_owned(),
    };
    let cluster = ObservedCluster {
        id: ClusterId { namespace: "databases".to_owned(), name: name.to_owned() },
        uid: name.to_owned(),
        created_at: None,
        system_identifier: None,
        timeline: None,
        operator: None,
        archiver: Archiver::Plugin { is_wal_archiver: true },
        instance: Default::default(),
        store: Ok(DeclaredStore::Undeclared),
        activity: Activity::default(),
        schedules: Ok(Vec::new()),
        backups: Ok(Vec::new()),
        elsewhere: Ok(Default::default()),
        plugin: None,
        sharers: Vec::new(),
        wal_archiving: None,
        drills: Vec::new(),
        drill_reports: Ok(Vec::new()),
        known_drill_reports: Vec::new(),
        bad_annotations: Vec::new(),
    };
    Discovered {
        id,
        address: Some(address),
        cluster,
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig::default(),
        credentials: StoreCredentials::Configured,
        authority: None,
    }
}

fn fleet(configured: Vec<ArchiveConfig>) -> Fleet {
    Fleet::new(configured, ExpectationConfig::default(), FlagExpectations::default())
}

fn names(fleet: &Fleet) -> Vec<String> {
    fleet.specs().iter().map(|it| it.id.cluster.clone()).collect()
}

/// What a look at one of the fleet says.
async fn look(spec: &Arc<ArchiveSpec>) -> Arc<Assessment> {
    let metrics = OwnMetrics::register().unwrap();
    let clients = S3Clients::new(clock::now, metrics.requests);
    let (credentials, allowed) = (Credentials::DefaultChain, ObjectStoresConfig::default());
    let stores = Stores::new(clients, &credentials, allowed, Bzip2::default());
    Watched::new(Arc::clone(spec), &stores, Pace::once()).look().await.assessment
}

fn shown(clusters: Vec<Discovered>) -> Discovery {
    Discovery { clusters: Ok(clusters), unread: Vec::new(), unparsable: Vec::new(), claims: None }
}

fn down() -> Discovery {
    let unreadable = Unreadable {
        what: "list clusters".to_owned(),
        why: "no route".to_owned(),
        reason: UnreadableReason::Internal,
    };
    Discovery {
        clusters: Err(unreadable),
        unread: Vec::new(),
        unparsable: Vec::new(),
        claims: None,
    }
}

fn take(fleet: &mut Fleet, found: Discovery) {
    fleet.take(found, |_| None);
}

#[tokio::test]
async fn clusters_come_and_go() {
    let folder = TempDir::new().unwrap();
    let mut fleet = fleet(Vec::new());
    take(&mut fleet, shown(vec![discovered("one", &folder)]));
    assert_eq!(names(&fleet), ["one"]);
    take(&mut fleet, shown(vec![discovered("two", &folder), discovered("one", &folder)]));
    assert_eq!(names(&fleet), ["one", "two"]);
    take(&mut fleet, shown(vec![discovered("two", &folder)]));
    assert_eq!(names(&fleet), ["two"]);
    assert_eq!(fleet.discovery(), Some(DiscoveryState::Up));
}

#[tokio::test]
async fn a_cluster_that_is_deleted_leaves_its_archive_as_long_as_its_store_stays() {
    let folder = TempDir::new().unwrap();
    let one = discovered("one", &folder);
    let address = one.address.clone().unwrap();
    let ground = Ground {
        namespace: "databases".to_owned(),
        object_store: Some("store".to_owned()),
        address: ArchiveAddress { server_name: String::new(), ..address.clone() },
        credentials: StoreCredentials::Configured,
        authority: None,
    };
    let mut claims = Claims::default();
    claims.grounds.push(ground);
    let mut owned = claims.clone();
    owned.claim(&address);
    let mut fleet = fleet(Vec::new());
    take(&mut fleet, Discovery { claims: Some(Ok(owned)), ..shown(vec![one]) });
    assert!(fleet.orphans().specs().is_empty());
    take(&mut fleet, Discovery { claims: Some(Ok(claims)), ..shown(Vec::new()) });
    assert!(fleet.specs().is_empty());
    let [orphan] = &*fleet.orphans().specs() else { panic!("{:?}", fleet.orphans()) };
    assert_eq!((&orphan.id.cluster, &orphan.address), (&String::new(), &Some(address)));
    let codes: Vec<FindingCode> = look(orphan).await.findings.iter().map(Finding::code).collect();
    assert!(codes.contains(&FindingCode::ArchiveOrphaned), "{codes:?}");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_seen_is_watched_on_and_its_promises_are_unknown() {
    let folder = TempDir::new().unwrap();
    let mut fleet = fleet(Vec::new());
    take(&mut fleet, shown(vec![discovered("one", &folder)]));
    take(&mut fleet, down());
    assert_eq!(names(&fleet), ["one"]);
    assert!(matches!(fleet.discovery(), Some(DiscoveryState::Down(_))));
    let assessment = look(&fleet.specs()[0]).await;
    let codes: Vec<FindingCode> = assessment.findings.iter().map(|it| it.code()).collect();
    assert_eq!(codes, [FindingCode::ArchiveEmpty, FindingCode::KubernetesUnreadable]);
}

#[tokio::test]
async fn the_configuration_wins_and_takes_the_rest_from_the_cluster() {
    let folder = TempDir::new().unwrap();
    let found = discovered("one", &folder);
    let mut address = found.address.clone().unwrap();
    address.prefix = "elsewhere".to_owned();
    let configured = ArchiveConfig {
        id: found.id.clone(),
        address: address.clone(),
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig::default(),
    };
    let mut fleet = fleet(vec![configured]);
    let retention_policy = RetentionPolicy::parse("30d");
    take(&mut fleet, shown(vec![Discovered { retention_policy, ..found }]));
    let spec = &fleet.specs()[0];
    assert_eq!(spec.address, Some(address));
    assert!(spec.cluster.is_some() && spec.retention_policy.is_some());
    // Its cluster is deleted; the bucket outlives it.
    take(&mut fleet, shown(Vec::new()));
    assert_eq!(names(&fleet), ["one"]);
    assert!(fleet.specs()[0].cluster.is_none());
}

#[tokio::test]
async fn an_archive_whose_store_cannot_be_seen_is_read_where_it_was() {
    let folder = TempDir::new().unwrap();
    let mut fleet = fleet(Vec::new());
    take(&mut fleet, shown(vec![discovered("one", &folder)]));
    let mut unseen = Discovered { address: None, ..discovered("one", &folder) };
    unseen.cluster.store = Err(Unreadable {
        what: "read ObjectStore s3".to_owned(),
        why: "forbidden".to_owned(),
        reason: UnreadableReason::Auth,
    });
    take(&mut fleet, shown(vec![unseen]));
    let assessment = look(&fleet.specs()[0]).await;
    let codes: Vec<FindingCode> = assessment.findings.iter().map(|it| it.code()).collect();
    assert_eq!(codes[0], FindingCode::ArchiveEmpty);
    assert!(codes.contains(&FindingCode::KubernetesUnreadable), "{codes:?}");
}

#[tokio::test]
async fn a_cluster_without_an_archive_is_judged_too() {
    let folder = TempDir::new().unwrap();
    let mut fleet = fleet(Vec::new());
    let bare = Discovered { address: None, ..discovered("one", &folder) };
    take(&mut fleet, shown(vec![bare]));
    let assessment = look(&fleet.specs()[0]).await;
    assert_eq!(assessment.verdict, Verdict::Unrecoverable);
    assert!(assessment.findings.iter().any(|it| it.code() == FindingCode::NoObjectStore));
}

#[tokio::test]
async fn a_cluster_that_cannot_be_understood_is_there_all_the_same() {
    let folder = TempDir::new().unwrap();
    let mut fleet = fleet(Vec::new());
    take(&mut fleet, shown(vec![discovered("known", &folder)]));
    let object = |name: &str| UnparsableObject {
        kind: "Cluster",
        namespace: "databases".to_owned(),
        name: name.to_owned(),
        why: "spec.plugins is a number".to_owned(),
    };
    let unparsable = vec![object("known"), object("new")];
    take(&mut fleet, Discovery { unparsable, ..shown(Vec::new()) });
    assert_eq!(names(&fleet), ["known", "new"]);
    let mut verdicts = Vec::new();
    for spec in fleet.specs() {
        let assessment = look(spec).await;
        let is_unreadable =
            assessment.findings.iter().any(|it| it.code() == FindingCode::KubernetesUnreadable);
        assert!(is_unreadable, "{:?}", assessment.findings);
        verdicts.push(assessment.verdict);
    }
    assert_eq!(verdicts, [Verdict::Unrecoverable, Verdict::Unknown]);
}
