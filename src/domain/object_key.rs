//! Where one server's backups and WAL lie in a bucket, and what a key there means.

use crate::domain::archive_file::ArchiveFile;
use crate::domain::backup::BackupId;
use crate::domain::codec::Codec;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;

/// The folder of one server: `<prefix>/<server name>/`, or just the server name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerFolder(String);

/// One object below `base/<backup id>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupFile {
    Info,
    /// `annotations/keep`
    Keep,
    /// A piece of the data directory or of one tablespace; piece 0 is the unnumbered one.
    Tar {
        contents: TarContents,
        piece: u32,
        codec: Codec,
    },
    Other,
}

/// What a tar file of a base backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TarContents {
    DataDirectory,
    /// The tablespace with this object identifier.
    Tablespace(u32),
}

impl TarContents {
    /// The name of one piece below its backup's folder.
    pub fn file_name(self, piece: u32, codec: Codec) -> String {
        let contents = match self {
            Self::DataDirectory => "data".to_owned(),
            Self::Tablespace(oid) => oid.to_string(),
        };
        let piece = if piece == 0 { String::new() } else { format!("_{piece:04}") };
        format!("{contents}{piece}.tar{}", codec.suffix())
    }
}

impl ServerFolder {
    /// Joins as `os.path.join` does in barman-cloud: slashes at the ends do not double, and an
    /// empty part is left out, so that a server may lie at the root of the bucket.
    pub fn new(prefix: &str, server_name: &str) -> Self {
        let prefix = prefix.trim_start_matches('/');
        let parts = [prefix, server_name.trim_end_matches('/')];
        let parts = parts.iter().filter(|part| !part.is_empty());
        let ended = |part: &&str| {
            let slash = if part.ends_with('/') { "" } else { "/" };
            format!("{part}{slash}")
        };
        Self(parts.map(ended).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn base(&self) -> String {
        format!("{}base/", self.0)
    }

    pub fn wals(&self) -> String {
        format!("{}wals/", self.0)
    }

    pub fn backup_info(&self, id: &BackupId) -> String {
        format!("{}base/{id}/backup.info", self.0)
    }

    pub fn keep_annotation(&self, id: &BackupId) -> String {
        format!("{}base/{id}/annotations/keep", self.0)
    }

    pub fn segment(&self, name: SegmentName, codec: Codec) -> String {
        format!("{}wals/{}/{name}{}", self.0, name.folder(), codec.suffix())
    }

    pub fn history(&self, timeline: TimelineId, codec: Codec) -> String {
        format!("{}wals/{:08X}.history{}", self.0, timeline.value(), codec.suffix())
    }

    /// What an object of the archive is; `None` is a stray.
    pub fn archive_file(&self, key: &str) -> Option<ArchiveFile> {
        ArchiveFile::parse(key.strip_prefix(&self.0)?.strip_prefix("wals/")?)
    }

    /// Which backup an object below `base/` belongs to, and what it is; `None` is a stray.
    pub fn backup_file(&self, key: &str) -> Option<(BackupId, BackupFile)> {
        let path = key.strip_prefix(&self.0)?.strip_prefix("base/")?;
        let (id, file) = path.split_once('/')?;
        Some((BackupId::parse(id).ok()?, BackupFile::parse(file)))
    }
}

impl BackupFile {
    fn parse(path: &str) -> Self {
        match path {
            "backup.info" => Self::Info,
            "annotations/keep" => Self::Keep,
            _ => Self::parse_tar(path).unwrap_or(Self::Other),
        }
    }

    /// `data.tar`, `data_0001.tar`, `16384.tar`, each with a compression's suffix
    /// (`CloudBackupUploader` in `barman/cloud.py`).
    fn parse_tar(path: &str) -> Option<Self> {
        let (stem, codec) = Codec::split(path);
        let stem = stem.strip_suffix(".tar")?;
        let (contents, piece) = match stem.split_once('_') {
            None => (stem, 0),
            Some((contents, digits)) => {
                let is_number = digits.len() >= 4 && digits.bytes().all(|it| it.is_ascii_digit());
                (contents, is_number.then(|| digits.parse().ok()).flatten()?)
            }
        };
        let contents = match contents {
            "data" => TarContents::DataDirectory,
            // As PostgreSQL prints an object identifier: no sign, no leading zero.
            oid if oid.starts_with(['+', '0']) => return None,
            oid => TarContents::Tablespace(oid.parse().ok()?),
        };
        Some(Self::Tar { contents, piece, codec })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tar(contents: TarContents, piece: u32, codec: Codec) -> BackupFile {
        BackupFile::Tar { contents, piece, codec }
    }

    #[test]
    fn a_slash_around_a_prefix_does_not_matter() {
        for prefix in ["a/b", "/a/b", "a/b/", "//a/b"] {
            assert_eq!(ServerFolder::new(prefix, "pg").as_str(), "a/b/pg/", "{prefix}");
        }
        assert_eq!(ServerFolder::new("a/b//", "pg").as_str(), "a/b//pg/");
        assert_eq!(ServerFolder::new("", "pg").wals(), "pg/wals/");
        assert_eq!(ServerFolder::new("/", "pg").base(), "pg/base/");
        assert_eq!(ServerFolder::new("a", "").base(), "a/base/");
        assert_eq!(ServerFolder::new("", "").wals(), "wals/");
    }

    #[test]
    fn the_files_of_a_backup_are_told_apart() {
        let folder = ServerFolder::new("x", "pg");
        let cases = [
            ("backup.info", BackupFile::Info),
            ("annotations/keep", BackupFile::Keep),
            ("data.tar", tar(TarContents::DataDirectory, 0, Codec::None)),
            ("data.tar.bz2", tar(TarContents::DataDirectory, 0, Codec::Bzip2)),
            ("data_0001.tar.gz", tar(TarContents::DataDirectory, 1, Codec::Gzip)),
            ("16384.tar.snappy", tar(TarContents::Tablespace(16384), 0, Codec::Snappy)),
            ("16384_0012.tar.lz4", tar(TarContents::Tablespace(16384), 12, Codec::Lz4)),
            ("data_1.tar", BackupFile::Other),
            ("+16384.tar", BackupFile::Other),
            ("016384.tar", BackupFile::Other),
            ("data_000x.tar", BackupFile::Other),
            ("data.zip", BackupFile::Other),
            ("", BackupFile::Other),
        ];
        let id = BackupId::parse("20260801T020000").unwrap();
        for (file, meaning) in cases {
            let key = format!("x/pg/base/20260801T020000/{file}");
            assert_eq!(folder.backup_file(&key), Some((id.clone(), meaning.clone())), "{key}");
            if let BackupFile::Tar { contents, piece, codec } = meaning {
                assert_eq!(contents.file_name(piece, codec), file);
            }
        }
        for stray in ["x/pg/base/latest/data.tar", "x/pg/base/20260801T020000", "y/pg/base/a/b"] {
            assert_eq!(folder.backup_file(stray), None, "{stray}");
        }
    }

    proptest! {
        #[test]
        fn any_key_is_understood_or_a_stray(key: String) {
            let folder = ServerFolder::new("", "pg");
            let _: Option<ArchiveFile> = folder.archive_file(&key);
            let _: Option<(BackupId, BackupFile)> = folder.backup_file(&key);
        }
    }
}
