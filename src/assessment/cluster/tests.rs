use chrono::TimeDelta;

use super::*;
use crate::assessment::BackupKind;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::assessment::verdict::Verdict;
use crate::domain::archive_id::StoreAddress;
use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::cluster::Archiver;
use crate::domain::cluster::BARMAN_PLUGIN;
use crate::domain::cluster::BackupMethod;
use crate::domain::cluster::BackupPhase;
use crate::domain::cluster::ClusterId;
use crate::domain::cluster::DrillKind;
use crate::domain::schedule::Schedule;
use crate::domain::segment::SegmentName;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::cluster::BackupResource;
use crate::observation::cluster::BadAnnotation;
use crate::observation::cluster::DeclaredStore;
use crate::observation::cluster::Elsewhere;
use crate::observation::cluster::ObservedSchedule;
use crate::observation::cluster::PluginDeployment;
use crate::observation::cluster::StoreFacts;
use crate::observation::cluster::WalArchiving;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn now() -> DateTime<Utc> {
    at("2026-01-10T12:00:00Z")
}

fn plugin() -> BackupMethod {
    BackupMethod::Plugin(Some(BARMAN_PLUGIN.to_owned()))
}

fn schedule(name: &str, text: &str) -> ObservedSchedule {
    ObservedSchedule {
        name: name.to_owned(),
        created_at: Some(at("2025-06-01T00:00:00Z")),
        text: text.to_owned(),
        schedule: Schedule::parse(text).map_err(|error| error.to_string()),
        is_suspended: false,
        method: plugin(),
        error: None,
    }
}

/// The `Backup` of a daily slot at midnight.
fn scheduled(day: u32) -> BackupResource {
    let slot = at(&format!("2026-01-{day:02}T00:00:00Z"));
    BackupResource {
        name: format!("daily-{}", slot.format("%Y%m%d%H%M%S")),
        created_at: Some(slot),
        method: plugin(),
        phase: BackupPhase::Completed,
        backup_id: Some(id(day)),
        started_at: Some(slot),
        stopped_at: Some(slot + TimeDelta::minutes(10)),
        error: None,
        schedule: Some("daily".to_owned()),
        is_immediate: false,
        cluster_uid: Some("uid".into()),
        server_name: None,
    }
}

fn id(day: u32) -> BackupId {
    BackupId::parse(&format!("202601{day:02}T000003")).unwrap()
}

/// The base backup in the catalogue.
fn stored(day: u32) -> AssessedBackup {
    AssessedBackup {
        id: id(day),
        name: None,
        status: Some(BackupStatus::Done),
        kind: BackupKind::Usable,
        unusable: None,
        began_at: Some(at(&format!("2026-01-{day:02}T00:00:03Z"))),
        ended_at: Some(at(&format!("2026-01-{day:02}T00:10:00Z"))),
        begin_wal: None,
        end_wal: None,
        size_bytes: 1,
    }
}

fn address(bucket: &str) -> ArchiveAddress {
    let store = StoreAddress::S3 {
        bucket: bucket.to_owned(),
        endpoint_url: None,
        region: "auto".to_owned(),
    };
    ArchiveAddress { store, prefix: String::new(), server_name: "postgres".to_owned() }
}

/// Backed up each midnight for ten days.
struct Example {
    cluster: ObservedCluster,
    backups: Option<Vec<AssessedBackup>>,
    newest: Option<StoredSegment>,
    address: Option<ArchiveAddress>,
}

impl Example {
    fn healthy() -> Self {
        let store = StoreFacts {
            name: "r2".to_owned(),
            destination_path: "s3://cnpg/".to_owned(),
            has_retention_policy: true,
            is_r2: true,
            has_checksum_env: true,
            credentials_problem: None,
        };
        let deployment =
            PluginDeployment::Found { name: "barman-cloud".to_owned(), desired: 1, available: 1 };
        let cluster = ObservedCluster {
            id: ClusterId { namespace: "databases".to_owned(), name: "postgres".to_owned() },
            uid: "uid".to_owned(),
            created_at: Some(at("2025-06-01T00:00:00Z")),
            system_identifier: None,
            timeline: None,
            archiver: Archiver::Plugin { is_wal_archiver: true },
            instance: Default::default(),
            store: Ok(DeclaredStore::Found(store)),
            activity: Default::default(),
            schedules: Ok(vec![schedule("daily", "0 0 0 * * *")]),
            backups: Ok((1..=10).map(scheduled).collect()),
            elsewhere: Ok(Default::default()),
            plugin: Some(Ok(deployment)),
            sharers: Vec::new(),
            wal_archiving: None,
            drills: Vec::new(),
            bad_annotations: Vec::new(),
        };
        let name = SegmentName::parse("0000000100000001000000A0").unwrap();
        let newest = StoredSegment { name, stored_at: Some(now() - TimeDelta::minutes(2)) };
        let backups = Some((1..=10).map(stored).collect());
        let address = address("cnpg");
        Self { cluster, backups, newest: Some(newest), address: Some(address) }
    }

    fn judge(&self) -> (ClusterState, Vec<Finding>) {
        let expected = Expectations {
            wal_age_max: Some(TimeDelta::minutes(15)),
            uploading_grace: TimeDelta::minutes(10),
            retention: Some(TimeDelta::days(9)),
            ..Expectations::default()
        };
        let case = ClusterCase {
            cluster: &self.cluster,
            address: self.address.as_ref(),
            backups: self.backups.as_deref(),
            newest: self.newest,
            segment_size: SegmentSize::DEFAULT,
            expected: &expected,
            now: now(),
        };
        case.judge()
    }

    fn codes(&self) -> Vec<FindingCode> {
        self.judge().1.iter().map(Finding::code).collect()
    }

    fn sentence(&self) -> String {
        let (_, findings) = self.judge();
        let sentences: Vec<String> = findings.iter().map(ToString::to_string).collect();
        sentences.join("\n")
    }

    fn runs(&self) -> ScheduledBackups {
        self.judge().0.scheduled.unwrap()
    }

    fn store(&mut self) -> &mut StoreFacts {
        match &mut self.cluster.store {
            Ok(DeclaredStore::Found(store)) => store,
            other => panic!("{other:?}"),
        }
    }

    fn schedules(&mut self) -> &mut Vec<ObservedSchedule> {
        self.cluster.schedules.as_mut().unwrap()
    }

    fn resources(&mut self) -> &mut Vec<BackupResource> {
        self.cluster.backups.as_mut().unwrap()
    }

    fn stored(&mut self) -> &mut Vec<AssessedBackup> {
        self.backups.as_mut().unwrap()
    }
}

fn archiving(ready: u64, last_archived: u64, minutes_ago: i64) -> WalArchiving {
    WalArchiving {
        pod: "postgres-1".to_owned(),
        ready_segments: Some(ready),
        last_archived: Some(last_archived),
        last_archived_at: Some(now() - TimeDelta::minutes(minutes_ago)),
        last_failed_at: None,
    }
}

#[test]
fn an_object_store_is_named_for_its_own_archive_only() {
    let mut example = Example::healthy();
    let named = |example: &Example| example.judge().0.object_store;
    assert_eq!(named(&example).as_deref(), Some("r2"));
    example.address = Some(address("copy"));
    assert_eq!(named(&example), None);
    example.address = Some(address("cnpg"));
    // As in-tree.
    example.store().name.clear();
    assert_eq!(named(&example), None);
}

#[test]
fn a_healthy_cluster_has_no_findings_and_all_its_backups() {
    let healthy = Example::healthy();
    assert_eq!(healthy.codes(), []);
    // Midnight of the first lies outside of the window of nine days.
    let all = ScheduledBackups { expected: 9, completed: 9, failed: 0, missed: 0 };
    assert_eq!(healthy.runs(), all);
}

#[test]
fn each_mistake_in_the_set_up_is_told() {
    type Mistake = fn(&mut Example);
    let cases: [(Mistake, FindingCode); 15] = [
        (
            |it| it.cluster.archiver = Archiver::Plugin { is_wal_archiver: false },
            FindingCode::WalArchiverNotEnabled,
        ),
        (|it| it.cluster.activity.skips_wal_archiving = true, FindingCode::WalArchivingSkipped),
        (
            |it| it.cluster.activity.skips_empty_archive_check = true,
            FindingCode::EmptyArchiveCheckSkipped,
        ),
        (|it| it.store().has_retention_policy = false, FindingCode::NoRetentionPolicy),
        (|it| it.store().has_checksum_env = false, FindingCode::R2ChecksumEnvMissing),
        (
            |it| it.store().credentials_problem = Some("no Secret r2".to_owned()),
            FindingCode::CredentialsIncomplete,
        ),
        (|it| it.schedules().clear(), FindingCode::NoSchedule),
        (|it| it.schedules()[0].is_suspended = true, FindingCode::ScheduleSuspended),
        (|it| it.schedules()[0] = schedule("daily", "nonsense"), FindingCode::ScheduleInvalid),
        (
            |it| it.schedules()[0].method = BackupMethod::BarmanObjectStore,
            FindingCode::ScheduleWrongMethod,
        ),
        (
            |it| it.schedules()[0].method = BackupMethod::Plugin(None),
            FindingCode::ScheduleWrongMethod,
        ),
        (
            |it| {
                let namespace = "cnpg-system".to_owned();
                it.cluster.plugin = Some(Ok(PluginDeployment::Missing { namespace }));
            },
            FindingCode::PluginUnavailable,
        ),
        (|it| it.cluster.plugin = Some(Err(forbidden())), FindingCode::KubernetesUnreadable),
        (|it| it.cluster.sharers.push(it.cluster.id.clone()), FindingCode::SharedServerName),
        (
            |it| {
                it.cluster.bad_annotations.push(BadAnnotation {
                    key: "backup-verifier.monosense.dev/wal-max-age".to_owned(),
                    value: "soon".to_owned(),
                    expected: "a duration".to_owned(),
                });
            },
            FindingCode::AnnotationInvalid,
        ),
    ];
    for (make, code) in cases {
        let mut example = Example::healthy();
        make(&mut example);
        assert_eq!(example.codes(), [code]);
        assert!(!example.sentence().is_empty());
    }
}

#[test]
fn five_fields_run_hourly() {
    let mut example = Example::healthy();
    example.schedules()[0] = schedule("daily", "0 0 * * *");
    assert_eq!(
        example.sentence(),
        "ScheduledBackup daily has five fields, \"0 0 * * *\": the first is the second, not the \
         minute, so it runs hourly"
    );
}

#[test]
fn a_second_schedule_that_is_suspended_is_no_finding() {
    let mut example = Example::healthy();
    let mut other = schedule("weekly", "0 0 0 * * 0");
    other.is_suspended = true;
    example.schedules().push(other);
    assert_eq!(example.codes(), []);
}

#[test]
fn an_in_tree_cluster_is_judged_by_its_own_method() {
    let mut example = Example::healthy();
    example.cluster.archiver = Archiver::InTree;
    example.cluster.plugin = None;
    example.schedules()[0].method = BackupMethod::BarmanObjectStore;
    for resource in example.resources() {
        resource.method = BackupMethod::BarmanObjectStore;
    }
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
    last.error = Some("exit status 1".to_owned());
    example.stored().pop();
    let (state, findings) = example.judge();
    assert_eq!(state.scheduled.unwrap().failed, 1);
    assert_eq!(findings[0].severity(), Severity::Warning);
    assert_eq!(findings[0].to_string(), "Backup daily-20260110000000 failed: exit status 1");

    let mut on_demand = scheduled(10);
    on_demand.name = "postgres-20260110100000".to_owned();
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
        "Backup daily-20260110000000 is started since 2026-01-10T00:00:00Z and blocks \
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
    running.name = "daily-20260110110000".to_owned();
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
fn silence_is_explained() {
    type Change = fn(&mut Example);
    let cases: [(Change, Option<Silence>); 6] = [
        (|_| {}, None),
        (|it| it.cluster.activity.is_hibernated = true, Some(Silence::Hibernated)),
        (|it| it.cluster.activity.is_fenced = true, Some(Silence::Fenced)),
        (|it| it.cluster.activity.is_replica = true, Some(Silence::Replica)),
        (
            |it| it.cluster.activity.phase = Some("Switchover in progress".to_owned()),
            Some(Silence::Busy("Switchover in progress".to_owned())),
        ),
        (
            |it| it.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A0, 60))),
            Some(Silence::Idle),
        ),
    ];
    for (change, expected) in cases {
        let mut example = Example::healthy();
        change(&mut example);
        assert_eq!(example.judge().0.silence, expected);
    }
    // A switchover that lasts for hours explains nothing.
    let mut example = Example::healthy();
    example.cluster.activity.phase = Some("Switchover in progress".to_owned());
    example.newest.as_mut().unwrap().stored_at = Some(now() - TimeDelta::hours(2));
    assert_eq!(example.judge().0.silence, None);
}

#[test]
fn a_backlog_that_does_not_move_is_urgent() {
    let mut example = Example::healthy();
    example.newest.as_mut().unwrap().stored_at = Some(now() - TimeDelta::minutes(40));
    example.cluster.wal_archiving = Some(Ok(archiving(7, 0x1_0000_00A0, 40)));
    let (_, findings) = example.judge();
    assert_eq!(findings[0].code(), FindingCode::ArchiverStuck);
    assert_eq!(findings[0].severity(), Severity::Critical);
    // That the archive cannot tell when its newest segment came excuses nothing.
    example.newest.as_mut().unwrap().stored_at = None;
    assert_eq!(example.codes(), [FindingCode::ArchiverStuck]);
    example.cluster.wal_archiving = Some(Ok(archiving(7, 0x1_0000_00A0, 1)));
    assert_eq!(example.codes(), []);
}

#[test]
fn failing_archiving_is_told_by_the_condition_alone() {
    let mut example = Example::healthy();
    let since = now() - TimeDelta::hours(1);
    example.cluster.activity.archiving_fails = Some((since, "exit status 1".to_owned()));
    // A segment came since.
    assert_eq!(example.codes(), []);
    example.newest.as_mut().unwrap().stored_at = Some(since - TimeDelta::minutes(1));
    assert_eq!(example.codes(), [FindingCode::ArchiverStuck]);
}

#[test]
fn archived_but_not_stored_is_urgent() {
    let mut example = Example::healthy();
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 60)));
    assert_eq!(example.codes(), [FindingCode::WalNotStored]);
    assert_eq!(
        example.sentence(),
        "postgres-1 archived WAL up to 00000001000000A3 at 2026-01-10T11:00:00Z, but the newest \
         stored segment is 0000000100000001000000A0"
    );
    // It may be on its way.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 5)));
    assert_eq!(example.codes(), []);
    // A history file was archived last: its name ends up in the upper half.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x7_0000_0000, 60)));
    assert_eq!(example.codes(), []);
    // An archive that could not be listed proves nothing.
    example.cluster.wal_archiving = Some(Ok(archiving(0, 0x1_0000_00A3, 60)));
    example.backups = None;
    assert_eq!(example.codes(), []);
}

#[test]
fn the_last_drill_of_each_kind_counts() {
    let drill = |kind, days, is_success| RestoreDrill {
        kind,
        at: now() - TimeDelta::days(days),
        is_success,
        duration: None,
    };
    let mut example = Example::healthy();
    example.cluster.drills =
        vec![drill(DrillKind::Pitr, 60, false), drill(DrillKind::Pitr, 30, true)];
    assert_eq!(example.codes(), []);
    example.cluster.drills =
        vec![drill(DrillKind::Pitr, 46, true), drill(DrillKind::Full, 2, false)];
    let expected = [FindingCode::RestoreDrillOverdue, FindingCode::RestoreDrillFailed];
    assert_eq!(example.codes(), expected);
}

#[test]
fn a_cluster_without_a_store_is_told_apart_from_one_with_backups_elsewhere() {
    let mut example = Example::healthy();
    example.cluster.store = Ok(DeclaredStore::Undeclared);
    let found = |example: &Example| {
        let found = no_store(&example.cluster).unwrap();
        (found.code(), found.severity(), found.verdict())
    };
    let elsewhere = (FindingCode::BackupsElsewhere, Severity::Info, Verdict::Unknown);
    let bare = (FindingCode::NoObjectStore, Severity::Warning, Verdict::Unrecoverable);
    assert_eq!(found(&example), bare);
    let snapshots = Elsewhere { schedules_snapshots: true, ..Elsewhere::default() };
    example.cluster.elsewhere = Ok(snapshots);
    assert_eq!(found(&example), elsewhere);
    let asked = Elsewhere { plugin: Some("pgbackrest".to_owned()), ..Elsewhere::default() };
    example.cluster.elsewhere = Ok(asked);
    assert_eq!(found(&example), elsewhere);
    example.cluster.elsewhere = Ok(Elsewhere::default());
    example.cluster.archiver = Archiver::OtherPlugin("pgbackrest".to_owned());
    assert_eq!(found(&example), elsewhere);
    example.cluster.store =
        Ok(DeclaredStore::Elsewhere { name: "azure".to_owned(), why: "Azure".to_owned() });
    assert_eq!(found(&example), elsewhere);
    // What never could be read is no proof that there is none.
    example.cluster.archiver = Archiver::Nobody;
    example.cluster.store = Ok(DeclaredStore::Undeclared);
    example.cluster.elsewhere = Err(forbidden());
    assert_eq!(found(&example).2, Verdict::Unknown);
}

#[test]
fn volume_snapshots_beside_the_plugins_wal_are_no_wrong_method() {
    let mut example = Example::healthy();
    example.schedules()[0].method = BackupMethod::VolumeSnapshot;
    assert_eq!(example.codes(), []);
    example.schedules()[0].is_suspended = true;
    assert_eq!(example.codes(), [FindingCode::ScheduleSuspended]);
    example.cluster.archiver = Archiver::OtherPlugin("pgbackrest".to_owned());
    assert_eq!(example.codes(), []);
}

fn forbidden() -> Unreadable {
    Unreadable {
        what: "list backups".to_owned(),
        why: "forbidden".to_owned(),
        reason: UnreadableReason::Auth,
    }
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
    let mut example = Example::healthy();
    example.cluster.archiver = Archiver::InTree;
    example.cluster.plugin = None;
    example.schedules()[0].method = BackupMethod::BarmanObjectStore;
    for resource in example.resources() {
        resource.method = BackupMethod::BarmanObjectStore;
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
    resource.error = Some("cannot backup a hibernated cluster".to_owned());
    example.stored().remove(4);
    assert_eq!(example.codes(), []);
    assert_eq!((example.runs().failed, example.runs().missed), (0, 0));
}
