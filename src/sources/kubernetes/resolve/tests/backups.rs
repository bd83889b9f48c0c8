//! `Backup`s and `ScheduledBackup`s join their cluster.

use super::*;

#[test]
fn the_most_frequent_active_schedule_of_the_method_counts() {
    let s3 = store("destinationPath: 's3://bucket'");
    let found = only(&format!("{}{s3}{SCHEDULES}", cluster_with("barmanObjectName: store")));
    assert_eq!(found.schedule, Schedule::parse("0 0 0 * * *").ok());
    let schedules = found.cluster.schedules.unwrap();
    let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, ["daily", "hourly", "in-tree", "wrong"]);
    assert_eq!(schedules[3].method, BackupMethod::Plugin(None));
    assert!(schedules[3].schedule.is_err());
    assert_eq!(schedules[3].error.as_deref(), Some("parse"));

    let in_tree = cluster("{backup: {barmanObjectStore: {destinationPath: 's3://bucket'}}}");
    assert_eq!(
        only(&format!("{in_tree}{SCHEDULES}")).schedule,
        Schedule::parse("0 0 * * * *").ok()
    );
}

#[test]
fn backups_join_their_cluster() {
    let backups = "---
kind: Backup
metadata: {name: b1, labels: {cnpg.io/scheduled-backup: daily, cnpg.io/immediateBackup: 'true'}}
spec: {cluster: {name: postgres}, method: plugin, pluginConfiguration: {name: barman-cloud.cloudnative-pg.io}}
status: {phase: completed, backupId: 20260110T000000, pluginMetadata: {clusterUID: u1, timeline: '1'}, startedAt: '2026-01-10T00:00:00Z', stoppedAt: '2026-01-10T00:10:00Z'}
---
kind: Backup
metadata: {name: b2}
spec: {cluster: {name: postgres}}
status: {phase: failed, error: no space, serverName: postgres-v1}
---
kind: Backup
metadata: {name: b3}
spec: {cluster: {name: other}}
---
kind: Backup
metadata: {name: b4, namespace: elsewhere}
spec: {cluster: {name: postgres}}
";
    let found = only(&format!("{}{backups}", cluster("{}"))).cluster.backups.unwrap();
    let [first, second] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(first.backup_id.as_ref().map(|id| id.as_str()), Some("20260110T000000"));
    assert_eq!((first.schedule.as_deref(), first.is_immediate), (Some("daily"), true));
    assert_eq!((first.cluster_uid.as_deref(), first.server_name.as_deref()), (Some("u1"), None));
    assert_eq!(second.server_name.as_deref(), Some("postgres-v1"));
    assert_eq!((&second.phase, second.error.as_deref()), (&BackupPhase::Failed, Some("no space")));
}

#[test]
fn base_backups_that_are_not_looked_at_are_known_by_method_and_age() {
    let snapshots = "---
kind: Backup
metadata: {name: old, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {cluster: {name: postgres}, method: volumeSnapshot}
status: {phase: completed, stoppedAt: '2026-01-01T00:00:10Z', beginWal: '000000010000000000000004'}
---
kind: Backup
metadata: {name: new, creationTimestamp: '2026-01-02T00:00:00Z'}
spec: {cluster: {name: postgres}, method: volumeSnapshot}
status: {phase: completed, stoppedAt: '2026-01-02T00:00:10Z', beginWal: '000000010000000000000009'}
---
kind: Backup
metadata: {name: failed, creationTimestamp: '2026-01-03T00:00:00Z'}
spec: {cluster: {name: postgres}, method: volumeSnapshot}
status: {phase: failed}
---
kind: ScheduledBackup
metadata: {name: daily}
spec: {schedule: '0 0 0 * * *', cluster: {name: postgres}, method: volumeSnapshot}
";
    let cluster = |created: &str| {
        format!(
            "kind: Cluster\nmetadata: {{name: postgres, creationTimestamp: '{created}'}}\nspec: {{}}\n"
        )
    };
    let seen = |created: &str| {
        let found = only(&format!("{}{snapshots}", cluster(created)));
        found.cluster.elsewhere.unwrap()
    };
    let found = seen("2025-12-01T00:00:00Z");
    assert!(found.schedules_snapshots);
    let newest = found.snapshot.unwrap();
    assert_eq!(newest.name, "new");
    assert_eq!(newest.begin_wal, SegmentName::parse("000000010000000000000009").ok());
    // Those of a predecessor hold its data.
    assert_eq!(seen("2026-01-02T12:00:00Z").snapshot, None);

    let yaml = format!("{}{snapshots}", cluster("2025-12-01T00:00:00Z"));
    let mut unseen = content(&yaml);
    unseen.backups[0].unread = Some(unread::<Backup>(UnreadableReason::Timeout).unread.unwrap());
    let [found] = <[Discovered; 1]>::try_from(clusters(&unseen)).unwrap();
    assert!(found.cluster.backups.is_err() && found.cluster.elsewhere.unwrap().snapshot.is_some());
    unseen.backups[0].last = None;
    let [found] = <[Discovered; 1]>::try_from(clusters(&unseen)).unwrap();
    assert!(found.cluster.elsewhere.is_err());
}

#[test]
fn another_plugin_that_archives_is_not_nobody() {
    let other = "name: pgbackrest.dalibo.com";
    let archiver =
        |plugin: &str| only(&cluster(&format!("{{plugins: [{{{plugin}}}]}}"))).cluster.archiver;
    let found = archiver(&format!("{other}, isWALArchiver: true"));
    assert_eq!(found, Archiver::OtherPlugin("pgbackrest.dalibo.com".to_owned()));
    assert_eq!(
        archiver(&format!("{other}, isWALArchiver: true, enabled: false")),
        Archiver::Nobody
    );
    assert_eq!(archiver(other), Archiver::Nobody);
    // One that is asked for backups makes them, whoever archives.
    let schedule = "---
kind: ScheduledBackup
metadata: {name: daily}
spec: {schedule: '0 0 0 * * *', cluster: {name: postgres}, method: plugin, pluginConfiguration: {name: pgbackrest.dalibo.com}}
";
    let asked = |plugin: &str| {
        let cluster = cluster(&format!("{{plugins: [{{{plugin}}}]}}"));
        only(&format!("{cluster}{schedule}")).cluster.elsewhere.unwrap().plugin
    };
    assert_eq!(asked(other).as_deref(), Some("pgbackrest.dalibo.com"));
    assert_eq!(asked(&format!("{other}, enabled: false")), None);
}
