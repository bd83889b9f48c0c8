//! The rules of [`RecordReader`], and its laws.

use proptest::prelude::*;

use super::*;
use crate::wal::damage::DamageKind;
use crate::wal::damage::HeaderDamage;
use crate::wal::generator::Generator;

const SEGMENT: usize = 1 << 20;

fn read_chunks<'a>(
    reader: &mut RecordReader,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<(Lsn, Lsn, Vec<u8>)> {
    let mut records = Vec::new();
    for mut chunk in chunks {
        while let Ok(Step::Record(record)) = reader.step(&mut chunk) {
            records.push((record.start, record.end, record.head.to_vec()));
        }
    }
    records
}

fn read(bytes: &[u8]) -> (Vec<Lsn>, Ending) {
    read_as(SegmentIdentity::default(), bytes)
}

fn read_as(identity: SegmentIdentity, bytes: &[u8]) -> (Vec<Lsn>, Ending) {
    let mut reader = RecordReader::new(identity);
    let records = read_chunks(&mut reader, [bytes]);
    (records.iter().map(|(start, ..)| *start).collect(), reader.ending())
}

fn header_damage(at: Lsn, kind: HeaderDamage) -> Ending {
    Ending::Damaged(Damage { at, kind: DamageKind::Header(kind) })
}

fn record_damage(at: Lsn, kind: RecordDamage) -> Ending {
    Ending::Damaged(Damage { at, kind: DamageKind::Record(kind) })
}

fn plus(lsn: Lsn, bytes: usize) -> Lsn {
    lsn.saturating_add(bytes as u64)
}

/// Each record crosses into the next page, the last one into the second segment.
fn two_segments() -> (Vec<Lsn>, Vec<u8>) {
    let mut log = Generator::new();
    let records = (0..120).map(|_| log.filler(9000)).collect();
    (records, log.finish())
}

#[test]
fn records_cross_pages_and_segments() {
    let (written, bytes) = two_segments();
    let (records, ending) = read(&bytes);
    assert_eq!(records, written);
    assert!(matches!(ending, Ending::Zeros { is_inside_record: false, .. }), "{ending:?}");
}

#[test]
fn a_segment_may_end_and_start_inside_a_record() {
    let (written, bytes) = two_segments();
    let (first, ending) = read(&bytes[..SEGMENT]);
    assert_eq!(ending, Ending::InsideRecord(Some(written[first.len()])));
    let (second, _) = read(&bytes[SEGMENT..]);
    assert_eq!(second, written[first.len() + 1..]);
}

#[test]
fn a_segment_may_lie_inside_one_record() {
    let mut log = Generator::new();
    let giant = log.filler(3 * SEGMENT);
    let after = log.filler(10);
    let bytes = log.finish();
    assert_eq!(read(&bytes).0, [giant, after]);
    assert_eq!(read(&bytes[SEGMENT..2 * SEGMENT]), (vec![], Ending::InsideRecord(None)));
    assert_eq!(read(&bytes[2 * SEGMENT..]).0, [after]);
}

#[test]
fn after_a_switch_the_next_segment_goes_on() {
    let mut log = Generator::new();
    let mut written = vec![log.filler(10), log.switch()];
    assert_eq!(read(&log.clone().bytes()), (written.clone(), Ending::Switched));
    written.push(log.filler(10));
    assert_eq!(read(&log.finish()).0, written);
}

#[test]
fn a_segment_cut_short_is_short_wherever_it_is_cut() {
    let mut log = Generator::new();
    log.filler(10_000);
    log.switch();
    let bytes = log.bytes();
    for length in [0, 10, 40, 50, 8192, 8200, 20_000, SEGMENT - 1] {
        let start = if length < 40 { 0 } else { Generator::START.value() + length as u64 };
        let ending = read(&bytes[..length]).1;
        assert!(matches!(ending, Ending::Short(_)), "{length}: {ending:?}");
        if length >= 40 && length != 8200 {
            assert_eq!(ending, Ending::Short(Lsn::new(start)));
        }
    }
}

#[test]
fn a_zeroed_page_ends_the_log() {
    let mut log = Generator::new();
    let giant = log.filler(20_000);
    let mut bytes = log.finish();
    bytes[8192..].fill(0);
    let at = plus(Generator::START, 8192);
    assert_eq!(read(&bytes), (vec![], Ending::Zeros { at, is_inside_record: true }));
    assert!(giant < at);
}

#[test]
fn a_record_cut_off_by_a_crash_is_no_damage() {
    for major in 13..=19 {
        let mut log = Generator::of_major(major);
        let before = log.filler(10);
        let (_, replacement) = log.cut_off(None);
        let after = log.filler(10);
        assert_eq!(read(&log.finish()).0, [before, replacement, after], "{major}");
    }
}

#[test]
fn a_replacement_must_name_the_record_cut_off() {
    let mut log = Generator::new();
    let found = log.filler(10);
    let (expected, replacement) = log.cut_off(Some(found));
    let ending = record_damage(replacement, RecordDamage::OtherOverwritten { found, expected });
    assert_eq!(read(&log.finish()).1, ending);
}

#[test]
fn a_replacement_may_open_the_segment() {
    let mut log = Generator::new();
    while log.len() < SEGMENT - 8192 {
        log.filler(5000);
    }
    let (_, replacement) = log.cut_off(None);
    let after = log.filler(10);
    assert_eq!(read(&log.finish()[SEGMENT..]).0, [replacement, after]);
}

#[test]
fn pages_must_be_where_they_say() {
    let (_, bytes) = two_segments();
    let expected = plus(Generator::START, SEGMENT);
    let ending =
        header_damage(expected, HeaderDamage::OtherAddress { found: Generator::START, expected });
    assert_eq!(read(&[&bytes[..SEGMENT], &bytes[..SEGMENT]].concat()).1, ending);
    let identity = SegmentIdentity { start: Some(expected), ..SegmentIdentity::default() };
    assert_eq!(read_as(identity, &bytes).1, ending);
}

#[test]
fn a_foreign_system_is_refused() {
    let identity = SegmentIdentity { system_identifier: Some(7), ..SegmentIdentity::default() };
    let (_, ending) = read_as(identity, &two_segments().1);
    let found = Generator::SYSTEM_IDENTIFIER;
    let damage = HeaderDamage::OtherSystem { found, expected: 7 };
    assert_eq!(ending, header_damage(Lsn::new(0), damage));
}

#[test]
fn timelines_rise_up_to_that_of_the_file() {
    let [one, two] = [1, 2].map(|id| TimelineId::new(id).unwrap());
    let mut log = Generator::new();
    log.filler(20_000);
    log.timeline = 2;
    log.filler(20_000);
    let of_file =
        |timeline| SegmentIdentity { timeline: Some(timeline), ..SegmentIdentity::default() };
    assert_eq!(read_as(of_file(two), &log.clone().finish()).0.len(), 2);
    let ahead = HeaderDamage::TimelineAhead { found: two, file: one };
    let at = plus(Generator::START, 3 * 8192);
    assert_eq!(read_as(of_file(one), &log.clone().finish()).1, header_damage(at, ahead));
    log.timeline = 1;
    log.filler(20_000);
    let backwards = HeaderDamage::TimelineBackwards { found: one, before: two };
    let at = plus(Generator::START, 5 * 8192);
    assert_eq!(read(&log.finish()).1, header_damage(at, backwards));
}

#[test]
fn a_record_must_link_to_the_one_before() {
    let mut log = Generator::new();
    let expected = log.filler(10);
    let victim = log.filler(10);
    log.previous = expected.value() + 8;
    let at = log.filler(10);
    let found = plus(expected, 8);
    let damage = RecordDamage::Link { found, expected: victim };
    assert_eq!(read(&log.finish()), (vec![expected, victim], record_damage(at, damage)));
}

/// Found by `fuzz/fuzz_targets/wal_pages.rs`.
#[test]
fn a_bare_record_with_a_wrong_link_and_a_wrong_checksum_is_refused_for_its_link() {
    let mut log = Generator::new();
    let expected = log.filler(10);
    let found = plus(expected, 8);
    log.previous = found.value();
    let at = log.switch();
    let end = log.offset(at) + 24;
    let mut bytes = log.bytes();
    bytes[end - 1] ^= 1;
    let ending = record_damage(at, RecordDamage::Link { found, expected });
    for longest in [1, 16, 8192] {
        let mut reader = RecordReader::new(SegmentIdentity::default());
        read_chunks(&mut reader, bytes.chunks(longest));
        assert_eq!(reader.ending(), ending, "{longest}");
    }
}

#[test]
fn a_continuation_must_be_that_of_the_record() {
    let mut log = Generator::new();
    let record = log.filler(20_000);
    let bytes = log.finish();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        read(&bytes).1
    };
    assert_eq!(with(8194, 0), record_damage(record, RecordDamage::NotContinued));
    let expected = 24 + 5 + 20_000 - (8192 - 40);
    let found = expected & !0xFF;
    let damage = RecordDamage::ContinuedLength { found, expected };
    assert_eq!(with(8208, 0), record_damage(record, damage));
}

#[test]
fn no_record_is_shorter_than_its_header() {
    let mut log = Generator::new();
    let record = log.filler(10);
    let mut bytes = log.finish();
    bytes[40] = 23;
    assert_eq!(read(&bytes).1, record_damage(record, RecordDamage::Length(23)));
}

#[test]
fn damage_stays() {
    let mut log = Generator::new();
    log.filler(10);
    let mut bytes = log.clone().finish();
    bytes[40 + 30] ^= 1;
    let mut reader = RecordReader::new(SegmentIdentity::default());
    let damage = reader.step(&mut bytes.as_slice()).unwrap_err();
    assert_eq!(reader.step(&mut log.finish().as_slice()), Err(damage));
    assert_eq!(reader.ending(), Ending::Damaged(damage));
}

#[test]
fn the_last_segment_that_exists_can_be_read() {
    let mut log = Generator::starting(Lsn::new(u64::MAX - (SEGMENT as u64 - 1)));
    while log.len() < SEGMENT - 8192 {
        log.filler(5000);
    }
    let last = log.filler(SEGMENT - log.len().next_multiple_of(8) - 29 - 3);
    let mut bytes = log.bytes();
    assert_eq!(bytes.len(), SEGMENT - 3);
    bytes.resize(SEGMENT, 0);
    let (records, ending) = read(&bytes);
    assert_eq!((records.last(), ending), (Some(&last), Ending::Full));
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let length = prop_oneof![8 => 0_usize..200, 2 => 0_usize..20_000, 1 => 0_usize..1_500_000];
    prop::collection::vec(length, 1..60)
}

fn chunks<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at((*size).min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunking_gives_the_same_records(
        lengths in lengths(),
        sizes in prop::collection::vec(prop_oneof![1_usize..50, 1_usize..10_000], 1..20),
    ) {
        let mut log = Generator::new();
        let written: Vec<Lsn> = lengths.iter().map(|length| log.filler(*length)).collect();
        let bytes = log.finish();
        let mut whole = RecordReader::new(SegmentIdentity::default());
        let records = read_chunks(&mut whole, [bytes.as_slice()]);
        prop_assert_eq!(records.iter().map(|(start, ..)| *start).collect::<Vec<_>>(), written);
        let mut pieces = RecordReader::new(SegmentIdentity::default());
        prop_assert_eq!(read_chunks(&mut pieces, chunks(&bytes, &sizes)), records);
        prop_assert_eq!(pieces.ending(), whole.ending());
    }

    #[test]
    fn a_flipped_bit_in_a_record_is_never_missed(
        lengths in lengths(),
        record: prop::sample::Index,
        offset: prop::sample::Index,
        bit in 0_u32..8,
    ) {
        let mut log = Generator::new();
        let written: Vec<Lsn> = lengths.iter().map(|length| log.filler(*length)).collect();
        let record = record.index(lengths.len());
        let start = log.offset(written[record]);
        // Up to the end of its first page: what follows may be a page header.
        let length = (lengths[record] + 29).min(8192 - start % 8192);
        let mut bytes = log.finish();
        bytes[start + offset.index(length)] ^= 1_u8 << bit;
        prop_assert_eq!(read(&bytes).0, &written[..record]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        header: bool,
        bytes: Vec<u8>,
        sizes in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let sound = Generator::new().finish();
        let bytes = if header { [&sound[..40], &bytes].concat() } else { bytes };
        let mut reader = RecordReader::new(SegmentIdentity::default());
        let records = read_chunks(&mut reader, chunks(&bytes, &sizes));
        prop_assert_eq!(records, vec![]);
    }
}

/// A backup begins with one of the records, and nothing before it counts but two page headers.
#[test]
fn what_lies_before_the_record_to_begin_with_is_not_looked_at() {
    let (written, bytes) = two_segments();
    let first = Generator::START.value();
    for begin in [0, 1, 7, 60, 100] {
        let position = written[begin];
        let at = usize::try_from(position.value() - first).unwrap();
        let page = at - at % PAGE_BYTES;
        let read = |bytes: &[u8], piece: usize| {
            let mut reader = RecordReader::new(SegmentIdentity::default()).beginning_at(position);
            let records = read_chunks(&mut reader, bytes.chunks(piece));
            (records.iter().map(|(start, ..)| *start).collect::<Vec<_>>(), reader.ending())
        };
        let whole = read(&bytes, bytes.len());
        assert_eq!(whole.0, written[begin..], "{begin}");
        let mut damaged = bytes.clone();
        damaged[SegmentHeader::BYTES.min(at)..page.max(SegmentHeader::BYTES.min(at))].fill(0xEE);
        if SHORT_HEADER_BYTES < at - page && 0 < page {
            damaged[page + SHORT_HEADER_BYTES..at].fill(0xEE);
        }
        for piece in [1, 100, 8192, bytes.len()] {
            assert_eq!(read(&damaged, piece), whole, "{begin} {piece}");
        }
        // The headers of the first page, and of its own.
        for header in [0, page + 1] {
            let mut damaged = bytes.clone();
            damaged[header] ^= 0x40;
            assert!(matches!(read(&damaged, 8192).1, Ending::Damaged(_)), "{begin} {header}");
        }
    }
}
