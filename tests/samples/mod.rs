//! A fleet of archives in every state, for tests of publication and for the bench.

mod drills;

use std::sync::Arc;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::assessment::AssessedBackup;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::BackupKind;
use cnpg_backup_verifier::assessment::FirstPoint;
use cnpg_backup_verifier::assessment::Gap;
use cnpg_backup_verifier::assessment::GapEffect;
use cnpg_backup_verifier::assessment::LastPoint;
use cnpg_backup_verifier::assessment::Latest;
use cnpg_backup_verifier::assessment::NewestSegment;
use cnpg_backup_verifier::assessment::Promises;
use cnpg_backup_verifier::assessment::RecoveryWindow;
use cnpg_backup_verifier::assessment::Strays;
use cnpg_backup_verifier::assessment::SystemState;
use cnpg_backup_verifier::assessment::TimeSource;
use cnpg_backup_verifier::assessment::TimelineState;
use cnpg_backup_verifier::assessment::Totals;
use cnpg_backup_verifier::assessment::WalStretch;
use cnpg_backup_verifier::assessment::cluster::ClusterState;
use cnpg_backup_verifier::assessment::cluster::ScheduledBackups;
use cnpg_backup_verifier::assessment::finding::Finding;
use cnpg_backup_verifier::assessment::finding::Weight;
use cnpg_backup_verifier::assessment::finding::archive::backup::BackupDefect;
use cnpg_backup_verifier::assessment::finding::archive::backup::Missing;
use cnpg_backup_verifier::assessment::finding::archive::store::StoreDefect;
use cnpg_backup_verifier::assessment::finding::archive::wal::WalDefect;
use cnpg_backup_verifier::assessment::loss::Losses;
use cnpg_backup_verifier::assessment::proof::Proof;
use cnpg_backup_verifier::assessment::shared::Shared;
use cnpg_backup_verifier::assessment::unusable::UnusableReason;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::archive_id::ArchiveAddress;
use cnpg_backup_verifier::domain::archive_id::ArchiveId;
use cnpg_backup_verifier::domain::archive_id::StoreAddress;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup::BackupStatus;
use cnpg_backup_verifier::domain::cluster::DrillKind;
use cnpg_backup_verifier::domain::cluster::Image;
use cnpg_backup_verifier::domain::cluster::Instance;
use cnpg_backup_verifier::domain::cluster::RestoreDrill;
use cnpg_backup_verifier::domain::cluster::Storage;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::segment::SegmentName;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::domain::unreadable::Unreadable;
use cnpg_backup_verifier::domain::unreadable::UnreadableReason;
use cnpg_backup_verifier::publication::snapshot::CheckCounts;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;

/// The number of different archives; a larger fleet repeats them under other names.
pub(crate) const KINDS: usize = 6;

pub(crate) fn fleet(archives: usize) -> Snapshot {
    let archives = (0..archives).map(watched).collect();
    Snapshot::new(at("2026-01-10T12:00:00Z"), archives)
}

fn watched(index: usize) -> WatchedArchive {
    let assessment = match index % KINDS {
        0 => healthy(index),
        1 => at_risk(index),
        2 => unrecoverable(index),
        3 => unread_since(index),
        4 => never_read(index),
        _ => empty(index),
    };
    let mut checks = CheckCounts::default();
    checks.count(None);
    checks.count(assessment.unreadable);
    let store = if assessment.unreadable.is_none() { "databases/minio" } else { "databases/r2" };
    WatchedArchive {
        assessment: Arc::new(assessment),
        object_store: Some(store.to_owned()),
        checks,
    }
}

/// Two good backups and every segment since the older one.
fn healthy(index: usize) -> Assessment {
    let cluster = format!("postgres-{index:04}");
    let checked_at = at("2026-01-10T11:59:58Z");
    Assessment {
        archive: ArchiveId {
            namespace: "databases".to_owned(),
            cluster: cluster.clone(),
            server_name: cluster.clone(),
        },
        address: Some(ArchiveAddress {
            store: StoreAddress::S3 {
                bucket: "cnpg".to_owned(),
                endpoint_url: Some("http://127.0.0.1:9000".to_owned()),
                region: "auto".to_owned(),
            },
            prefix: "home".to_owned(),
            server_name: cluster.clone(),
        }),
        verdict: Verdict::Recoverable,
        observed_at: Some(checked_at),
        fully_listed_at: Some(at("2026-01-10T09:12:40Z")),
        checked_at,
        unreadable: None,
        latest: Latest::Reached,
        windows: vec![window("20260109T000000", "FD"), window("20260110T000000", "FD")].into(),
        gaps: Shared::default(),
        backups: vec![backup("20260109T000000", 0xF0), backup("20260110T000000", 0xF8)].into(),
        newest_segment: Some(NewestSegment {
            name: segment(0xFD),
            uploaded_at: at("2026-01-10T11:58:03Z"),
        }),
        findings: Shared::default(),
        timelines: vec![TimelineState {
            timeline: TimelineId::FIRST,
            is_living: true,
            signs: Vec::new(),
        }]
        .into(),
        systems: vec![SystemState {
            system: 7_710_951_340_492_910_721,
            is_living: true,
            backups: 2,
        }]
        .into(),
        proof: read_in_part(),
        strays: Strays::default(),
        totals: Totals {
            base_objects: 4,
            base_bytes: 7_301_444_404,
            wal_objects: 14,
            wal_bytes: 61_865_984,
            postgres_major: Some(16),
        },
        promises: Promises {
            retention: Some(TimeDelta::days(30)),
            schedule_interval: Some(TimeDelta::days(1)),
            next_backup_due_at: Some(at("2026-01-11T00:00:00Z")),
            base_backup_age_max: Some(TimeDelta::hours(25)),
            wal_age_max: Some(TimeDelta::minutes(15)),
            check_interval: Some(TimeDelta::seconds(60)),
            drills: drills::expectation(),
        },
        cluster: Some(cluster_state(&cluster)),
        orphan: None,
        forecast: Some(drills::forecast()),
    }
}

/// Thirty daily backups were due, and one of them was missed.
fn cluster_state(cluster: &str) -> ClusterState {
    let scheduled = ScheduledBackups { expected: 30, completed: 29, failed: 0, missed: 1 };
    let reports = drills::reports(cluster);
    let full = reports.first().and_then(|it| it.outcome());
    let pitr = RestoreDrill {
        kind: DrillKind::Pitr,
        at: at("2026-01-02T10:00:00Z"),
        is_success: true,
        duration: Some(TimeDelta::seconds(242)),
    };
    ClusterState {
        uid: "6f1d2f0e-0000-4000-8000-000000000001".to_owned(),
        created_at: Some(at("2025-06-01T00:00:00Z")),
        phase: Some("Cluster in healthy state".to_owned()),
        instance: instance(),
        operator: None,
        object_store: Some("postgres-r2-backup".to_owned()),
        silence: None,
        schedules: vec!["0 0 0 * * *".to_owned()],
        scheduled: Some(scheduled),
        drills: [Some(pitr), full].into_iter().flatten().collect(),
        drill_reports: reports,
        are_drills_read: true,
    }
}

fn instance() -> Instance {
    let volume = |size: &str| Storage {
        size: size.to_owned(),
        storage_class: Some("openebs-hostpath".to_owned()),
    };
    let image = Image {
        name: "ghcr.io/cloudnative-pg/postgresql:17.6-standard-bookworm".to_owned(),
        postgres_major: Some(17),
    };
    Instance {
        image: Some(image),
        storage: Some(volume("20Gi")),
        wal_storage: Some(volume("4Gi")),
        ..Instance::default()
    }
}

/// The older backup is stranded before a hole, another hole is accepted, one backup failed.
fn at_risk(index: usize) -> Assessment {
    let mut assessment = healthy(index);
    assessment.verdict = Verdict::AtRisk;
    let path = vec![WalStretch { first: segment(0xF7), last: segment(0xFD), count: 7 }];
    let newest = RecoveryWindow { path, ..window("20260110T000000", "FD") };
    *assessment.windows = vec![window("20260109T000000", "F3"), newest];
    let hole = Gap {
        first: segment(0xF4),
        last: segment(0xF6),
        count: 3,
        effect: GapEffect::Hole,
        is_acknowledged: false,
    };
    let accepted = Gap {
        first: segment(0xE0),
        last: segment(0xE0),
        count: 1,
        effect: GapEffect::Harmless,
        is_acknowledged: true,
    };
    *assessment.gaps = vec![accepted, hole];
    let strays = ["README.txt", "0000000100000000/000000010000000000000045.bz2.tmp"];
    let key = |name| format!("home/postgres-{index:04}/wals/{name}");
    assessment.strays = Strays { count: 7, examples: strays.into_iter().map(key).collect() };
    let defect = BackupDefect::Failed {
        backup: id("20260109T120000"),
        error: Some("no space left | on device\nread /var/lib/postgresql".to_owned()),
        is_superseded: true,
    };
    let failed = AssessedBackup {
        status: Some(BackupStatus::Failed),
        kind: BackupKind::Failed,
        unusable: Some(Box::new(UnusableReason::Defect(defect.clone()))),
        ended_at: None,
        end_wal: None,
        ..backup("20260109T120000", 0xF5)
    };
    assessment.backups.insert(1, failed);
    *assessment.findings = vec![
        Finding::new(
            Weight::Risk,
            WalDefect::Gap {
                gap: hole,
                stranded: vec![id("20260109T000000")],
                parent_has_segment: false,
                lost: Losses::of(&assessment.windows).by(&hole),
                accepted_before: Some(at("2026-01-09T06:00:01Z")),
            },
        ),
        Finding::new(Weight::Notice, defect),
    ];
    assessment
}

/// A hole after the newest usable backup, and a newer backup that lost an object.
fn unrecoverable(index: usize) -> Assessment {
    let mut assessment = healthy(index);
    assessment.verdict = Verdict::Unrecoverable;
    assessment.latest = Latest::NotReached;
    assessment.forecast = None;
    *assessment.windows = vec![RecoveryWindow {
        target_timeline: Some(segment(1).timeline),
        segment_size: SegmentSize::DEFAULT,
        apart_from: None,
        is_of_copy: false,
        ends_at_misfit: false,
        system: None,
        read_until: None,
        unread_since: None,
        demands: Default::default(),
        path: Vec::new(),
        ..window("20260109T000000", "F9")
    }];
    let gap = Gap {
        first: segment(0xFA),
        last: segment(0xFA),
        count: 1,
        effect: GapEffect::StopsRecovery,
        is_acknowledged: false,
    };
    *assessment.gaps = vec![gap];
    let missing = Missing::Objects(vec!["data.tar.bz2".to_owned()]);
    let incomplete = BackupDefect::Incomplete { backup: id("20260110T000000"), missing };
    if let Some(newest) = assessment.backups.last_mut() {
        newest.kind = BackupKind::Unusable;
        newest.unusable = Some(Box::new(UnusableReason::Defect(incomplete.clone())));
    }
    let stranded = vec![id("20260109T000000")];
    *assessment.findings = vec![
        Finding::new(
            Weight::Fatal,
            WalDefect::Gap {
                gap,
                stranded,
                parent_has_segment: false,
                lost: Losses::of(&assessment.windows).by(&gap),
                accepted_before: None,
            },
        ),
        Finding::new(Weight::Risk, incomplete),
    ];
    assessment
}

/// The values of an hour ago, since then the credentials are refused.
fn unread_since(index: usize) -> Assessment {
    let mut assessment = healthy(index);
    assessment.verdict = Verdict::Unknown;
    assessment.observed_at = Some(at("2026-01-10T11:00:00.5Z"));
    assessment.unreadable = Some(UnreadableReason::Auth);
    *assessment.findings = vec![Finding::new(Weight::Unknown, StoreDefect::Denied(denied()))];
    assessment
}

/// Nothing is known but the name, and the name is not made for markup.
fn never_read(index: usize) -> Assessment {
    let mut assessment = healthy(index);
    assessment.archive.server_name = format!("odd\"\\<b>{index}");
    assessment.verdict = Verdict::Unknown;
    assessment.observed_at = None;
    assessment.fully_listed_at = None;
    assessment.unreadable = Some(UnreadableReason::Auth);
    assessment.latest = Latest::Unknown;
    assessment.windows.clear();
    assessment.backups.clear();
    assessment.newest_segment = None;
    assessment.totals = Totals::default();
    assessment.proof = Proof::default();
    assessment.promises = Promises::default();
    assessment.forecast = None;
    *assessment.findings = vec![Finding::new(Weight::Unknown, StoreDefect::Denied(denied()))];
    assessment
}

/// It was read, and there is nothing.
fn empty(index: usize) -> Assessment {
    let mut assessment = never_read(index);
    assessment.archive.server_name = assessment.archive.cluster.clone();
    assessment.cluster = None;
    assessment.address = Some(ArchiveAddress {
        store: StoreAddress::Directory("/mnt/backups".to_owned()),
        prefix: String::new(),
        server_name: assessment.archive.cluster.clone(),
    });
    assessment.verdict = Verdict::Unrecoverable;
    assessment.observed_at = Some(assessment.checked_at);
    assessment.unreadable = None;
    assessment.latest = Latest::NotReached;
    let address = assessment.place();
    *assessment.findings =
        vec![Finding::new(Weight::Fatal, StoreDefect::Empty { address, nearby: Vec::new() })];
    assessment
}

fn denied() -> Unreadable {
    Unreadable {
        what: "list the archive".to_owned(),
        why: "InvalidAccessKeyId: the access key does not exist".to_owned(),
        reason: UnreadableReason::Auth,
    }
}

/// The older part of the WAL and one base backup were read.
fn read_in_part() -> Proof {
    Proof {
        is_read: true,
        segments: 1_300,
        segments_read: 1_200,
        segments_damaged: 0,
        segments_read_at: Some(at("2026-01-10T11:40:00Z")),
        backups: 4,
        backups_read: 1,
        backups_damaged: 0,
        backups_read_at: Some(at("2026-01-09T03:00:00Z")),
        read_until: Some(at("2026-01-10T11:39:00Z")),
        unread_since: Some(at("2026-01-10T11:39:00Z")),
        due_at: Some(at("2026-01-17T15:00:00Z")),
    }
}

/// What a backup reaches, up to the end of the segment with these last digits.
fn window(backup_id: &str, last: &str) -> RecoveryWindow {
    let number = u64::from_str_radix(last, 16).unwrap();
    let began_at = id(backup_id).began_at().unwrap();
    let uploaded = began_at + TimeDelta::minutes(i64::try_from(number).unwrap());
    let is_newest = last == "FD";
    RecoveryWindow {
        backup_id: id(backup_id),
        first: FirstPoint { at: began_at + TimeDelta::minutes(7), lsn: Lsn::new(0xF000_0100) },
        last: LastPoint {
            at: if is_newest { at("2026-01-10T11:57:41.123456Z") } else { uploaded },
            source: if is_newest { TimeSource::Commit } else { TimeSource::Upload },
            lsn: Lsn::new((number + 1) << 24),
            segment: segment(number),
        },
        target_timeline: None,
        segment_size: SegmentSize::DEFAULT,
        apart_from: None,
        is_of_copy: false,
        ends_at_misfit: false,
        system: None,
        read_until: None,
        unread_since: None,
        demands: Default::default(),
        path: Vec::new(),
    }
}

fn backup(backup_id: &str, begin: u64) -> AssessedBackup {
    let began_at = id(backup_id).began_at().unwrap();
    AssessedBackup {
        id: id(backup_id),
        name: None,
        status: Some(BackupStatus::Done),
        kind: BackupKind::Usable,
        unusable: None,
        began_at: Some(began_at),
        ended_at: Some(began_at + TimeDelta::minutes(7)),
        begin_wal: Some(segment(begin)),
        end_wal: Some(segment(begin + 1)),
        tablespaces: Default::default(),
        size_bytes: 3_650_722_202,
        read_at: None,
    }
}

fn segment(index: u64) -> SegmentName {
    SegmentName::parse(&format!("0000000100000000{index:08X}")).unwrap()
}

fn id(text: &str) -> BackupId {
    BackupId::parse(text).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}
