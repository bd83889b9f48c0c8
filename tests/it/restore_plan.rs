//! Which moments a plan promises, and what it says of the others.

use std::path::Path;

use chrono::DateTime;
use chrono::Utc;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::assess;
use cnpg_backup_verifier::assessment::cluster::ClusterState;
use cnpg_backup_verifier::assessment::plan::Doubt;
use cnpg_backup_verifier::assessment::plan::Left;
use cnpg_backup_verifier::assessment::plan::Obstruction;
use cnpg_backup_verifier::assessment::plan::Restore;
use cnpg_backup_verifier::assessment::plan::RestorePlan;
use cnpg_backup_verifier::assessment::plan::Stop;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::cluster::Storage;
use cnpg_backup_verifier::domain::cluster::TablespaceVolume;
use cnpg_backup_verifier::domain::recovery_target::Question;
use cnpg_backup_verifier::domain::recovery_target::Target;

use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::publication::restore_plan::PlanDocument;

use insta::assert_snapshot;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::deploy::schemas;
use crate::samples;
use crate::scenarios::file::Scenario;

/// Two backups, a gap between them, and commits known at the ends of both windows.
const GAP: &str = "
now       2026-01-10 12:00
timeline  1  wal 0A..2F 34..51
backup    20260109T000000  wal 0A..0B
backup    20260110T000000  wal 40..41
probe     1 2F commit 2026-01-09 20:00
probe     1 51 commit 2026-01-10 11:55
";

fn assessed(given: &str) -> Assessment {
    let scenario = Scenario::parse(given, Path::new("inline"));
    assess(&scenario.subject, &scenario.observe(), &scenario.expectations, scenario.now)
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-01-{text}Z").parse().unwrap()
}

fn reachable(given: &str, target: Target) -> Restore {
    match RestorePlan::new(&assessed(given), target) {
        RestorePlan::Reachable(restore) => restore,
        other => panic!("{other:?}"),
    }
}

fn obstruction(given: &str, target: Target) -> Obstruction {
    match RestorePlan::new(&assessed(given), target) {
        RestorePlan::NotReachable(obstruction) => obstruction,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_moment_is_restored_from_the_newest_backup_before_it() {
    let restore = reachable(GAP, Target::At(at("10T06:00:00")));
    assert_eq!(restore.backup_id().as_str(), "20260110T000000");
    assert_eq!(restore.stop_at(), Some(at("10T06:00:00")));
    assert_eq!(restore.window.path.len(), 1);
    assert_eq!(restore.window.path[0].first.to_string(), "000000010000000000000040");
    let restore = reachable(GAP, Target::At(at("09T19:59:59")));
    assert_eq!(restore.backup_id().as_str(), "20260109T000000");
}

#[test]
fn a_moment_in_a_gap_has_neighbours_on_both_sides() {
    let obstruction = obstruction(GAP, Target::At(at("09T22:00:00")));
    assert_eq!(obstruction.nearest_before, Some(at("09T19:59:59.999999")));
    // A minute behind the end of the backup, as its WAL was not opened.
    assert_eq!(obstruction.nearest_after, Some(at("10T00:08:00")));
}

#[test]
fn the_nearest_moments_are_reachable() {
    for target in ["08T00:00:00", "09T22:00:00", "10T11:59:00"] {
        let found = obstruction(GAP, Target::At(at(target)));
        for nearest in [found.nearest_before, found.nearest_after].into_iter().flatten() {
            reachable(GAP, Target::At(nearest));
        }
    }
}

#[test]
fn a_target_after_the_last_commit_is_not_reachable_and_says_so() {
    let obstruction = obstruction(GAP, Target::At(at("10T11:56:00")));
    assert_eq!(obstruction.nearest_before, Some(at("10T11:54:59.999999")));
    assert_eq!(obstruction.nearest_after, None);
    assert!(obstruction.why.to_string().contains("no transaction"), "{}", obstruction.why);
}

#[test]
fn the_newest_commit_itself_is_reached_without_a_target() {
    let restore = reachable(GAP, Target::At(at("10T11:55:00")));
    assert_eq!(restore.stop_at(), None);
}

#[test]
fn a_target_before_the_oldest_backup_is_not_reachable() {
    let obstruction = obstruction(GAP, Target::At(at("08T00:00:00")));
    assert_eq!(obstruction.nearest_before, None);
    assert_eq!(obstruction.nearest_after, Some(at("09T00:08:00")));
}

#[test]
fn the_latest_state_is_not_promised_past_a_gap() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..45 47..51
        backup    20260110T000000  wal 40..41
        probe     1 45 commit 2026-01-10 10:30
    ";
    let obstruction = obstruction(given, Target::Latest);
    assert_eq!(obstruction.nearest_before, Some(at("10T10:29:59.999999")));
}

#[test]
fn a_backup_of_an_abandoned_branch_names_its_timeline() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..60
        timeline  2  wal 45..51
        history   2  1@0/45000100
        backup    20260110T060000  wal 50..51
        probe     1 60 commit 2026-01-10 11:55
    ";
    let restore = reachable(given, Target::At(at("10T07:00:00")));
    assert_eq!(restore.target_timeline().map(|it| it.value()), Some(1));
}

#[test]
fn a_position_that_two_branches_have_is_told_with_both() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..51
        timeline  2  wal 45..51
        history   2  1@0/45000100
        backup    20260110T000000  wal 40..41
        backup    20260110T090000  wal 48..49 timeline 2
        probe     1 51 commit 2026-01-10 11:50
        probe     2 51 commit 2026-01-10 11:55
    ";
    let plan = |timeline, lsn: &str| {
        let target = Target::Lsn(lsn.parse().unwrap());
        let timeline = TimelineId::new(timeline);
        let plan = RestorePlan::new(&assessed(given), Question { target, backup: None, timeline });
        match plan {
            RestorePlan::Reachable(restore) => restore,
            other => panic!("{other:?}"),
        }
    };
    let named = |restore: &Restore| {
        restore.elsewhere.iter().map(|(timeline, _)| timeline.value()).collect::<Vec<_>>()
    };
    let behind_the_fork = plan(0, "0/4A000000");
    let other = match behind_the_fork.window.last.segment.timeline.value() {
        1 => 2,
        _ => 1,
    };
    assert_eq!(named(&behind_the_fork), [other]);
    assert_eq!(named(&plan(0, "0/43000000")), [0; 0]);
    assert_eq!(named(&plan(other, "0/4A000000")), [0; 0]);
}

#[test]
fn the_path_follows_the_timelines() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..44
        timeline  2  wal 45..51
        history   2  1@0/45000100
        backup    20260110T000000  wal 40..41
        probe     2 51 commit 2026-01-10 11:55
    ";
    let path = reachable(given, Target::Latest).window.path;
    let ends: Vec<String> = path.iter().map(|it| format!("{}..{}", it.first, it.last)).collect();
    assert_eq!(
        ends,
        [
            "000000010000000000000040..000000010000000000000044",
            "000000020000000000000045..000000020000000000000051"
        ]
    );
}

#[test]
fn without_a_known_commit_nobody_can_say() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..51
        backup    20260110T000000  wal 40..41
    ";
    let plan = RestorePlan::new(&assessed(given), Target::At(at("10T06:00:00")));
    assert!(matches!(plan, RestorePlan::Unknown(_)), "{plan:?}");
    assert_eq!(reachable(given, Target::Latest).stop_at(), None);
}

#[test]
fn an_archive_that_was_not_read_has_no_plan() {
    let given = "
        now         2026-01-10 12:00
        unreadable  backups timeout
        unreadable  archive timeout
    ";
    for target in [Target::Latest, Target::At(at("10T06:00:00"))] {
        let plan = RestorePlan::new(&assessed(given), target);
        assert!(matches!(plan, RestorePlan::Unknown(_)), "{plan:?}");
    }
}

#[test]
fn the_manifest_is_yaml_whatever_the_names_are() {
    let mut assessment = assessed(GAP);
    assessment.archive.server_name = "it's: \"odd\" # {name}".to_owned();
    let document = PlanDocument::new(&assessment, Target::At(at("10T06:00:00.123456")));
    let manifest: serde_json::Value = serde_saphyr::from_str(&document.yaml().unwrap()).unwrap();
    assert_eq!(manifest["kind"], "Cluster");
    assert_eq!(manifest["metadata"]["name"], "pg-restored");
    let recovery = &manifest["spec"]["bootstrap"]["recovery"]["recoveryTarget"];
    assert_eq!(recovery["backupID"], "20260110T000000");
    assert_eq!(recovery["targetTime"], "2026-01-10T06:00:00.123456+00:00");
    let origin = &manifest["spec"]["externalClusters"][0]["plugin"]["parameters"];
    assert_eq!(origin["serverName"], "it's: \"odd\" # {name}");
    let archiving = &manifest["spec"]["plugins"][0]["parameters"];
    assert_ne!(archiving["serverName"], origin["serverName"]);
}

#[tokio::test]
async fn every_manifest_is_what_the_schema_of_a_cluster_says() {
    let mut named = assessed(GAP);
    named.cluster = Some(cluster());
    let branch = assessed(
        "
        now       2026-01-10 12:00
        timeline  1  wal 30..60
        timeline  2  wal 45..51
        history   2  1@0/45000100
        backup    20260110T060000  wal 50..51
        probe     1 60 commit 2026-01-10 11:55
    ",
    );
    let mut objects = Vec::new();
    for assessment in [&named, &of_address(), &branch] {
        let document = PlanDocument::new(assessment, Target::At(at("10T07:00:00")));
        let value = serde_saphyr::from_str(&document.yaml().unwrap()).unwrap();
        objects.push(Object { origin: document.text(), value });
    }
    for (object, problems) in objects.iter().zip(schemas::problems(&objects).await) {
        assert!(problems.is_empty(), "{}\n{problems:#?}", object.origin);
    }
}

/// An archive in R2 of which nothing is known but what is stored.
fn of_bucket() -> Assessment {
    let mut assessment = assessed(GAP);
    assessment.archive.namespace = String::new();
    assessment.archive.cluster = String::new();
    assessment.totals.postgres_major = Some(17);
    assessment.address = Some(ArchiveAddress {
        store: StoreAddress::S3 {
            bucket: "cnpg".to_owned(),
            endpoint_url: Some("https://account.r2.cloudflarestorage.com".to_owned()),
            region: "auto".to_owned(),
        },
        prefix: "prod".to_owned(),
        server_name: "pg".to_owned(),
    });
    assessment
}

#[tokio::test]
async fn a_bundle_needs_nothing_but_the_keys() {
    let mut named = of_bucket();
    named.archive = assessed(GAP).archive;
    named.cluster = Some(cluster());
    let amazon = {
        let mut amazon = of_bucket();
        let address = amazon.address.as_mut().unwrap();
        let (bucket, region) = ("cnpg".to_owned(), "eu-central-1".to_owned());
        address.store = StoreAddress::S3 { bucket, endpoint_url: None, region };
        amazon
    };
    let mut objects = Vec::new();
    for assessment in [&of_bucket(), &named, &amazon] {
        for target in [Target::Latest, Target::At(at("10T07:00:00")), Target::Backup] {
            let bundle = PlanDocument::new(assessment, target).bundle().unwrap();
            assert!(!bundle.contains("# Replace"), "{bundle}");
            let parts = manifests::objects("bundle", &bundle);
            let kinds: Vec<&str> = parts.iter().map(Object::kind).collect();
            assert_eq!(kinds, ["Secret", "ObjectStore", "Cluster"], "{bundle}");
            let store =
                parts[2].text("/spec/externalClusters/0/plugin/parameters/barmanObjectName");
            assert_eq!(store, parts[1].name(), "{bundle}");
            let secret = parts[1].text("/spec/configuration/s3Credentials/accessKeyId/name");
            assert_eq!(secret, parts[0].name(), "{bundle}");
            objects.extend(parts);
        }
    }
    for (object, problems) in objects.iter().zip(schemas::problems(&objects).await) {
        assert!(problems.is_empty(), "{:#}\n{problems:#?}", object.value);
    }
}

#[test]
fn a_bundle_says_what_is_guessed_and_what_is_left_open() {
    let mut known = of_bucket();
    known.cluster = Some(cluster());
    let bundle = PlanDocument::new(&known, Target::Latest).bundle().unwrap();
    assert!(
        !bundle.contains("# The size of a volume") && !bundle.contains("# Replace"),
        "{bundle}"
    );
    let mut unread = known;
    unread.totals.postgres_major = None;
    unread.cluster = None;
    let bundle = PlanDocument::new(&unread, Target::Latest).bundle().unwrap();
    assert!(
        bundle.contains("# The size of a volume") && bundle.contains("# Replace MAJOR: "),
        "{bundle}"
    );
}

#[test]
fn the_bundle_of_a_bare_bucket_is_this() {
    assert_snapshot!(PlanDocument::new(&of_bucket(), Target::Latest).bundle().unwrap(), @r#"
    # Put the keys of a token that may read and write the bucket into the Secret: the new cluster
    # archives there under a server name of its own. Then apply all of it in a namespace of your choice,
    # with CloudNativePG and the Barman Cloud Plugin installed.
    # The size of a volume was not known. The size below is four times what the base backup takes in
    # the store, and at least 1 GiB.
    apiVersion: v1
    kind: Secret
    metadata:
      name: recovered-archive-credentials
    stringData:
      ACCESS_KEY_ID: YOUR_ACCESS_KEY_ID
      ACCESS_SECRET_KEY: YOUR_SECRET_ACCESS_KEY
    ---
    apiVersion: barmancloud.cnpg.io/v1
    kind: ObjectStore
    metadata:
      name: recovered-archive
    spec:
      configuration:
        destinationPath: s3://cnpg/prod/
        endpointURL: https://account.r2.cloudflarestorage.com
        s3Credentials:
          accessKeyId:
            name: recovered-archive-credentials
            key: ACCESS_KEY_ID
          secretAccessKey:
            name: recovered-archive-credentials
            key: ACCESS_SECRET_KEY
      instanceSidecarConfiguration:
        env:
          - name: AWS_REQUEST_CHECKSUM_CALCULATION
            value: when_required
          - name: AWS_RESPONSE_CHECKSUM_VALIDATION
            value: when_required
    ---
    # Raise instances once you have checked the data. Name database, owner and secret in recovery if
    # they differ from "app". The new cluster archives under a server name of its own; for a drill,
    # leave plugins out.
    apiVersion: postgresql.cnpg.io/v1
    kind: Cluster
    metadata:
      name: pg-restored
    spec:
      instances: 1
      imageName: ghcr.io/cloudnative-pg/postgresql:17
      storage:
        size: 1Gi
      bootstrap:
        recovery:
          source: origin
          recoveryTarget:
            backupID: 20260110T000000
      externalClusters:
        - name: origin
          plugin:
            name: barman-cloud.cloudnative-pg.io
            parameters:
              barmanObjectName: recovered-archive
              serverName: pg
      plugins:
        - name: barman-cloud.cloudnative-pg.io
          isWALArchiver: true
          parameters:
            barmanObjectName: recovered-archive
            serverName: pg-restored
    "#);
}

#[test]
fn what_no_cluster_can_read_has_no_bundle() {
    let directory = of_address();
    let document = PlanDocument::new(&directory, Target::Latest);
    assert_eq!(document.bundle(), None);
    assert_eq!(document.without_bundle(), "no cluster can read a copy in a directory");
    let too_early = PlanDocument::new(&directory, Target::At(at("01T00:00:00")));
    assert_eq!(too_early.bundle(), None);
    assert!(too_early.without_bundle().contains("oldest"), "{}", too_early.without_bundle());
}

#[test]
fn the_manifest_of_a_discovered_cluster_is_ready_to_be_applied() {
    let mut assessment = assessed(GAP);
    assessment.cluster = Some(cluster());
    assessment.totals.postgres_major = Some(17);
    let document = PlanDocument::new(&assessment, Target::At(at("10T06:00:00")));
    assert_snapshot!(document.yaml().unwrap(), @r#"
    # Raise instances once you have checked the data. Name database, owner and secret in recovery if
    # they differ from "app". The new cluster archives under a server name of its own; for a drill,
    # leave plugins out.
    apiVersion: postgresql.cnpg.io/v1
    kind: Cluster
    metadata:
      name: pg-restored
      namespace: databases
    spec:
      instances: 1
      imageName: ghcr.io/cloudnative-pg/postgresql:17.6-standard-bookworm
      storage:
        size: 20Gi
        storageClass: openebs-hostpath
      walStorage:
        size: 4Gi
        storageClass: openebs-hostpath
      bootstrap:
        recovery:
          source: origin
          recoveryTarget:
            backupID: 20260110T000000
            targetTime: "2026-01-10T06:00:00.000000+00:00"
      externalClusters:
        - name: origin
          plugin:
            name: barman-cloud.cloudnative-pg.io
            parameters:
              barmanObjectName: postgres-r2-backup
              serverName: pg
      plugins:
        - name: barman-cloud.cloudnative-pg.io
          isWALArchiver: true
          parameters:
            barmanObjectName: postgres-r2-backup
            serverName: pg-restored
    "#);
}

#[test]
fn the_manifest_has_a_volume_for_each_tablespace_and_what_recovery_insists_on() {
    let given = GAP.replace(
        "backup    20260110T000000  wal 40..41",
        "backup    20260110T000000  wal 40..41 tablespaces 16384,16385 tars data.tar.bz2,16384.tar.bz2,16385.tar.bz2",
    );
    assert_ne!(given, GAP);
    let mut assessment = assessed(&given);
    let mut state = cluster();
    let fast = Storage { size: "5Gi".to_owned(), storage_class: Some("nvme".to_owned()) };
    state.instance.tablespaces =
        vec![TablespaceVolume { name: "ts16384".to_owned(), storage: Some(fast) }];
    state.instance.recovery_parameters = [("max_connections", "300".to_owned())].into();
    assessment.cluster = Some(state);
    let yaml = PlanDocument::new(&assessment, Target::Latest).yaml().unwrap();
    let manifest: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    let expected = serde_json::json!([
        {"name": "ts16384", "storage": {"size": "5Gi", "storageClass": "nvme"}},
        {"name": "ts16385", "storage": {"size": "TABLESPACE_SIZE"}},
    ]);
    assert_eq!(manifest["spec"]["tablespaces"], expected, "{yaml}");
    let parameters = &manifest["spec"]["postgresql"]["parameters"];
    assert_eq!(*parameters, serde_json::json!({"max_connections": "300"}), "{yaml}");
    assert!(yaml.contains("# Replace TABLESPACE_SIZE: "), "{yaml}");
}

#[test]
fn an_operator_that_drops_timelines_is_told_where_the_route_changes_them() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 30..45
        timeline  2  wal 45..51
        history   2  1@0/45000100
        backup    20260109T000000  wal 34..35
        cluster   operator 1.29.1
    ";
    let assessment = assessed(given);
    let document = PlanDocument::new(&assessment, Target::Latest);
    let json: serde_json::Value = serde_json::from_str(&document.json().unwrap()).unwrap();
    let expected = "CloudNativePG 1.29.1 refuses history files during recovery, and ends it on \
                    timeline 1: upgrade it first";
    assert_eq!(json["warnings"], serde_json::json!([expected]));
    assert!(document.text().contains(expected), "{}", document.text());
    let mended = assessed(&given.replace("1.29.1", "1.29.2"));
    let json = PlanDocument::new(&mended, Target::Latest).json().unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["warnings"], serde_json::json!([]));
}

#[test]
fn what_only_kubernetes_knows_is_left_in_capitals() {
    let assessment = of_address();
    let document = PlanDocument::new(&assessment, Target::Latest);
    assert_snapshot!(document.yaml().unwrap(), @r#"
    # Raise instances once you have checked the data. Name database, owner and secret in recovery if
    # they differ from "app". The new cluster archives under a server name of its own; for a drill,
    # leave plugins out.
    # Replace NAMESPACE: where the ObjectStore is.
    # Replace OBJECT_STORE: the ObjectStore of the source; make one of its barmanObjectStore if it has none.
    # Replace MAJOR: the major version of the source's PostgreSQL.
    # Replace SIZE: at least that of the source's volume.
    apiVersion: postgresql.cnpg.io/v1
    kind: Cluster
    metadata:
      name: pg-restored
      namespace: NAMESPACE
    spec:
      instances: 1
      imageName: ghcr.io/cloudnative-pg/postgresql:MAJOR
      storage:
        size: SIZE
      bootstrap:
        recovery:
          source: origin
          recoveryTarget:
            backupID: 20260110T000000
      externalClusters:
        - name: origin
          plugin:
            name: barman-cloud.cloudnative-pg.io
            parameters:
              barmanObjectName: OBJECT_STORE
              serverName: pg
      plugins:
        - name: barman-cloud.cloudnative-pg.io
          isWALArchiver: true
          parameters:
            barmanObjectName: OBJECT_STORE
            serverName: pg-restored
    "#);
}

#[test]
fn an_image_of_another_major_version_is_not_taken() {
    let mut assessment = assessed(GAP);
    assessment.cluster = Some(cluster());
    assessment.totals.postgres_major = Some(16);
    let document = PlanDocument::new(&assessment, Target::Latest);
    let manifest: serde_json::Value = serde_saphyr::from_str(&document.yaml().unwrap()).unwrap();
    assert_eq!(manifest["spec"]["imageName"], "ghcr.io/cloudnative-pg/postgresql:16");
}

/// An archive of which nothing is known but what lies in it.
fn of_address() -> Assessment {
    let mut assessment = assessed(GAP);
    assessment.archive.namespace = String::new();
    assessment.archive.cluster = String::new();
    assessment.totals.postgres_major = None;
    assessment
}

/// As the samples have it, with all that Kubernetes can know.
fn cluster() -> ClusterState {
    let fleet = samples::fleet(1);
    fleet.archives[0].assessment.cluster.clone().unwrap()
}

#[test]
fn the_json_names_what_a_script_needs() {
    let assessment = assessed(GAP);
    let json = |target| {
        let text = PlanDocument::new(&assessment, target).json().unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let plan = json(Target::Latest);
    assert_eq!(plan["reachable"], true);
    assert_eq!(plan["wal"][0]["last"], "000000010000000000000051");
    assert!(plan["manifest"].is_string());
    let plan = json(Target::At(at("09T22:00:00")));
    assert_eq!(plan["reachable"], false);
    assert_eq!(plan["nearest_after"], "2026-01-10T00:08:00Z");
    assert!(plan["manifest"].is_null());
}

/// Timeline 1 was left at 45 and went on to 58: both have what came after.
const LEFT: &str = "
    now       2026-01-10 12:00
    timeline  1  wal 30..58
    timeline  2  wal 45..60
    history   2  1@0/45000100
    backup    20260110T000000  wal 34..35
    probe     1 44 commit 2026-01-10 09:40
    probe     1 58 commit 2026-01-10 11:15
    probe     2 60 commit 2026-01-10 11:55
";

#[test]
fn a_moment_on_two_branches_is_answered_with_both() {
    let restore = reachable(LEFT, Target::At(at("10T10:30:00")));
    assert_eq!(restore.target_timeline(), None);
    assert_eq!(restore.window.last.segment.timeline.value(), 2);
    let elsewhere: Vec<u32> = restore.elsewhere.iter().map(|(it, _)| it.value()).collect();
    assert_eq!(elsewhere, [1]);
    // Before they parted it is one state.
    let restore = reachable(LEFT, Target::At(at("10T09:00:00")));
    assert!(restore.elsewhere.is_empty(), "{restore:?}");
}

#[test]
fn the_state_of_a_branch_that_was_left_is_planned_with_its_timeline() {
    let timeline = TimelineId::new(1);
    let target = Target::At(at("10T10:30:00"));
    let question = Question { target, backup: None, timeline };
    let RestorePlan::Reachable(restore) = RestorePlan::new(&assessed(LEFT), question) else {
        panic!("it is reachable");
    };
    assert_eq!(restore.target_timeline(), timeline);
    let question = Question { target: Target::Latest, backup: None, timeline };
    let RestorePlan::Reachable(restore) = RestorePlan::new(&assessed(LEFT), question) else {
        panic!("it is reachable");
    };
    assert_eq!(restore.window.last.segment.to_string(), "000000010000000000000058");
}

/// A copy went on from 42 to 46 on timeline 2, and timeline 1 lives and lost 45 to 47.
const OF_A_COPY: &str = "
    now       2026-01-10 12:00
    timeline  1  wal 30..44 48..60
    timeline  2  wal 42..46 uploaded 2026-01-10 10:30
    history   2  1@0/42000100 uploaded 2026-01-10 09:30
    backup    20260110T000000  wal 34..35
    probe     1 41 commit 2026-01-10 09:20
    probe     1 44 commit 2026-01-10 09:35
    probe     1 60 commit 2026-01-10 11:55
    probe     2 46 commit 2026-01-10 10:25
";

#[test]
fn a_moment_that_only_a_branch_that_was_left_has_is_told_to_be_one_of_it() {
    let restore = reachable(OF_A_COPY, Target::At(at("10T10:00:00")));
    let [one, two] = [1, 2].map(|it| TimelineId::new(it).unwrap());
    assert_eq!(restore.left, Some(Left { timeline: two, living: Some(one) }));
    // Where recovery would go by itself today.
    assert_eq!((restore.window.target_timeline, restore.target_timeline()), (None, Some(two)));
    let assessment = assessed(OF_A_COPY);
    let text = PlanDocument::new(&assessment, Target::At(at("10T10:00:00"))).text();
    assert!(
        text.contains("a state of timeline 2, which was left: the archive goes on with timeline 1")
    );
    assert!(text.contains("targetTLI: \"2\""), "{text}");
    // Before they parted it is one state.
    assert_eq!(reachable(OF_A_COPY, Target::At(at("10T09:00:00"))).left, None);
}

#[test]
fn a_named_backup_is_restored_by_itself_or_refused_with_its_reason() {
    let ask = |given: &str, name: &str| {
        let backup = Some(name.to_owned());
        let question = Question { target: Target::Backup, backup, timeline: None };
        RestorePlan::new(&assessed(given), question)
    };
    let RestorePlan::Reachable(restore) = ask(GAP, "20260109T000000") else { panic!() };
    assert_eq!(restore.stop, Stop::Consistent);
    let lost = GAP.replace("wal 0A..2F", "wal 0B..2F");
    for (given, name, why) in [
        (lost.as_str(), "20260109T000000", "is missing"),
        (GAP, "20260101T000000", "there is no backup 20260101T000000"),
    ] {
        let RestorePlan::NotReachable(refused) = ask(given, name) else { panic!("{name}") };
        assert!(refused.why.to_string().contains(why), "{}", refused.why);
    }
}

#[test]
fn a_position_in_the_log_is_reached_unless_it_lies_in_the_last_segment() {
    let ask = |lsn: &str| RestorePlan::new(&assessed(GAP), Target::Lsn(lsn.parse().unwrap()));
    let RestorePlan::Reachable(restore) = ask("0/45000000") else { panic!() };
    assert_eq!(restore.backup_id().as_str(), "20260110T000000");
    assert!(matches!(ask("0/51000100"), RestorePlan::Unknown(Doubt::EndOfLogNotRead)));
    assert!(matches!(ask("0/32000000"), RestorePlan::NotReachable(_)));
}

#[test]
fn without_a_transaction_since_the_backup_no_moment_is_promised() {
    let given = "
        now       2026-01-10 12:00
        timeline  1  wal 40..42
        backup    20260110T000000  wal 40..41
        probe     1 40 no commit
        probe     1 41 no commit
        probe     1 42 no commit
    ";
    let obstruction = obstruction(given, Target::At(at("10T06:00:00")));
    assert_eq!((obstruction.nearest_before, obstruction.nearest_after), (None, None));
    assert!(obstruction.why.to_string().contains("leave the target out"), "{}", obstruction.why);
    assert_eq!(reachable(given, Target::Latest).stop, Stop::Never);
}

#[test]
fn behind_the_target_an_object_of_the_wrong_size_forbids_to_read_ahead() {
    let given = "
        now       2026-01-10 12:00
        codec     .gz
        timeline  1  wal 40..45
        object    wals/0000000100000000/000000010000000000000046.gz 0
        timeline  1  wal 47..51
        backup    20260110T000000  wal 40..41
        probe     1 45 commit 2026-01-10 10:30
    ";
    let target = Target::At(at("10T06:00:00"));
    assert!(reachable(given, target.clone()).needs_prefetch_off);
    let assessment = assessed(given);
    let yaml = PlanDocument::new(&assessment, target).yaml().unwrap();
    let manifest: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    let parameters = &manifest["spec"]["postgresql"]["parameters"];
    assert_eq!(parameters["recovery_prefetch"], "off", "{yaml}");
    let missing = given.replace(".gz", ".bz2");
    assert!(!reachable(&missing, Target::At(at("10T06:00:00"))).needs_prefetch_off);
}
