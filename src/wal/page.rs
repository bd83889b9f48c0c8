//! Page headers: who wrote a page, where it belongs, what it begins with.

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::wal::damage::HeaderDamage;
use crate::wal::damage::RecordDamage;
use crate::wal::fields::LittleEndian;
use crate::wal::version::Version;

/// What the first page of a segment says about the whole of it (`XLogLongPageHeaderData`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub version: Version,
    /// The timeline of the first page, which the file's timeline may descend from: the first
    /// segment of a timeline begins with pages copied from its parent.
    pub timeline: TimelineId,
    pub start: Lsn,
    pub system_identifier: u64,
    pub segment_size: SegmentSize,
    /// Bytes at the start that belong to a record begun in an earlier segment.
    pub continued_bytes: u32,
}

/// `XLogPageHeaderData`, as found.
#[derive(Clone, Copy)]
pub(super) struct PageHeader {
    pub(super) magic: u16,
    pub(super) flags: u16,
    pub(super) timeline: u32,
    pub(super) address: Lsn,
    /// `xlp_rem_len`: bytes still to come of the record that the page continues.
    pub(super) remaining: u32,
}

/// `XLOG_BLCKSZ`. Another size takes a build of one's own, which no container image has.
pub(super) const PAGE_BYTES: usize = 8192;
/// `SizeOfXLogShortPHD`.
pub(super) const SHORT_HEADER_BYTES: usize = 24;

/// `XLP_FIRST_IS_CONTRECORD`.
pub(super) const CONTINUES_RECORD: u16 = 0x1;
/// `XLP_LONG_HEADER`.
pub(super) const LONG_HEADER: u16 = 0x2;

impl SegmentHeader {
    /// `SizeOfXLogLongPHD`: what [`parse`](Self::parse) needs to see of a segment.
    pub const BYTES: usize = 40;

    /// Reads the first bytes of a segment.
    pub fn parse(segment: &[u8]) -> Result<Self, HeaderDamage> {
        let too_short = || HeaderDamage::TooShort(segment.len());
        let mut fields = LittleEndian(segment);
        let page = PageHeader::parse(&mut fields).ok_or_else(too_short)?;
        let version =
            Version::of_magic(page.magic).ok_or(HeaderDamage::UnknownMagic(page.magic))?;
        page.check_flags(version)?;
        if !page.has(LONG_HEADER) {
            return Err(HeaderDamage::NoLongHeader);
        }
        let system_identifier = fields.u64().ok_or_else(too_short)?;
        let segment_bytes = fields.u32().ok_or_else(too_short)?;
        let page_bytes = fields.u32().ok_or_else(too_short)?;
        let segment_size = SegmentSize::new(segment_bytes.into())
            .ok_or(HeaderDamage::SegmentSize(segment_bytes))?;
        if usize::try_from(page_bytes) != Ok(PAGE_BYTES) {
            return Err(HeaderDamage::PageSize(page_bytes));
        }
        if !page.address.value().is_multiple_of(segment_size.bytes()) {
            return Err(HeaderDamage::AddressInside(page.address));
        }
        Ok(Self {
            version,
            timeline: page.timeline()?,
            start: page.address,
            system_identifier,
            segment_size,
            continued_bytes: if page.has(CONTINUES_RECORD) { page.remaining } else { 0 },
        })
    }

    /// Bytes from a position to the end of its segment; 0 where a segment starts.
    pub(super) fn left_in_segment(&self, at: Lsn) -> u64 {
        let size = self.segment_size.bytes();
        (size - at.value() % size) % size
    }
}

impl PageHeader {
    pub(super) fn parse(fields: &mut LittleEndian<'_>) -> Option<Self> {
        let header = Self {
            magic: fields.u16()?,
            flags: fields.u16()?,
            timeline: fields.u32()?,
            address: Lsn::new(fields.u64()?),
            remaining: fields.u32()?,
        };
        fields.skip(4)?;
        Some(header)
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn check_flags(&self, version: Version) -> Result<(), HeaderDamage> {
        if self.flags & !version.known_flags == 0 {
            Ok(())
        } else {
            Err(HeaderDamage::UnknownFlags(self.flags))
        }
    }

    /// Compares the rest of a record that the page announces with what is missing of it.
    pub(super) fn check_continued(&self, expected: usize) -> Result<(), RecordDamage> {
        let found = self.remaining;
        let expected = u32::try_from(expected).unwrap_or(u32::MAX);
        if !self.has(CONTINUES_RECORD) {
            Err(RecordDamage::NotContinued)
        } else if found != expected {
            Err(RecordDamage::ContinuedLength { found, expected })
        } else {
            Ok(())
        }
    }

    pub(super) fn timeline(&self) -> Result<TimelineId, HeaderDamage> {
        TimelineId::new(self.timeline).ok_or(HeaderDamage::NoTimeline)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wal::generator::Generator;

    fn header() -> Vec<u8> {
        Generator::new().finish()[..SegmentHeader::BYTES].to_vec()
    }

    fn check(at: usize, bytes: &[u8], expected: HeaderDamage) {
        let mut header = header();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(SegmentHeader::parse(&header), Err(expected));
    }

    #[test]
    fn a_sound_header_tells_everything() {
        let header = SegmentHeader::parse(&header()).unwrap();
        assert_eq!(header.version.major, 15);
        assert_eq!(header.start, Generator::START);
        assert_eq!(header.system_identifier, Generator::SYSTEM_IDENTIFIER);
        assert_eq!(header.segment_size.bytes(), 1 << 20);
        assert_eq!(header.timeline, TimelineId::FIRST);
        assert_eq!(header.continued_bytes, 0);
    }

    #[test]
    fn each_field_is_checked() {
        check(0, &[0, 0], HeaderDamage::UnknownMagic(0));
        check(2, &[0x12, 0], HeaderDamage::UnknownFlags(0x12));
        check(2, &[0, 0], HeaderDamage::NoLongHeader);
        check(4, &[0; 4], HeaderDamage::NoTimeline);
        check(9, &[0x20], HeaderDamage::AddressInside(Lsn::new(0x0030_2000)));
        check(32, &[1, 0, 0, 0], HeaderDamage::SegmentSize(1));
        check(37, &[0x40], HeaderDamage::PageSize(16384));
    }

    #[test]
    fn a_short_header_is_no_header() {
        for length in 0..SegmentHeader::BYTES {
            let parsed = SegmentHeader::parse(&header()[..length]);
            assert_eq!(parsed, Err(HeaderDamage::TooShort(length)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
            let _: Result<SegmentHeader, HeaderDamage> = SegmentHeader::parse(&bytes);
        }
    }
}
