//! What a cluster shows of itself.

use super::*;
use crate::domain::format::LossAccepted;

#[test]
fn what_a_cluster_does_explains_its_silence() {
    let activity = |annotations: &str, spec: &str, status: &str| {
        only(&format!("kind: Cluster\nmetadata: {{name: postgres, annotations: {{{annotations}}}}}\nspec: {spec}\nstatus: {status}\n")).cluster.activity
    };
    let quiet = activity("", "{}", "{currentPrimary: postgres-1}");
    assert_eq!(quiet, Default::default());
    assert!(activity("cnpg.io/hibernation: 'on'", "{}", "{}").is_hibernated);
    assert!(!activity("cnpg.io/hibernation: 'off'", "{}", "{}").is_hibernated);
    for (instances, is_fenced) in [
        ("[\"*\"]", true),
        ("[\"postgres-1\"]", true),
        ("[\"postgres-2\"]", false),
        ("postgres-1", false),
    ] {
        let annotation = format!("cnpg.io/fencedInstances: '{instances}'");
        let activity = activity(&annotation, "{}", "{currentPrimary: postgres-1}");
        assert_eq!(activity.is_fenced, is_fenced, "{instances}");
    }
    for (replica, is_replica) in [
        ("{enabled: true, source: a}", true),
        ("{enabled: false, primary: b}", false),
        ("{primary: b}", true),
        ("{primary: postgres}", false),
        ("{self: a, primary: a}", false),
        ("{self: a, primary: postgres}", true),
    ] {
        let activity = activity("", &format!("{{replica: {replica}}}"), "{}");
        assert_eq!(activity.is_replica, is_replica, "{replica}");
    }
    let failing = activity(
        "cnpg.io/skipWalArchiving: enabled, cnpg.io/skipEmptyWalArchiveCheck: enabled",
        "{}",
        "{phase: Cluster in healthy state, conditions: [{type: ContinuousArchiving, status: 'False', message: no bucket, lastTransitionTime: '2026-01-10T11:00:00Z'}]}",
    );
    assert_eq!(
        failing.archiving_fails,
        Some(("2026-01-10T11:00:00Z".parse().unwrap(), "no bucket".to_owned()))
    );
    assert!(failing.skips_wal_archiving && failing.skips_empty_archive_check);
}

#[test]
fn a_cluster_shows_its_system_and_its_timeline_once_it_has_them() {
    let of = |status: &str| {
        let yaml =
            format!("kind: Cluster\nmetadata: {{name: postgres}}\nspec: {{}}\nstatus: {status}\n");
        let cluster = only(&yaml).cluster;
        (cluster.system_identifier, cluster.timeline)
    };
    assert_eq!(of("{systemID: '18446744073709551615', timelineID: 3}"), (Some(u64::MAX), Some(3)));
    for unknown in [
        "{}",
        "{systemID: '', timelineID: 0}",
        "{timelineID: -1}",
        "{systemID: null, timelineID: null}",
    ] {
        assert_eq!(of(unknown), (None, None), "{unknown}");
    }
}

#[test]
fn a_cluster_shows_what_its_instances_are_made_of() {
    let instance = |spec: &str, status: &str| {
        only(&format!(
            "kind: Cluster\nmetadata: {{name: postgres}}\nspec: {spec}\nstatus: {status}\n"
        ))
        .cluster
        .instance
    };
    let image = |instance: &Instance| {
        let image = instance.image.as_ref()?;
        Some((image.name.clone(), image.postgres_major))
    };
    let storage = |size: &str, class: Option<&str>| {
        Some(Storage { size: size.to_owned(), storage_class: class.map(str::to_owned) })
    };
    assert_eq!(instance("{}", "{}"), Instance::default());
    let own =
        "imageName: 'own:17', storage: {size: 20Gi}, walStorage: {size: 4Gi, storageClass: fast}";
    let found = instance(&format!("{{{own}}}"), "{}");
    assert_eq!(image(&found), Some(("own:17".to_owned(), None)));
    assert_eq!(found.storage, storage("20Gi", None));
    assert_eq!(found.wal_storage, storage("4Gi", Some("fast")));
    let running = "{image: 'new:18', pgDataImageInfo: {image: 'old:17', majorVersion: 17}}";
    let found = instance("{imageCatalogRef: {name: all}, walStorage: null}", running);
    assert_eq!(image(&found), Some(("old:17".to_owned(), Some(17))));
    let template = "pvcTemplate: {resources: {requests: {storage: 8Gi}}}";
    let found = instance(&format!("{{storage: {{{template}}}, walStorage: {{size: ''}}}}"), "{}");
    assert_eq!(found, Instance::default());
}

#[test]
fn annotations_are_taken_or_told_to_be_wrong() {
    let annotated = |annotations: &str| {
        format!(
            "kind: Cluster\nmetadata: {{name: postgres, annotations: {{{annotations}}}}}\nspec: {{}}\n"
        )
    };
    let prefix = "backup-verifier.monosense.dev";
    let found = only(&annotated(&format!(
        "{prefix}/wal-max-age: 1h, {prefix}/base-backup-max-age: 26h, {prefix}/acknowledge-gap-before: '2026-01-01T00:00:00Z', \
         {prefix}/restore-drill-pitr: '2026-01-02T00:00:00Z success 242s', {prefix}/restore-drill-full: '2026-01-03T00:00:00Z failure'"
    )));
    assert_eq!(found.cluster.bad_annotations, []);
    assert_eq!(found.expectations.wal_age_max, Some(TimeDelta::hours(1)));
    assert_eq!(found.expectations.uploading_grace, ExpectationConfig::DEFAULT.uploading_grace);
    let age_max = BaseBackupAgeMax::Exactly(TimeDelta::hours(26));
    assert_eq!(found.expectations.base_backup_age_max, Some(age_max));
    let known = "2026-01-01T00:00:00Z".parse().ok().map(LossAccepted::Before);
    assert_eq!(found.expectations.acknowledge_gap_before, known);
    let mut drills = found.cluster.drills;
    drills.sort_by_key(|drill| drill.kind);
    let [pitr, full] = drills.as_slice() else { panic!("{drills:?}") };
    assert_eq!((pitr.kind, pitr.is_success), (DrillKind::Pitr, true));
    assert_eq!(pitr.duration, Some(TimeDelta::seconds(242)));
    assert_eq!((full.is_success, full.duration), (false, None));

    let found = only(&annotated(&format!(
        "{prefix}/wal-max-age: soon, {prefix}/ignore: 'yes', {prefix}/wal-age: 5m, \
         {prefix}/restore-drill-pitr: yesterday, {prefix}/restore-drill-full: '2026-01-03T00:00:00Z success 1s more'"
    )));
    let bad: Vec<&str> =
        found.cluster.bad_annotations.iter().map(|bad| bad.value.as_str()).collect();
    assert_eq!(bad.len(), 5, "{bad:?}");
    assert_eq!(found.expectations, ExpectationConfig::DEFAULT);
    assert!(clusters(&content(&annotated(&format!("{prefix}/ignore: 'true'")))).is_empty());
}
