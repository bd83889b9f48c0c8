//! What became of the backups that were due.

use super::*;

fn in_tree() -> Example {
    let mut example = Example::healthy();
    example.cluster.archiver = Archiver::InTree;
    example.cluster.plugin = None;
    example.schedules()[0].method = BackupMethod::BarmanObjectStore;
    for resource in example.resources() {
        resource.method = BackupMethod::BarmanObjectStore;
    }
    example
}

#[test]
fn an_in_tree_cluster_is_judged_by_its_own_method() {
    let example = in_tree();
    assert_eq!(example.codes(), [FindingCode::LegacyInTreeBackup]);
    assert_eq!(example.runs().completed, 9);
}

#[test]
fn a_missed_slot_and_two_in_a_row_are_counted() {
    let mut example = Example::healthy();
    for missed in 1..=2 {
        example.resources().pop();
        example.stored().pop();
        let runs = example.runs();
        assert_eq!((runs.expected, runs.completed, runs.missed), (9, 9 - missed, missed));
    }
}

#[test]
fn a_slot_is_awaited_before_it_counts() {
    let mut example = Example::healthy();
    example.schedules()[0] = schedule("daily", "0 0 11 * * *");
    example.resources().clear();
    example.stored().clear();
    let late = example.runs();
    example.schedules()[0] = schedule("daily", "0 0 8 * * *");
    let missed = example.runs();
    assert_eq!((late.expected, missed.expected), (8, 9));
}

#[test]
fn a_backup_without_its_resource_fills_its_slot() {
    let mut example = Example::healthy();
    example.resources().clear();
    assert_eq!(example.runs().completed, 9);
    assert_eq!(example.codes(), []);
}

#[test]
fn completed_without_objects_is_a_failure() {
    let mut example = Example::healthy();
    example.stored().remove(4);
    assert_eq!(example.runs().failed, 1);
    assert_eq!(
        example.sentence(),
        "Backup daily-20260105000000 is completed, but the archive has no base backup \
         20260105T000003"
    );
    assert_eq!(example.codes(), [FindingCode::BackupIncomplete]);
}

#[test]
fn completed_a_moment_ago_may_not_be_listed_yet() {
    let mut example = Example::healthy();
    let last = example.resources().last_mut().unwrap();
    last.stopped_at = Some(now() - TimeDelta::minutes(5));
    example.stored().pop();
    assert_eq!(example.codes(), []);
}

#[test]
fn a_failed_backup_is_a_risk_until_the_next_one_succeeds() {
    let mut example = Example::healthy();
    let last = example.resources().last_mut().unwrap();
    last.phase = BackupPhase::Failed;
    last.backup_id = None;
    last.error = Some("exit status 1".into());
    example.stored().pop();
    let (state, findings) = example.judge();
    assert_eq!(state.scheduled.unwrap().failed, 1);
    assert_eq!(findings[0].severity(), Severity::Warning);
    assert_eq!(findings[0].to_string(), "Backup daily-20260110000000 failed: exit status 1");

    let mut on_demand = scheduled(10);
    on_demand.name = "postgres-20260110100000".into();
    on_demand.schedule = None;
    on_demand.started_at = Some(at("2026-01-10T10:00:00Z"));
    let mut in_catalogue = stored(10);
    in_catalogue.began_at = Some(at("2026-01-10T10:00:03Z"));
    example.resources().push(on_demand);
    example.stored().push(in_catalogue);
    let (_, findings) = example.judge();
    assert_eq!(findings.iter().map(|it| it.severity()).collect::<Vec<_>>(), [Severity::Info]);
}

#[test]
fn a_stuck_backup_blocks_its_schedule() {
    let mut example = Example::healthy();
    let last = example.resources().last_mut().unwrap();
    (last.phase, last.stopped_at, last.backup_id) = (BackupPhase::Started, None, None);
    example.stored().pop();
    assert_eq!(example.codes(), [FindingCode::BackupStuck]);
    assert_eq!(
        example.sentence(),
        "Backup daily-20260110000000 has been started since 2026-01-10T00:00:00Z and blocks \
         ScheduledBackup daily"
    );
    assert_eq!(example.runs().failed, 1);
}

#[test]
fn a_running_backup_is_neither_failed_nor_missed() {
    let mut example = Example::healthy();
    example.schedules()[0] = schedule("daily", "0 0 11 * * *");
    example.resources().clear();
    example.stored().clear();
    let mut running = scheduled(10);
    let slot = at("2026-01-10T11:00:00Z");
    running.name = "daily-20260110110000".into();
    running.phase = BackupPhase::Started;
    (running.started_at, running.stopped_at, running.backup_id) = (Some(slot), None, None);
    example.resources().push(running);
    assert_eq!(example.codes(), []);
    assert_eq!(example.runs().failed, 0);
}

#[test]
fn nothing_is_counted_of_what_could_not_be_read() {
    let mut example = Example::healthy();
    example.cluster.backups = Err(forbidden());
    assert_eq!(example.judge().0.scheduled, None);
    assert_eq!(example.codes(), [FindingCode::KubernetesUnreadable]);
    let mut example = Example::healthy();
    example.backups = None;
    assert_eq!(example.judge().0.scheduled, None);
    assert_eq!(example.codes(), []);
}

#[test]
fn a_finished_backup_that_cannot_be_restored_is_no_success() {
    let mut example = Example::healthy();
    example.stored()[4].kind = BackupKind::Unusable;
    assert_eq!((example.runs().completed, example.runs().failed), (8, 1));
    // Nobody knows what it is.
    example.stored()[4].status = None;
    assert_eq!((example.runs().expected, example.runs().completed), (8, 8));
}

#[test]
fn a_backup_may_take_as_long_as_others_did() {
    let mut example = Example::healthy();
    for resource in example.resources() {
        resource.stopped_at = resource.started_at.map(|at| at + TimeDelta::hours(8));
    }
    let last = example.resources().last_mut().unwrap();
    (last.phase, last.stopped_at, last.backup_id) = (BackupPhase::Started, None, None);
    example.stored().pop();
    assert_eq!(example.codes(), []);
}

#[test]
fn backups_of_a_predecessor_of_the_same_name_are_not_looked_for_in_this_archive() {
    // Recovered at noon of the fifth into a folder of its own.
    let mut example = Example::healthy();
    example.cluster.created_at = Some(at("2026-01-05T12:00:00Z"));
    for resource in &mut example.resources()[..5] {
        resource.cluster_uid = Some("predecessor".into());
    }
    // What failed or was killed before it could say whose it is.
    for (day, phase) in [(2, BackupPhase::Failed), (3, BackupPhase::Started)] {
        let resource = &mut example.resources()[day];
        (resource.phase, resource.cluster_uid, resource.stopped_at) = (phase, None, None);
        resource.backup_id = None;
    }
    example.stored().drain(..5);
    assert_eq!(example.codes(), []);
    let own = ScheduledBackups { expected: 5, completed: 5, failed: 0, missed: 0 };
    assert_eq!(example.runs(), own);

    // Its own ones are judged as ever.
    example.stored().pop();
    assert_eq!(example.codes(), [FindingCode::BackupIncomplete]);
    let last = example.resources().last_mut().unwrap();
    (last.phase, last.cluster_uid, last.backup_id) = (BackupPhase::Failed, None, None);
    assert_eq!(example.codes(), [FindingCode::BackupFailed]);
}

#[test]
fn an_in_tree_backup_lies_in_the_folder_that_it_names() {
    let mut example = in_tree();
    for resource in example.resources() {
        resource.cluster_uid = None;
        resource.server_name = Some("postgres".into());
    }
    example.resources()[4].server_name = Some("postgres-v1".into());
    example.stored().remove(4);
    assert_eq!(example.codes(), [FindingCode::LegacyInTreeBackup]);
    example.resources()[4].server_name = Some("postgres".into());
    assert!(example.codes().contains(&FindingCode::BackupIncomplete));
}

/// CloudNativePG answers a schedule that goes on while the cluster sleeps with such a `Backup`.
#[test]
fn what_failed_because_the_cluster_slept_is_no_alarm() {
    let mut example = Example::healthy();
    let resource = &mut example.resources()[4];
    resource.phase = BackupPhase::Failed;
    resource.backup_id = None;
    resource.error = Some("cannot backup a hibernated cluster".into());
    example.stored().remove(4);
    assert_eq!(example.codes(), []);
    assert_eq!((example.runs().failed, example.runs().missed), (0, 0));
}
