//! What opening one segment showed.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::observation::Reading;

/// A segment of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    pub timeline: TimelineId,
    pub number: SegmentNumber,
}

/// The segments that were opened in this look or an earlier one.
pub type Probes = BTreeMap<SegmentId, Reading<SegmentProbe>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentProbe {
    Read(SegmentContent),
    Damaged(SegmentDamage),
}

/// What the WAL inside says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentContent {
    pub system_identifier: u64,
    pub segment_size: SegmentSize,
    /// The newest commit or abort that is complete in this segment.
    pub newest_commit_at: Option<DateTime<Utc>>,
}

/// Why the stored bytes are not the segment they claim to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentDamage {
    pub kind: SegmentDamageKind,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentDamageKind {
    Truncated,
    Undecodable,
    WrongSize,
    BadPageHeader,
    WrongAddress,
    BadCrc,
}

impl SegmentDamageKind {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Undecodable => "undecodable",
            Self::WrongSize => "wrong_size",
            Self::BadPageHeader => "bad_page_header",
            Self::WrongAddress => "wrong_address",
            Self::BadCrc => "bad_crc",
        }
    }
}
