//! Holds each page against what is known of the log so far
//! (`XLogReaderValidatePageHeader` in `xlogreader.c`).

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::wal::damage::HeaderDamage;
use crate::wal::fields::LittleEndian;
use crate::wal::page::LONG_HEADER;
use crate::wal::page::PageHeader;
use crate::wal::page::SegmentHeader;

/// What the bytes must be. What is `None` is believed to the first segment's header.
#[derive(Clone, Copy, Debug, Default)]
pub struct SegmentIdentity {
    pub start: Option<Lsn>,
    /// The timeline in the file's name: no page may be of a later one.
    pub timeline: Option<TimelineId>,
    pub segment_size: Option<SegmentSize>,
    pub system_identifier: Option<u64>,
}

/// What all pages of a log must agree with.
#[derive(Clone, Debug)]
pub(super) struct PageRules {
    pub(super) identity: SegmentIdentity,
    /// The first segment's header, once it was read.
    pub(super) first: Option<SegmentHeader>,
    /// The timeline of the page read last.
    pub(super) timeline: Option<TimelineId>,
}

impl PageRules {
    pub(super) fn new(identity: SegmentIdentity) -> Self {
        Self { identity, first: None, timeline: None }
    }

    /// Reads the header of the page that belongs at `at`. Only the first page of all may belong
    /// wherever it says.
    pub(super) fn check(
        &mut self,
        header: &[u8],
        at: Option<Lsn>,
    ) -> Result<PageHeader, HeaderDamage> {
        let page = PageHeader::parse(&mut LittleEndian(header))
            .ok_or(HeaderDamage::TooShort(header.len()))?;
        if let Some(expected) = self.first.map(|first| first.version.magic)
            && page.magic != expected
        {
            return Err(HeaderDamage::OtherMagic { found: page.magic, expected });
        }
        match self.first {
            Some(first) if at.is_some_and(|at| first.left_in_segment(at) > 0) => {
                page.check_flags(first.version)?;
                if page.has(LONG_HEADER) {
                    return Err(HeaderDamage::LongHeaderInside);
                }
            }
            Some(_) | None => self.check_segment(SegmentHeader::parse(header)?)?,
        }
        if let Some(expected) = at.filter(|at| *at != page.address) {
            return Err(HeaderDamage::OtherAddress { found: page.address, expected });
        }
        self.timeline = Some(self.check_timeline(page.timeline()?)?);
        Ok(page)
    }

    fn check_segment(&mut self, segment: SegmentHeader) -> Result<(), HeaderDamage> {
        let first = *self.first.get_or_insert(segment);
        let found = segment.system_identifier;
        let expected = self.identity.system_identifier.unwrap_or(first.system_identifier);
        if found != expected {
            return Err(HeaderDamage::OtherSystem { found, expected });
        }
        let found = segment.segment_size.bytes();
        let expected = self.identity.segment_size.unwrap_or(first.segment_size).bytes();
        if found != expected {
            return Err(HeaderDamage::OtherSegmentSize { found, expected });
        }
        Ok(())
    }

    fn check_timeline(&self, found: TimelineId) -> Result<TimelineId, HeaderDamage> {
        if let Some(file) = self.identity.timeline.filter(|file| found > *file) {
            return Err(HeaderDamage::TimelineAhead { found, file });
        }
        if let Some(before) = self.timeline.filter(|before| found < *before) {
            return Err(HeaderDamage::TimelineBackwards { found, before });
        }
        Ok(found)
    }
}
