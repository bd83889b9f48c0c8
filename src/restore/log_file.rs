//! Files of the log that a recovery asks for, by their names and where they are stored.

use crate::domain::archive_file::ArchiveFileKind;
use crate::domain::codec::Codec;
use crate::domain::object_key::ServerFolder;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

/// A file that PostgreSQL asks for while it recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogFile {
    Segment(SegmentName),
    History(TimelineId),
}

impl LogFile {
    /// `None` for what PostgreSQL never asks for.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(digits) = name.strip_suffix(".history") {
            let is_name = digits.len() == 8 && digits.bytes().all(|it| it.is_ascii_hexdigit());
            let id = u32::from_str_radix(digits, 16).ok().filter(|_| is_name)?;
            return TimelineId::new(id).map(Self::History);
        }
        SegmentName::parse(name).ok().map(Self::Segment)
    }

    pub(super) fn key(self, folder: &ServerFolder, codec: Codec) -> String {
        match self {
            Self::Segment(name) => folder.segment(name, codec),
            Self::History(timeline) => folder.history(timeline, codec),
        }
    }

    pub(super) fn is(self, kind: ArchiveFileKind) -> bool {
        match self {
            Self::Segment(name) => kind == ArchiveFileKind::Segment(name),
            Self::History(timeline) => kind == ArchiveFileKind::History(timeline),
        }
    }
}

impl std::fmt::Display for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Segment(name) => write!(f, "{name}"),
            Self::History(timeline) => write!(f, "{:08X}.history", timeline.value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_asks_for_segments_and_histories() {
        let segment = LogFile::parse("0000000100000000000000A0").unwrap();
        assert_eq!(segment.to_string(), "0000000100000000000000A0");
        let history = LogFile::parse("0000000A.history").unwrap();
        assert_eq!(history.to_string(), "0000000A.history");
        for name in ["", "0000000A.historY", "+000000A.history", "../../etc/passwd", "RECOVERYXLOG"]
        {
            assert_eq!(LogFile::parse(name), None, "{name}");
        }
    }
}
