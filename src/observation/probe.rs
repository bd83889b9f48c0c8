//! What opening one segment showed.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::wal::Damage;
use crate::wal::DamageKind;
use crate::wal::HeaderDamage;

/// A segment of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    pub timeline: TimelineId,
    pub number: SegmentNumber,
}

/// What opening one segment showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentProbe {
    Read(SegmentContent),
    Damaged(DamagedSegment),
}

/// What the WAL inside says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentContent {
    pub system_identifier: u64,
    /// The newest commit or abort that is complete in this segment.
    pub newest_commit_at: Option<DateTime<Utc>>,
    /// The same before each position in it where a backup ended.
    pub newest_before: Vec<(Lsn, Option<DateTime<Utc>>)>,
}

/// A segment with something wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSegment {
    pub damage: SegmentDamage,
    /// What recovery replays of it all the same; `None` where it is not even given the segment.
    pub replayed: Option<ReplayedPart>,
    /// What it holds for the recovery of a base backup that begins behind the damage.
    pub sound: Option<SoundPart>,
}

/// The end of a segment, where every record is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundPart {
    pub from: Lsn,
    pub content: SegmentContent,
}

/// The beginning of a segment, up to the first bad record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayedPart {
    pub until: Lsn,
    pub newest_commit_at: Option<DateTime<Utc>>,
}

/// Why the stored bytes are not the segment they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentDamage {
    #[error("the content ends too early")]
    Truncated,
    /// In the decoder's words.
    #[error("{0}")]
    Undecodable(String),
    #[error("the content is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    #[error("it has {found} bytes, expected {expected}")]
    Length { found: u64, expected: u64 },
    /// A complete segment is filled, or left with a switch.
    #[error("the log ends at {0}, inside the segment")]
    Ends(Lsn),
    #[error("it does not begin with a page header")]
    NoHeader,
    #[error(transparent)]
    Log(#[from] Damage),
}

impl SegmentDamage {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Truncated | Self::Ends(_) => "truncated",
            Self::Length { found, expected } if *found < *expected => "truncated",
            Self::Undecodable(_) => "undecodable",
            Self::TooLarge { .. } | Self::Length { .. } => "wrong_size",
            Self::NoHeader => "bad_page_header",
            Self::Log(damage) => match damage.kind {
                DamageKind::Header(HeaderDamage::OtherSegmentSize { .. }) => "wrong_size",
                DamageKind::Header(HeaderDamage::OtherAddress { .. }) => "wrong_address",
                DamageKind::Header(_) => "bad_page_header",
                DamageKind::Record(_) => "bad_crc",
            },
        }
    }
}
