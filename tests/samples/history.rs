//! One archive with a month behind it, for what a page draws.

use std::sync::Arc;

use chrono::DateTime;
use chrono::NaiveTime;
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
use cnpg_backup_verifier::assessment::RecoveryWindow;
use cnpg_backup_verifier::assessment::TimeSource;
use cnpg_backup_verifier::assessment::WalStretch;
use cnpg_backup_verifier::assessment::finding::Finding;
use cnpg_backup_verifier::assessment::finding::Weight;
use cnpg_backup_verifier::assessment::finding::archive::backup::BackupDefect;
use cnpg_backup_verifier::assessment::finding::archive::backup::Missing;
use cnpg_backup_verifier::assessment::finding::archive::wal::WalDefect;
use cnpg_backup_verifier::assessment::loss::Losses;
use cnpg_backup_verifier::assessment::unusable::UnusableReason;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::domain::backup::BackupId;
use cnpg_backup_verifier::domain::backup::BackupStatus;
use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::segment::SegmentName;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::publication::snapshot::Snapshot;
use cnpg_backup_verifier::publication::snapshot::WatchedArchive;

/// Segments a day.
const PER_DAY: u64 = 0x40;

const DAYS: u64 = 33;

/// The server was promoted between the backups of the days before and after.
const PROMOTED_ON: u64 = 20;

/// WAL is missing from this day's noon to the next backup.
const GAP_ON: u64 = 11;

/// A backup a day for more than the retention; one failed, one WAL segment is missing, and the
/// server was promoted once.
pub(crate) fn long_history(fleet_of_one: &Snapshot) -> Snapshot {
    let [watched] = fleet_of_one.archives.as_slice() else { panic!("{fleet_of_one:?}") };
    let assessment = with_history(&watched.assessment);
    let archive = WatchedArchive { assessment: Arc::new(assessment), ..watched.clone() };
    Snapshot::new(fleet_of_one.generated_at, vec![archive])
}

fn last_point(last: u64, at: DateTime<Utc>) -> LastPoint {
    let (lsn, segment) = (Lsn::new((last + 1) << 24), segment(last));
    LastPoint { at, source: TimeSource::Commit, lsn, segment }
}

fn with_history(template: &Assessment) -> Assessment {
    let mut assessment = template.clone();
    let now = template.checked_at;
    // A backup of this very minute would not have ended yet.
    let midnight = (now - TimeDelta::hours(1)).date_naive().and_time(NaiveTime::MIN).and_utc();
    let days_ago = |days: u64| midnight - TimeDelta::days(i64::try_from(days).unwrap());
    let hole = DAYS - GAP_ON;
    let lost = hole * PER_DAY + PER_DAY / 2;
    let newest = DAYS * PER_DAY + PER_DAY / 2;
    let committed_at = now - TimeDelta::minutes(2);
    assessment.backups.clear();
    assessment.windows.clear();
    for day in 0..=DAYS {
        let began_at = days_ago(DAYS - day);
        let id = BackupId::parse(&began_at.format("%Y%m%dT%H%M%S").to_string()).unwrap();
        let is_failed = day == DAYS - 3;
        let ended_at = began_at + TimeDelta::minutes(7);
        assessment.backups.push(AssessedBackup {
            id: id.clone(),
            name: None,
            status: Some(if is_failed { BackupStatus::Failed } else { BackupStatus::Done }),
            kind: if is_failed { BackupKind::Failed } else { BackupKind::Usable },
            unusable: is_failed.then(|| {
                let (error, is_superseded) = (None, true);
                let defect = BackupDefect::Failed { backup: id.clone(), error, is_superseded };
                Box::new(UnusableReason::Defect(defect))
            }),
            began_at: Some(began_at),
            ended_at: (!is_failed).then_some(ended_at),
            begin_wal: Some(segment(day * PER_DAY)),
            end_wal: Some(segment(day * PER_DAY + 1)),
            tablespaces: Default::default(),
            size_bytes: 3_650_722_202 + day * 20_000_000,
            read_at: None,
        });
        if is_failed {
            continue;
        }
        let is_stranded = day <= hole;
        let last = if is_stranded { lost - 1 } else { newest };
        let noon = days_ago(GAP_ON) + TimeDelta::hours(12);
        assessment.windows.push(RecoveryWindow {
            backup_id: id,
            first: FirstPoint { at: ended_at, lsn: Lsn::new(((day * PER_DAY) << 24) + 0x28) },
            last: last_point(last, if is_stranded { noon } else { committed_at }),
            target_timeline: None,
            segment_size: SegmentSize::DEFAULT,
            apart_from: None,
            is_of_copy: false,
            ends_at_misfit: false,
            system: None,
            read_until: None,
            unread_since: None,
            demands: Default::default(),
            path: path(day * PER_DAY, last),
        });
    }
    let gap = hole_at(lost);
    *assessment.gaps = vec![gap];
    assessment.verdict = Verdict::AtRisk;
    assessment.promises.next_backup_due_at = Some(midnight + TimeDelta::days(1));
    assessment.newest_segment =
        Some(NewestSegment { name: segment(newest), uploaded_at: committed_at });
    let stranded = assessment.windows.iter().take(usize::try_from(hole).unwrap() + 1);
    let stranded = stranded.map(|window| window.backup_id.clone()).collect();
    let (lost, accepted_before) = (Losses::of(&assessment.windows).by(&gap), None);
    let problem =
        WalDefect::Gap { gap, stranded, parent_has_segment: false, lost, accepted_before };
    *assessment.findings = vec![Finding::new(Weight::Risk, problem)];
    assessment
}

/// One segment is missing, and moments with it.
fn hole_at(lost: u64) -> Gap {
    Gap {
        first: segment(lost),
        last: segment(lost),
        count: 1,
        effect: GapEffect::Hole,
        is_acknowledged: false,
    }
}

fn path(first: u64, last: u64) -> Vec<WalStretch> {
    let stretch = |first, last| WalStretch {
        first: segment(first),
        last: segment(last),
        count: last - first + 1,
    };
    if first < FORK && FORK <= last {
        vec![stretch(first, FORK - 1), stretch(FORK, last)]
    } else {
        vec![stretch(first, last)]
    }
}

/// The first segment of timeline 2.
const FORK: u64 = PROMOTED_ON * PER_DAY + PER_DAY / 2;

fn segment(number: u64) -> SegmentName {
    let timeline = if number < FORK { 1 } else { 2 };
    let (log, low) = (number >> 8, number & 0xFF);
    SegmentName::parse(&format!("{timeline:08X}{log:08X}{low:08X}")).unwrap()
}

/// The same archive after the newest WAL lost a segment, and the newest backups their data.
pub(crate) fn broken(fleet_of_one: &Snapshot) -> Snapshot {
    let whole = long_history(fleet_of_one);
    let [watched] = whole.archives.as_slice() else { panic!("{whole:?}") };
    let mut assessment = (*watched.assessment).clone();
    let lost = (DAYS - 2) * PER_DAY + 0x11;
    let ended_at = assessment.windows.last().map(|window| window.first.at).unwrap();
    let last_at = ended_at - TimeDelta::hours(42);
    assessment.windows.retain(|window| window.first.at < last_at);
    for window in assessment.windows.iter_mut().filter(|window| segment(lost) < window.last.segment)
    {
        window.last.at = last_at;
        window.last.segment = segment(lost - 1);
    }
    let missing = vec!["data.tar.bz2".to_owned()];
    let mut incomplete = Vec::new();
    for backup in assessment.backups.iter_mut().rev().take(2) {
        backup.kind = BackupKind::Unusable;
        let missing = Missing::Objects(missing.clone());
        let defect = BackupDefect::Incomplete { backup: backup.id.clone(), missing };
        backup.unusable = Some(Box::new(UnusableReason::Defect(defect.clone())));
        incomplete.push(Finding::new(Weight::Risk, defect));
    }
    let gap = Gap {
        first: segment(lost),
        last: segment(lost + 2),
        count: 3,
        effect: GapEffect::StopsRecovery,
        is_acknowledged: false,
    };
    assessment.gaps.push(gap);
    let stranded = assessment.windows.iter().map(|window| window.backup_id.clone()).collect();
    let (lost, accepted_before) = (Losses::of(&assessment.windows).by(&gap), None);
    let problem =
        WalDefect::Gap { gap, stranded, parent_has_segment: false, lost, accepted_before };
    assessment
        .findings
        .splice(0..0, [Finding::new(Weight::Fatal, problem)].into_iter().chain(incomplete));
    assessment.verdict = Verdict::Unrecoverable;
    assessment.latest = Latest::NotReached;
    let archive = WatchedArchive { assessment: Arc::new(assessment), ..watched.clone() };
    Snapshot::new(whole.generated_at, vec![archive])
}
