//! Segments that PostgreSQL wrote, against what its own `pg_waldump` says of them.
//!
//! How they were made, and the numbers, are in `tests/fixtures/wal/README.md`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::wal::Ending;
use cnpg_backup_verifier::wal::FirstRecord;
use cnpg_backup_verifier::wal::Outcome;
use cnpg_backup_verifier::wal::RecordReader;
use cnpg_backup_verifier::wal::SegmentHeader;
use cnpg_backup_verifier::wal::SegmentIdentity;
use cnpg_backup_verifier::wal::Step;
use cnpg_backup_verifier::wal::Survey;
use cnpg_backup_verifier::wal::Surveyor;
use proptest::prelude::*;

/// What `pg_waldump` says of a segment on its own.
struct Expected {
    path: &'static str,
    records: u64,
    newest_transaction_end: Option<(&'static str, &'static str)>,
    ending: Ending,
}

const FIXTURES: [Expected; 13] = [
    Expected {
        path: "load/000000010000000000000008",
        records: 175,
        newest_transaction_end: Some(("0/8414F8", "16:27:40.571642")),
        ending: Ending::Switched,
    },
    Expected {
        path: "load/000000010000000000000009",
        records: 6481,
        newest_transaction_end: Some(("0/9F9AD0", "16:27:40.727615")),
        ending: Ending::InsideRecord(Some(Lsn::new(0x9F_9B00))),
    },
    Expected {
        path: "load/00000001000000000000000A",
        records: 0,
        newest_transaction_end: None,
        ending: Ending::InsideRecord(None),
    },
    Expected {
        path: "load/00000001000000000000000B",
        records: 0,
        newest_transaction_end: None,
        ending: Ending::InsideRecord(None),
    },
    Expected {
        path: "load/00000001000000000000000C",
        records: 63,
        newest_transaction_end: Some(("0/C46440", "16:27:40.735491")),
        ending: Ending::Switched,
    },
    Expected {
        path: "load/00000001000000000000000D",
        records: 4,
        newest_transaction_end: Some(("0/D000B0", "16:27:40.735809")),
        ending: Ending::Switched,
    },
    Expected {
        path: "load/00000001000000000000000E",
        records: 4,
        newest_transaction_end: None,
        ending: Ending::Switched,
    },
    Expected {
        path: "promotion/000000010000000000000009",
        records: 4,
        newest_transaction_end: None,
        ending: Ending::Switched,
    },
    Expected {
        path: "promotion/00000001000000000000000A.partial",
        records: 2001,
        newest_transaction_end: Some(("0/A20360", "16:27:42.387010")),
        ending: Ending::Zeros { at: Lsn::new(0xA2_0388), is_inside_record: false },
    },
    Expected {
        path: "promotion/00000002000000000000000A",
        records: 2008,
        newest_transaction_end: Some(("0/A9D0F8", "16:27:42.626079")),
        ending: Ending::Switched,
    },
    Expected {
        path: "promotion/00000002000000000000000B",
        records: 3,
        newest_transaction_end: None,
        ending: Ending::Switched,
    },
    Expected {
        path: "crash/000000010000000000000009",
        records: 42,
        newest_transaction_end: Some(("0/9AAEF0", "16:27:44.594359")),
        ending: Ending::InsideRecord(Some(Lsn::new(0x9A_AF18))),
    },
    Expected {
        path: "crash/00000001000000000000000A",
        records: 7,
        newest_transaction_end: Some(("0/A02148", "16:27:44.857684")),
        ending: Ending::Switched,
    },
];

fn segment(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wal");
    let file = fs::File::open(folder.join(format!("{path}.xz"))).unwrap();
    let mut bytes = Vec::new();
    liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn lsn(text: &str) -> Lsn {
    text.parse().unwrap()
}

fn of_timeline(id: u32) -> SegmentIdentity {
    SegmentIdentity { timeline: TimelineId::new(id), ..SegmentIdentity::default() }
}

fn survey_of(bytes: &[u8], identity: SegmentIdentity) -> Survey {
    let mut surveyor = Surveyor::new(identity);
    surveyor.feed(bytes);
    surveyor.survey()
}

fn survey_in_a_row(timeline: u32, paths: &[&str]) -> Survey {
    let mut surveyor = Surveyor::new(of_timeline(timeline));
    for path in paths {
        surveyor.feed(&segment(path));
    }
    surveyor.survey()
}

fn record_starts(bytes: &[u8]) -> Vec<Lsn> {
    let mut reader = RecordReader::new(SegmentIdentity::default());
    let mut starts = Vec::new();
    let mut input = bytes;
    while let Ok(Step::Record(record)) = reader.step(&mut input) {
        starts.push(record.start);
    }
    starts
}

#[test]
fn each_segment_holds_what_pg_waldump_finds() {
    for expected in &FIXTURES {
        let survey = survey_of(&segment(expected.path), SegmentIdentity::default());
        assert_eq!(survey.records, expected.records, "{}", expected.path);
        assert_eq!(survey.ending, expected.ending, "{}", expected.path);
        let newest = survey.newest_transaction_end.map(|end| {
            assert_eq!(end.outcome, Outcome::Committed);
            (end.lsn, end.ended_at.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        });
        let newest_expected = expected
            .newest_transaction_end
            .map(|(start, time)| (lsn(start), format!("2026-11-22 {time}")));
        assert_eq!(newest, newest_expected, "{}", expected.path);
    }
}

#[test]
fn segment_headers_say_who_wrote_them() {
    let header = SegmentHeader::parse(&segment("load/00000001000000000000000A")).unwrap();
    assert_eq!(header.version.major, 15);
    assert_eq!(header.timeline, TimelineId::FIRST);
    assert_eq!(header.start, lsn("0/A00000"));
    assert_eq!(header.system_identifier, 7_711_033_358_979_463_767);
    assert_eq!(header.segment_size.bytes(), 1 << 20);
    // All of the segment and part of the next two belong to one record.
    assert!(u64::from(header.continued_bytes) > 2 << 20);
}

#[test]
fn a_record_across_four_segments_is_whole_when_they_are_read_in_a_row() {
    let paths = FIXTURES.map(|fixture| fixture.path);
    let survey = survey_in_a_row(1, &paths[..7]);
    assert_eq!((survey.records, survey.ending), (6728, Ending::Switched));
    assert_eq!(survey.valid_end, Some(lsn("0/E00118")));
    assert_eq!(survey.newest_transaction_end.unwrap().lsn, lsn("0/D000B0"));
}

#[test]
fn a_missing_segment_breaks_the_row() {
    let survey =
        survey_in_a_row(1, &["load/000000010000000000000008", "load/00000001000000000000000C"]);
    assert!(matches!(survey.ending, Ending::Damaged(damage) if damage.at == lsn("0/900000")));
}

#[test]
fn segments_read_alone_link_to_each_other() {
    let before = survey_of(&segment("load/00000001000000000000000C"), of_timeline(1));
    let after = survey_of(&segment("load/00000001000000000000000D"), of_timeline(1));
    let link = FirstRecord { start: lsn("0/D00028"), previous: lsn("0/C46468") };
    assert_eq!(after.first_record, Some(link));
    // The switch is the last record before.
    assert_eq!(before.valid_end, Some(link.previous.saturating_add(24)));
}

#[test]
fn the_first_segment_of_a_timeline_begins_with_pages_of_its_parent() {
    let first = segment("promotion/00000002000000000000000A");
    let survey = survey_of(&first, of_timeline(2));
    assert_eq!(survey.header.unwrap().timeline, TimelineId::FIRST);
    assert_eq!(survey.last_timeline, TimelineId::new(2));
    let survey = survey_of(&first, of_timeline(1));
    assert!(matches!(survey.ending, Ending::Damaged(_)), "{:?}", survey.ending);
}

#[test]
fn a_child_timeline_goes_on_where_its_parent_ended() {
    let mut surveyor = Surveyor::new(of_timeline(1));
    surveyor.feed(&segment("promotion/000000010000000000000009"));
    surveyor.follow(TimelineId::new(2).unwrap());
    surveyor.feed(&segment("promotion/00000002000000000000000A"));
    surveyor.feed(&segment("promotion/00000002000000000000000B"));
    let survey = surveyor.survey();
    assert_eq!((survey.records, survey.ending), (4 + 2008 + 3, Ending::Switched));
}

#[test]
fn a_record_that_a_crash_cut_off_is_no_damage() {
    let paths = ["crash/000000010000000000000009", "crash/00000001000000000000000A"];
    let survey = survey_in_a_row(1, &paths);
    assert_eq!((survey.records, survey.ending), (49, Ending::Switched));
}

#[test]
fn every_record_starts_where_pg_waldump_says() {
    for expected in FIXTURES.iter().filter(|expected| expected.records > 0) {
        let folder = tempfile::tempdir().unwrap();
        let name = Path::new(expected.path).file_stem().unwrap();
        let bytes = segment(expected.path);
        fs::write(folder.path().join(name), &bytes).unwrap();
        let output =
            Command::new(pg_waldump()).arg(folder.path().join(name)).output().unwrap().stdout;
        let dumped: Vec<Lsn> = String::from_utf8_lossy(&output)
            .lines()
            .filter_map(|line| line.split_once("lsn: ")?.1.split_once(','))
            .map(|(start, _)| lsn(start))
            .collect();
        assert_eq!(record_starts(&bytes), dumped, "{}", expected.path);
    }
}

/// A segment with every kind of record in it, and where they start.
static LOADED: LazyLock<(Vec<u8>, Vec<Lsn>)> = LazyLock::new(|| {
    let bytes = segment("load/000000010000000000000009");
    let starts = record_starts(&bytes);
    (bytes, starts)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_gives_the_same_survey(sizes in prop::collection::vec(1_usize..20_000, 1..20)) {
        let bytes = &LOADED.0;
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            let (chunk, left) = rest.split_at((*size).min(rest.len()));
            surveyor.feed(chunk);
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(surveyor.survey(), survey_of(bytes, SegmentIdentity::default()));
    }

    #[test]
    fn a_mutated_segment_is_read_up_to_the_damage(
        at in 0_usize..1 << 20,
        garbage in prop::collection::vec(any::<u8>(), 1..5_000),
    ) {
        let (bytes, starts) = &*LOADED;
        let mut mutated = bytes.clone();
        for (byte, garbage) in mutated[at..].iter_mut().zip(garbage) {
            *byte = garbage;
        }
        let read = record_starts(&mutated);
        prop_assert!(starts.starts_with(&read), "records appear that nobody wrote");
        let intact = starts.iter().filter(|start| start.value() < 0x90_0000 + at as u64).count();
        prop_assert!(read.len() + 1 >= intact, "records before the damage are lost");
    }
}

/// Of the PostgreSQL that `make tools` installs.
fn pg_waldump() -> std::path::PathBuf {
    test_servers::tools::postgres("pg_waldump")
}
