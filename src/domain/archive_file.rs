//! What a name below `wals/` means.

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

/// One object of the archive, by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    pub kind: ArchiveFileKind,
    pub codec: Codec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFileKind {
    /// A whole segment.
    Segment(SegmentName),
    /// The unfinished last segment of a timeline that a promotion ended.
    Partial(SegmentName),
    /// The label that ends a backup taken from a primary.
    BackupLabel(SegmentName),
    History(TimelineId),
}

impl ArchiveFile {
    /// Reads a path relative to `wals/`, as barman-cloud writes it: a history file lies there
    /// directly, everything else in the folder that its first sixteen digits name.
    ///
    /// `None` is a stray: nothing that `barman-cloud-wal-restore` would find when PostgreSQL asks
    /// (`_get_wals_to_download` in `barman/cloud.py`), such as a name in lower case or a segment
    /// in another segment's folder.
    pub fn parse(path: &str) -> Option<Self> {
        let (folder, name) = match path.split_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, path),
        };
        let (stem, codec) = Codec::split(name);
        let kind = match folder {
            None => ArchiveFileKind::History(parse_history_name(stem)?),
            Some(folder) => {
                let kind = parse_segment_name(stem)?;
                (name.get(..FOLDER_DIGITS) == Some(folder)).then_some(kind)?
            }
        };
        Some(Self { kind, codec })
    }
}

/// Timeline and log; the rest of a segment's name counts within the folder.
const FOLDER_DIGITS: usize = 16;

fn parse_history_name(stem: &str) -> Option<TimelineId> {
    let digits = stem.strip_suffix(".history")?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    if digits.len() != 8 || !digits.bytes().all(is_digit) {
        return None;
    }
    TimelineId::new(u32::from_str_radix(digits, 16).ok()?)
}

fn parse_segment_name(stem: &str) -> Option<ArchiveFileKind> {
    let Some((name, rest)) = stem.split_once('.') else {
        return SegmentName::parse(stem).ok().map(ArchiveFileKind::Segment);
    };
    let name = SegmentName::parse(name).ok()?;
    if rest == "partial" {
        return Some(ArchiveFileKind::Partial(name));
    }
    let offset = rest.strip_suffix(".backup")?;
    let is_offset = offset.len() == 8 && offset.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_offset.then_some(ArchiveFileKind::BackupLabel(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FOLDER: &str = "0000000100000000";
    const NAME: &str = "00000001000000000000000A";

    fn segment() -> SegmentName {
        SegmentName::parse(NAME).unwrap()
    }

    #[test]
    fn every_suffix_of_every_kind_is_known() {
        for codec in Codec::ALL {
            let suffix = codec.suffix();
            let cases = [
                (format!("{FOLDER}/{NAME}"), ArchiveFileKind::Segment(segment())),
                (format!("{FOLDER}/{NAME}.partial"), ArchiveFileKind::Partial(segment())),
                (
                    format!("{FOLDER}/{NAME}.00000028.backup"),
                    ArchiveFileKind::BackupLabel(segment()),
                ),
                ("0000000B.history".to_owned(), {
                    ArchiveFileKind::History(TimelineId::new(11).unwrap())
                }),
            ];
            for (path, kind) in cases {
                let parsed = ArchiveFile::parse(&format!("{path}{suffix}"));
                assert_eq!(parsed, Some(ArchiveFile { kind, codec }), "{path}{suffix}");
            }
        }
    }

    #[test]
    fn what_barman_would_not_restore_is_a_stray() {
        let strays = [
            "",
            "/",
            "00000001",
            "2.history",
            "00000000.history",
            "0000000b.history",
            "0000000100000000/00000002.history",
            "00000001000000000000000A",
            "0000000100000000/",
            "0000000100000001/00000001000000000000000A",
            "0000000100000000/00000001000000000000000a",
            "0000000100000000/00000001000000000000000A.zstd",
            "0000000100000000/00000001000000000000000A.gz.bz2",
            "0000000100000000/00000001000000000000000A.0028.backup",
            "0000000100000000/x/00000001000000000000000A",
            "0000000100000000/00000001000000000000000A\n",
            "../0000000100000000/00000001000000000000000A",
        ];
        for path in strays {
            assert_eq!(ArchiveFile::parse(path), None, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_parsed_or_a_stray(path: String) {
            if let Some(file) = ArchiveFile::parse(&path) {
                prop_assert!(path.ends_with(file.codec.suffix()));
            }
        }
    }
}
