use chrono::DateTime;
use tempfile::TempDir;

use super::*;
use crate::domain::backup::BackupId;
use crate::domain::object_version::ObjectVersion;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::observation::content::WholeSegment;
use crate::observation::folder_sums::FolderId;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::probe::SegmentId;
use crate::wal::Demands;
use crate::wal::RequiredParameters;

const ARCHIVE: &str = "s3://backups/main";

fn id(number: u64) -> SegmentId {
    SegmentId { timeline: TimelineId::FIRST, number: SegmentNumber::new(number) }
}

fn whole(number: u64) -> (SegmentId, SegmentNote) {
    let version = ObjectVersion::new(format!("\"{number}\""), 1);
    let whole = WholeSegment {
        system_identifier: 7,
        newest_commit_at: DateTime::from_timestamp_micros(number.cast_signed()),
        demands: Demands::default(),
        sum: ObjectSum::of(&number.to_string(), &version),
    };
    (id(number), SegmentNote::Whole(whole))
}

fn folder(index: u64) -> FolderId {
    FolderId { timeline: TimelineId::FIRST, index }
}

/// Each folder with the number of its segments that were read.
fn counts(ledger: &Ledger) -> Vec<(u64, u64)> {
    let folders = ledger.folders(ARCHIVE).unwrap();
    folders.into_iter().map(|(folder, record)| (folder.index, record.segments.count())).collect()
}

#[test]
fn what_was_noted_is_known_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    let notes: Vec<_> = (200..600).map(whole).collect();
    assert!(ledger.note_segments(ARCHIVE, &notes));
    assert!(ledger.note_segments(ARCHIVE, &[(id(700), SegmentNote::Damaged)]));
    let record = BackupRecord {
        sum: ObjectSum(7),
        is_whole: true,
        read_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
    };
    let backup = BackupId::parse("20260101T000000").unwrap();
    assert!(ledger.note_backup(ARCHIVE, &backup, &record));
    let before = ledger.folders(ARCHIVE).unwrap();
    drop(ledger);

    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(counts(&ledger), [(0, 56), (1, 256), (2, 88)]);
    assert_eq!(ledger.folders(ARCHIVE).unwrap(), before);
    assert_eq!(ledger.damaged(ARCHIVE), [id(700)].into());
    assert_eq!(ledger.backups(ARCHIVE), [(backup, record)].into());
    assert_eq!(ledger.folders("s3://backups/other").unwrap(), [].into());
    assert_eq!(ledger.is_writable(), Some(true));
}

#[test]
fn what_a_folder_ends_with_and_asks_for_is_known_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    let (id, SegmentNote::Whole(whole)) = whole(5) else { unreachable!() };
    let note = |number: u64, change: &dyn Fn(&mut WholeSegment)| {
        let mut whole = whole.clone();
        change(&mut whole);
        let number = SegmentNumber::new(number);
        ledger.note_segments(ARCHIVE, &[(SegmentId { number, ..id }, SegmentNote::Whole(whole))]);
    };
    let parameters = Some(RequiredParameters { max_connections: 500, ..Default::default() });
    let demands = Demands { parameters, tablespaces: [16_384, 16_385].into() };
    note(5, &|it| it.demands = demands.clone());
    note(6, &|it| it.newest_commit_at = None);
    note(300, &|it| it.newest_commit_at = None);
    note(600, &|it| it.system_identifier = u64::MAX);
    note(601, &|it| it.system_identifier = 8);
    drop(ledger);

    let ledger = Ledger::open(&path).unwrap();
    let folders = ledger.folders(ARCHIVE).unwrap();
    let told = folders.into_values().map(|it| (it.writer, it.newest_commit.map(|it| it.0.value())));
    let expected =
        [(Writer::One(7), Some(5)), (Writer::One(7), None), (Writer::Several, Some(601))];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(ledger.demands(ARCHIVE), Some([(id, demands)].into()));
    ledger.forget_folders(ARCHIVE, &[folder(0)]);
    assert_eq!(ledger.demands(ARCHIVE), Some([].into()));
}

#[test]
fn what_was_listed_and_spent_is_known_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let once = ListedOnce { dated: at(1), last_seen_at: at(2) };
    let listed = [("20260101T000000".to_owned(), once), ("00000002.history".to_owned(), once)];
    assert!(ledger.note_listed(ARCHIVE, &listed.clone().into()));
    ledger.spend("2026-01", 5);
    ledger.spend("2026-02", 5);
    ledger.spend("2026-02", 7);
    let began_at = ledger.began(ARCHIVE).unwrap();
    drop(ledger);

    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.listed(ARCHIVE), Some(listed.into()));
    assert_eq!((ledger.spent("2026-01"), ledger.spent("2026-02")), (Some(0), Some(12)));
    assert_eq!(ledger.began(ARCHIVE), Some(began_at));
}

#[test]
fn a_segment_counts_once_and_damage_goes_with_the_next_good_reading() {
    let ledger = Ledger::in_memory().unwrap();
    ledger.note_segments(ARCHIVE, &[whole(1), whole(2)]);
    let once = ledger.folders(ARCHIVE).unwrap();
    ledger.note_segments(ARCHIVE, &[whole(2), (id(3), SegmentNote::Damaged)]);
    assert_eq!(ledger.folders(ARCHIVE).unwrap(), once);
    assert_eq!(ledger.damaged(ARCHIVE), [id(3)].into());
    ledger.note_segments(ARCHIVE, &[whole(3)]);
    assert_eq!(ledger.damaged(ARCHIVE), [].into());
    ledger.note_segments(ARCHIVE, &[(id(4), SegmentNote::Damaged)]);
    ledger.forget_damaged(ARCHIVE, &[id(4)]);
    ledger.forget_folders(ARCHIVE, &[folder(0)]);
    assert_eq!((counts(&ledger), ledger.damaged(ARCHIVE)), (Vec::new(), [].into()));
    assert_eq!(ledger.is_writable(), None);
}

#[test]
fn what_is_no_ledger_is_set_aside_and_a_new_one_begun() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let other_version = |path: &std::path::Path| {
        Ledger::open(path).unwrap().note_segments(ARCHIVE, &[whole(1)]);
        Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    let foreign = |path: &std::path::Path| {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
        connection.pragma_update(None, "application_id", 1).unwrap();
    };
    let cut = |path: &std::path::Path| {
        Ledger::open(path).unwrap().note_segments(ARCHIVE, &[whole(1)]);
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let no_database = |path: &std::path::Path| std::fs::write(path, [b'x'; 8192]).unwrap();
    let cases: [&dyn Fn(&std::path::Path); 4] = [&other_version, &foreign, &cut, &no_database];
    for (number, spoil) in cases.into_iter().enumerate() {
        let _ = std::fs::remove_file(&path);
        spoil(&path);
        let spoilt = std::fs::read(&path).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(counts(&ledger), [], "{number}");
        assert!(ledger.note_segments(ARCHIVE, &[whole(1)]), "{number}");
        assert_eq!(ledger.is_writable(), Some(true), "{number}");
        let aside = std::fs::read(directory.path().join("ledger.sqlite.old")).unwrap();
        assert_eq!(aside, spoilt, "{number}");
    }
}

#[test]
fn one_process_writes_and_what_cannot_be_written_is_kept_in_memory() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let first = Ledger::open(&path).unwrap();
    first.note_segments(ARCHIVE, &[whole(1)]);
    let missing = directory.path().join("missing/ledger.sqlite");
    for path in [&path, &missing] {
        let other = Ledger::open(path).unwrap();
        assert_eq!((other.is_writable(), counts(&other)), (Some(false), Vec::new()));
        assert!(!other.note_segments(ARCHIVE, &[whole(2)]));
        assert_eq!(counts(&other), [(0, 1)]);
        assert_eq!(other.is_writable(), Some(false));
    }
    assert_eq!(counts(&first), [(0, 1)]);
}

#[test]
fn a_ledger_that_cannot_be_read_knows_nothing_and_is_not_taken_for_an_empty_one() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    ledger.note_segments(ARCHIVE, &[whole(1)]);
    Connection::open(&path).unwrap().execute_batch("DROP TABLE folders").unwrap();
    assert_eq!(ledger.folders(ARCHIVE), None);
    let broken = "INSERT INTO demands VALUES (1, 1, 1, '100,8', '')";
    Connection::open(&path).unwrap().execute_batch(broken).unwrap();
    assert_eq!(ledger.demands(ARCHIVE), None);
    let tables = "DROP TABLE demands; DROP TABLE listed; DROP TABLE spent";
    Connection::open(&path).unwrap().execute_batch(tables).unwrap();
    assert_eq!((ledger.demands(ARCHIVE), ledger.listed(ARCHIVE)), (None, None));
    assert_eq!(ledger.spent("2026-01"), None);
}

/// A thousand archives with a million segments each have to fit in 400 MB.
#[test]
fn a_segment_takes_less_than_half_a_byte() {
    const SEGMENTS: u64 = 1_000_000;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    let notes: Vec<_> = (0..SEGMENTS).map(whole).collect();
    for archive in ["s3://backups/one", "s3://backups/two"] {
        assert!(ledger.note_segments(archive, &notes));
    }
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes * 1_000 / 2 < 400_000_000, "{bytes} bytes of two archives");
}

#[test]
fn a_full_disk_costs_what_is_written_meanwhile_and_no_more() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    assert!(ledger.note_segments(ARCHIVE, &[whole(1)]));
    let pages = |most: i64| {
        ledger.connection().pragma_update(None, "max_page_count", most).unwrap();
    };
    // As many as there are: nothing more fits.
    pages(1);
    let many: Vec<_> = (0..200).map(|folder| whole(folder * 256)).collect();
    assert!(!ledger.note_segments(ARCHIVE, &many));
    assert_eq!((ledger.is_writable(), counts(&ledger)), (Some(false), vec![(0, 1)]));
    pages(1 << 30);
    assert!(ledger.note_segments(ARCHIVE, &many));
    assert_eq!((ledger.is_writable(), counts(&ledger).len()), (Some(true), 200));
    drop(ledger);
    assert_eq!(counts(&Ledger::open(&path).unwrap()).len(), 200);
}

#[test]
fn where_nothing_can_be_written_it_is_kept_in_memory() {
    // Not even root makes a file there.
    let ledger = Ledger::open(std::path::Path::new("/proc/ledger.sqlite")).unwrap();
    assert!(!ledger.note_segments(ARCHIVE, &[whole(1)]));
    assert_eq!((ledger.is_writable(), counts(&ledger)), (Some(false), vec![(0, 1)]));

    let directory = TempDir::new().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.sqlite")).unwrap();
    ledger.note_segments(ARCHIVE, &[whole(1)]);
    ledger.connection().pragma_update(None, "query_only", true).unwrap();
    assert!(!ledger.note_segments(ARCHIVE, &[whole(2)]));
    assert_eq!((ledger.is_writable(), counts(&ledger)), (Some(false), vec![(0, 1)]));
}
