//! Writes log as PostgreSQL does, for tests.

use crate::domain::lsn::Lsn;
use crate::wal::version::Version;

/// A log of 1 MiB segments that grows record by record.
#[derive(Clone)]
pub(super) struct Generator {
    bytes: Vec<u8>,
    first: u64,
    pub(super) previous: u64,
    pub(super) timeline: u32,
    version: Version,
}

const SEGMENT_BYTES: usize = 1 << 20;
const PAGE_BYTES: usize = 8192;

impl Generator {
    pub(super) const START: Lsn = Lsn::new(0x0030_0000);
    pub(super) const SYSTEM_IDENTIFIER: u64 = 0x1122_3344_5566_7788;

    pub(super) fn new() -> Self {
        Self::starting(Self::START)
    }

    pub(super) fn starting(start: Lsn) -> Self {
        Self {
            bytes: Vec::new(),
            first: start.value(),
            previous: start.value() - 0x100,
            timeline: 1,
            version: Version::of_major(15).unwrap(),
        }
    }

    pub(super) fn of_major(major: u16) -> Self {
        Self { version: Version::of_major(major).unwrap(), ..Self::new() }
    }

    /// Appends a record with so many bytes of main data.
    pub(super) fn filler(&mut self, length: usize) -> Lsn {
        self.record(10, 0, &vec![0xA5; length])
    }

    pub(super) fn switch(&mut self) -> Lsn {
        let start = self.begin(0);
        let record = self.encode(start, 0, 0x40, &[]);
        self.push(&record);
        self.bytes.resize(self.bytes.len().next_multiple_of(SEGMENT_BYTES), 0);
        start
    }

    pub(super) fn record(&mut self, resource_manager: u8, flags: u8, data: &[u8]) -> Lsn {
        let start = self.begin(0);
        let record = self.encode(start, resource_manager, flags, &with_header(data));
        self.push(&record);
        start
    }

    /// Appends a record of which only the first page is written, as if the server had crashed,
    /// and on the next page a record that says it replaces the one at `named`.
    pub(super) fn cut_off(&mut self, named: Option<Lsn>) -> (Lsn, Lsn) {
        let (before, start) = (self.previous, self.begin(0));
        let record = self.encode(start, 10, 0, &with_header(&[0xA5; 2 * PAGE_BYTES]));
        let room = self.bytes.len().next_multiple_of(PAGE_BYTES) - self.bytes.len();
        self.push(&record[..room]);
        self.previous = before;
        let data = [named.unwrap_or(start).value().to_le_bytes(), [0; 8]].concat();
        let replacement = self.begin(self.version.overwrite_flag);
        let record = self.encode(replacement, 0, 0xD0, &with_header(&data));
        self.push(&record);
        (start, replacement)
    }

    /// The log so far, with zeros up to the end of the segment.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.begin(0);
        self.bytes.resize(self.bytes.len().next_multiple_of(SEGMENT_BYTES), 0);
        self.bytes
    }

    /// The log so far and nothing else.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where in [`finish`](Self::finish)'s bytes a position lies.
    pub(super) fn offset(&self, lsn: Lsn) -> usize {
        usize::try_from(lsn.value() - self.first).unwrap()
    }

    fn begin(&mut self, flags: u16) -> Lsn {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        if self.bytes.len().is_multiple_of(PAGE_BYTES) {
            self.page_header(flags, 0);
        }
        Lsn::new(self.first + self.bytes.len() as u64)
    }

    fn push(&mut self, mut record: &[u8]) {
        while !record.is_empty() {
            if self.bytes.len().is_multiple_of(PAGE_BYTES) {
                self.page_header(0x1, record.len());
            }
            let room = PAGE_BYTES - self.bytes.len() % PAGE_BYTES;
            let (piece, rest) = record.split_at(room.min(record.len()));
            self.bytes.extend_from_slice(piece);
            record = rest;
        }
    }

    fn page_header(&mut self, flags: u16, remaining: usize) {
        let is_long = self.bytes.len().is_multiple_of(SEGMENT_BYTES);
        let address = self.first + self.bytes.len() as u64;
        self.bytes.extend(self.version.magic.to_le_bytes());
        self.bytes.extend((flags | if is_long { 0x2 } else { 0 }).to_le_bytes());
        self.bytes.extend(self.timeline.to_le_bytes());
        self.bytes.extend(address.to_le_bytes());
        self.bytes.extend(u32::try_from(remaining).unwrap().to_le_bytes());
        self.bytes.extend([0; 4]);
        if is_long {
            self.bytes.extend(Self::SYSTEM_IDENTIFIER.to_le_bytes());
            self.bytes.extend(u32::try_from(SEGMENT_BYTES).unwrap().to_le_bytes());
            self.bytes.extend(u32::try_from(PAGE_BYTES).unwrap().to_le_bytes());
        }
    }

    fn encode(&mut self, start: Lsn, resource_manager: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(u32::try_from(24 + body.len()).unwrap().to_le_bytes());
        record.extend(7_u32.to_le_bytes());
        record.extend(self.previous.to_le_bytes());
        record.extend([flags, resource_manager, 0, 0]);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(body), &record);
        record.extend(checksum.to_le_bytes());
        record.extend(body);
        self.previous = start.value();
        record
    }
}

fn with_header(data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    [&[254][..], &length.to_le_bytes(), data].concat()
}
