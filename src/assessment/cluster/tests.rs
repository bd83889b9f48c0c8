mod archiving;
mod drills;
mod runs;

use std::sync::Arc;

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
    BackupMethod::Plugin(Some(BARMAN_PLUGIN.into()))
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
        name: format!("daily-{}", slot.format("%Y%m%d%H%M%S")).into(),
        cluster: "postgres".into(),
        created_at: Some(slot),
        method: plugin(),
        phase: BackupPhase::Completed,
        backup_id: Some(id(day)),
        started_at: Some(slot),
        stopped_at: Some(slot + TimeDelta::minutes(10)),
        begin_wal: None,
        error: None,
        schedule: Some("daily".into()),
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
        tablespaces: Default::default(),
        size_bytes: 1,
        read_at: None,
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
    /// Its `Backup`s are those below, unless they could not be read.
    cluster: ObservedCluster,
    resources: Vec<BackupResource>,
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
            operator: None,
            archiver: Archiver::Plugin { is_wal_archiver: true },
            instance: Default::default(),
            store: Ok(DeclaredStore::Found(store)),
            activity: Default::default(),
            schedules: Ok(vec![schedule("daily", "0 0 0 * * *")]),
            backups: Ok(Vec::new()),
            elsewhere: Ok(Default::default()),
            plugin: Some(Ok(deployment)),
            sharers: Vec::new(),
            wal_archiving: None,
            drills: Vec::new(),
            drill_reports: Ok(Vec::new()),
            known_drill_reports: Vec::new(),
            bad_annotations: Vec::new(),
        };
        let name = SegmentName::parse("0000000100000001000000A0").unwrap();
        let newest = StoredSegment { name, stored_at: Some(now() - TimeDelta::minutes(2)) };
        let backups = Some((1..=10).map(stored).collect());
        let address = address("cnpg");
        let resources = (1..=10).map(scheduled).collect();
        Self { cluster, resources, backups, newest: Some(newest), address: Some(address) }
    }

    fn expected() -> Expectations {
        Expectations {
            wal_age_max: Some(TimeDelta::minutes(15)),
            uploading_grace: TimeDelta::minutes(10),
            retention: Some(TimeDelta::days(9)),
            ..Expectations::default()
        }
    }

    fn judge(&self) -> (ClusterState, Vec<Finding>) {
        self.judge_by(&Self::expected())
    }

    fn judge_by(&self, expected: &Expectations) -> (ClusterState, Vec<Finding>) {
        let resources = || self.resources.iter().cloned().map(Arc::new).collect();
        let backups = self.cluster.backups.clone().map(|_| resources());
        let cluster = ObservedCluster { backups, ..self.cluster.clone() };
        let case = ClusterCase {
            cluster: &cluster,
            address: self.address.as_ref(),
            backups: self.backups.as_deref(),
            newest: self.newest,
            segment_size: SegmentSize::DEFAULT,
            expected,
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

    const fn resources(&mut self) -> &mut Vec<BackupResource> {
        &mut self.resources
    }

    fn stored(&mut self) -> &mut Vec<AssessedBackup> {
        self.backups.as_mut().unwrap()
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
