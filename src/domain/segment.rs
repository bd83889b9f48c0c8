//! WAL segments: their size, their number on a timeline, their file name.

use std::fmt;

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;

/// The size of every segment of one server; PostgreSQL's `wal_segment_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentSize(u64);

/// A segment's place in the log, counted from 0; PostgreSQL's `XLogSegNo`.
///
/// Which bytes it covers depends on the [`SegmentSize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(u64);

/// Timeline, log and segment as the 24 hexadecimal digits of a file name give them.
///
/// The name alone does not tell the number: that takes the segment size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    pub timeline: TimelineId,
    log: u32,
    index: u32,
}

/// Consecutive segments of one timeline, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentRange {
    pub first: SegmentNumber,
    pub last: SegmentNumber,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    #[error("{0:?} is not 24 upper-case hexadecimal digits")]
    NotAName(String),
    #[error("segment {0} cannot exist with segments of {1} bytes")]
    BeyondSize(SegmentName, u64),
}

impl SegmentSize {
    /// What `initdb` chooses unless told otherwise (`DEFAULT_XLOG_SEG_SIZE`).
    pub const DEFAULT: Self = Self(16 << 20);

    /// PostgreSQL allows powers of two from 1 MiB to 1 GiB (`IsValidWalSegSize`).
    pub fn new(bytes: u64) -> Option<Self> {
        (bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&bytes)).then_some(Self(bytes))
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// How many segments share one value of the name's middle part (`XLogSegmentsPerXLogId`).
    pub const fn segments_per_log(self) -> u64 {
        (1 << 32) / self.0
    }
}

impl SegmentNumber {
    pub const LAST: Self = Self(u64::MAX);

    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn value(self) -> u64 {
        self.0
    }

    /// The segment that holds a position (`XLByteToSeg`).
    pub const fn containing(lsn: Lsn, size: SegmentSize) -> Self {
        Self(lsn.value() / size.0)
    }

    pub const fn start(self, size: SegmentSize) -> Lsn {
        Lsn::new(self.0.saturating_mul(size.0))
    }

    /// The first position after this segment.
    pub const fn end(self, size: SegmentSize) -> Lsn {
        self.next().start(size)
    }

    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub const fn previous(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    pub fn name(self, timeline: TimelineId, size: SegmentSize) -> SegmentName {
        let per_log = size.segments_per_log();
        let part = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        SegmentName { timeline, log: part(self.0 / per_log), index: part(self.0 % per_log) }
    }
}

impl SegmentName {
    /// Reads `XLogFileName`'s form. PostgreSQL and barman-cloud ask for upper case only, so a
    /// lower-case name is no segment anybody could restore.
    pub fn parse(text: &str) -> Result<Self, SegmentError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        let refused = || SegmentError::NotAName(text.to_owned());
        if text.len() != 24 || !text.bytes().all(is_digit) {
            return Err(refused());
        }
        let part = |range| {
            text.get(range)
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or_else(refused)
        };
        let timeline = TimelineId::new(part(0..8)?).ok_or_else(refused)?;
        Ok(Self { timeline, log: part(8..16)?, index: part(16..24)? })
    }

    /// The number, unless no segment of this size bears the name.
    pub fn number(self, size: SegmentSize) -> Result<SegmentNumber, SegmentError> {
        let (log, index) = (u64::from(self.log), u64::from(self.index));
        if index < size.segments_per_log() {
            Ok(SegmentNumber(log * size.segments_per_log() + index))
        } else {
            Err(SegmentError::BeyondSize(self, size.bytes()))
        }
    }

    /// The folder that barman-cloud keeps the segment in (`hash_dir` in `barman/xlog.py`).
    pub fn folder(self) -> String {
        format!("{:08X}{:08X}", self.timeline.value(), self.log)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}{:08X}{:08X}", self.timeline.value(), self.log, self.index)
    }
}

impl fmt::Debug for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SegmentRange {
    /// Both ends included; nothing if `last` lies before `first`.
    pub fn new(first: SegmentNumber, last: SegmentNumber) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    pub const fn only(number: SegmentNumber) -> Self {
        Self { first: number, last: number }
    }

    pub const fn count(&self) -> u64 {
        (self.last.0 - self.first.0).saturating_add(1)
    }

    pub fn contains(&self, number: SegmentNumber) -> bool {
        self.first <= number && number <= self.last
    }

    /// What both ranges share.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(mib: u64) -> SegmentSize {
        SegmentSize::new(mib << 20).unwrap()
    }

    #[test]
    fn only_powers_of_two_from_1_mib_to_1_gib_are_segment_sizes() {
        for bytes in [0, 1, 1 << 19, (1 << 20) + 1, 3 << 20, 1 << 31] {
            assert_eq!(SegmentSize::new(bytes), None, "{bytes}");
        }
    }

    #[test]
    fn the_last_segment_of_a_log_depends_on_the_size() {
        let last_of_first_log = |mib| {
            let number = SegmentNumber::new(size(mib).segments_per_log() - 1);
            number.name(TimelineId::FIRST, size(mib)).to_string()
        };
        assert_eq!(last_of_first_log(1), "000000010000000000000FFF");
        assert_eq!(last_of_first_log(16), "0000000100000000000000FF");
        assert_eq!(last_of_first_log(64), "00000001000000000000003F");
        assert_eq!(last_of_first_log(1024), "000000010000000000000003");
    }

    #[test]
    fn a_name_beyond_the_segment_size_has_no_number() {
        let name = SegmentName::parse("000000010000000000000100").unwrap();
        assert_eq!(name.number(size(16)), Err(SegmentError::BeyondSize(name, 16 << 20)));
        assert_eq!(name.number(size(1)), Ok(SegmentNumber::new(256)));
    }

    #[test]
    fn text_that_is_no_segment_name_is_refused() {
        let names =
            ["", "00000002.history", "00000001000000000000000a", "000000000000000000000001"];
        for text in names {
            assert!(SegmentName::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_survives_its_name(power in 0_u32..=10, timeline in 1_u32.., number in 0_u64..1 << 34) {
            let size = size(1 << power);
            let number = SegmentNumber::new(number % (size.segments_per_log() << 32));
            let name = number.name(TimelineId::new(timeline).unwrap(), size);
            let parsed = SegmentName::parse(&name.to_string()).unwrap();
            prop_assert_eq!(parsed, name);
            prop_assert_eq!(parsed.number(size), Ok(number));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            if let Ok(name) = SegmentName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
