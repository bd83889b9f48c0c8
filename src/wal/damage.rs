//! What can be wrong with a log, and where. Whether it matters is for others to judge.

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;

/// A place where PostgreSQL would stop reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at {at}")]
pub struct Damage {
    /// Where the page or the record starts.
    pub at: Lsn,
    pub kind: DamageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    #[error(transparent)]
    Header(#[from] HeaderDamage),
    #[error(transparent)]
    Record(#[from] RecordDamage),
}

/// Why a page header is refused (`XLogReaderValidatePageHeader` in `xlogreader.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderDamage {
    #[error("{0} bytes are too few for a segment header")]
    TooShort(usize),
    #[error("page magic {0:04X} belongs to no PostgreSQL version from 13 to 19")]
    UnknownMagic(u16),
    #[error("page magic {found:04X} follows pages of {expected:04X}")]
    OtherMagic { found: u16, expected: u16 },
    #[error("page flags {0:04X} are not known")]
    UnknownFlags(u16),
    #[error("the first page of a segment has no long header")]
    NoLongHeader,
    #[error("a page inside a segment has a long header")]
    LongHeaderInside,
    #[error("{0} bytes is not a segment size")]
    SegmentSize(u32),
    #[error("segment size {found}, expected {expected}")]
    OtherSegmentSize { found: u64, expected: u64 },
    #[error("page size {0}, expected 8192")]
    PageSize(u32),
    #[error("page address {0} starts no segment")]
    AddressInside(Lsn),
    #[error("page address {found}, expected {expected}")]
    OtherAddress { found: Lsn, expected: Lsn },
    #[error("system identifier {found}, expected {expected}")]
    OtherSystem { found: u64, expected: u64 },
    #[error("a page of timeline 0")]
    NoTimeline,
    #[error("a page of timeline {found} in a file of timeline {file}")]
    TimelineAhead { found: TimelineId, file: TimelineId },
    #[error("a page of timeline {found} after one of timeline {before}")]
    TimelineBackwards { found: TimelineId, before: TimelineId },
}

/// Why a record is refused (`XLogDecodeNextRecord` and its helpers in `xlogreader.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordDamage {
    #[error("record length {0} is impossible")]
    Length(u32),
    #[error("record linked to {found}, expected {expected}")]
    Link { found: Lsn, expected: Lsn },
    #[error("record linked forwards to {0}")]
    LinkForwards(Lsn),
    #[error("record checksum {computed:08X}, expected {stored:08X}")]
    Checksum { computed: u32, stored: u32 },
    #[error("the next page does not continue the record")]
    NotContinued,
    #[error("the next page continues the record with {found} bytes, expected {expected}")]
    ContinuedLength { found: u32, expected: u32 },
    #[error("a page continues a record that had ended")]
    ContinuedAfterEnd,
    #[error("record replaces one at {found}, expected {expected}")]
    OtherOverwritten { found: Lsn, expected: Lsn },
}
