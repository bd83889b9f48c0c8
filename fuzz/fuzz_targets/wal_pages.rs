//! The log says the same however its bytes are cut into pieces, and its records form a chain.
//!
//! The last four bytes choose the pieces, what is expected of the log, and whether zeros up to the
//! end of the first segment follow some page, as after a switch; the rest is log.
#![no_main]

use cnpg_backup_verifier::domain::lsn::Lsn;
use cnpg_backup_verifier::domain::segment::SegmentSize;
use cnpg_backup_verifier::domain::timeline::TimelineId;
use cnpg_backup_verifier::wal::Damage;
use cnpg_backup_verifier::wal::Record;
use cnpg_backup_verifier::wal::RecordHeader;
use cnpg_backup_verifier::wal::RecordReader;
use cnpg_backup_verifier::wal::SegmentHeader;
use cnpg_backup_verifier::wal::SegmentIdentity;
use cnpg_backup_verifier::wal::Step;
use cnpg_backup_verifier::wal::Surveyor;
use libfuzzer_sys::fuzz_target;

const PAGE_BYTES: usize = 8192;
/// The smallest there is.
const SEGMENT_BYTES: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Some((log, &[seed, longest, page, expected])) = bytes.split_last_chunk() else { return };
    let identity = identity(expected, log);
    let gap_at = (usize::from(page) * PAGE_BYTES).min(log.len());
    let (before, after) = log.split_at(gap_at);
    let gap = if gap_at == 0 { 0 } else { SEGMENT_BYTES.saturating_sub(gap_at) };
    let zeros = vec![0; gap];
    let whole = [before, &zeros, after].concat();

    let mut surveyor = Surveyor::new(identity);
    surveyor.feed(&whole);
    let survey = surveyor.survey();
    let (records, end) = read(identity, [&whole[..]]);
    check_records(&records);
    assert_eq!(survey.records, records.len() as u64);
    assert_eq!(survey.valid_end, records.last().map(|record| record.end));
    assert_eq!(survey.first_record.map(|it| it.start), records.first().map(|it| it.start));
    // What a first look at a segment sees is what the whole of it is judged by.
    if let Some(header) = survey.header {
        assert_eq!(SegmentHeader::parse(&whole), Ok(header));
    }

    let longest = usize::from(longest).pow(2) + 1;
    let pieces = || {
        let mut cuts = Cuts { state: u32::from(seed), longest };
        // The zeros stay whole: small pieces of them cost time and show nothing.
        let pieces = cuts.cut(before).into_iter().chain([&zeros[..]]).chain(cuts.cut(after));
        pieces.collect::<Vec<&[u8]>>()
    };
    let mut surveyor = Surveyor::new(identity);
    for piece in pieces() {
        surveyor.feed(piece);
    }
    assert_eq!(surveyor.survey(), survey, "in pieces of at most {longest} bytes");
    assert_eq!(read(identity, pieces()), (records, end), "in pieces of at most {longest} bytes");
});

#[derive(Debug, PartialEq)]
struct Owned {
    start: Lsn,
    end: Lsn,
    header: RecordHeader,
    head: Vec<u8>,
}

/// What is known of the log beforehand: for each field nothing, the truth, or (mostly) an error.
fn identity(choice: u8, log: &[u8]) -> SegmentIdentity {
    let Ok(header) = SegmentHeader::parse(log) else { return SegmentIdentity::default() };
    let is_wrong = choice & 0x80 != 0;
    let known = |bit: u8| choice & (1 << bit) != 0;
    SegmentIdentity {
        start: known(0).then(|| header.start.saturating_add(u64::from(is_wrong) << 20)),
        timeline: known(1).then_some(if is_wrong { TimelineId::FIRST } else { header.timeline }),
        segment_size: known(2).then_some(if is_wrong {
            SegmentSize::DEFAULT
        } else {
            header.segment_size
        }),
        system_identifier: known(3).then_some(header.system_identifier ^ u64::from(is_wrong)),
    }
}

fn read<'a>(
    identity: SegmentIdentity,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Owned>, Option<Damage>) {
    let mut reader = RecordReader::new(identity);
    let mut records = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.step(&mut piece) {
                Ok(Step::Record(Record { start, end, header, head })) => {
                    records.push(Owned { start, end, header, head: head.to_vec() });
                }
                Ok(Step::NeedMore) => {
                    assert!(piece.is_empty(), "more is needed than was taken");
                    break;
                }
                Ok(Step::End) => return (records, None),
                Err(damage) => {
                    assert_eq!(reader.step(&mut piece), Err(damage), "damage is final");
                    return (records, Some(damage));
                }
            }
        }
    }
    (records, None)
}

fn check_records(records: &[Owned]) {
    for record in records {
        let length = usize::try_from(record.header.length).unwrap();
        assert_eq!(record.head.len(), length.min(Record::HEAD_BYTES_MAX), "{record:?}");
        assert_eq!(RecordHeader::parse(&record.head), Some(record.header));
        assert!(record.start.value().is_multiple_of(8), "{record:?}");
        assert!(record.start < record.end || record.end == Lsn::new(0), "{record:?}");
    }
    for pair in records.windows(2) {
        assert_eq!(pair[1].header.previous, pair[0].start, "the chain is broken");
        assert!(pair[0].end <= pair[1].start || pair[0].end == Lsn::new(0), "{pair:?}");
    }
}

/// Cuts bytes at arbitrary places.
struct Cuts {
    state: u32,
    longest: usize,
}

impl Cuts {
    fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.next().min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// An empty piece now and then, too.
    fn next(&mut self) -> usize {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(self.state >> 8).unwrap() % (self.longest + 1)
    }
}
