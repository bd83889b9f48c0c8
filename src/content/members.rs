//! What the paths in a base backup say: which file of the data directory is it?

use std::collections::BTreeSet;

use crate::content::page::BLOCKS_PER_FILE;
use crate::domain::object_key::TarContents;
use crate::wal::BlockReference;

/// A part of a relation, by where PostgreSQL looks for it (`relpath.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationFile {
    pub tablespace: u32,
    /// 0 for what all databases share.
    pub database: u32,
    /// The file's number, which is not the relation's own after a rewrite.
    pub relation: u32,
    pub fork: Fork,
    /// Which file of many, of a gigabyte each.
    pub segment: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fork {
    Main,
    FreeSpace,
    Visibility,
    Init,
}

/// `DEFAULTTABLESPACE_OID` and `GLOBALTABLESPACE_OID`.
const DEFAULT_TABLESPACE: u32 = 1663;
const GLOBAL_TABLESPACE: u32 = 1664;

/// A member's path as it is in the data directory: barman writes those of its top with `./`.
pub fn normalised(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// Whether a path leads out of the directory that it is unpacked into.
pub fn leads_out(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}

/// Where the files of one database lie in one tablespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder {
    pub tablespace: u32,
    /// 0 for what all databases share.
    pub database: u32,
}

impl Folder {
    /// Of what all databases share.
    pub const GLOBAL: Self = Self { tablespace: GLOBAL_TABLESPACE, database: 0 };

    /// The tablespace of databases that name no other.
    pub const DEFAULT: u32 = DEFAULT_TABLESPACE;

    /// With the name in it; `None` of what lies elsewhere.
    pub fn of(contents: TarContents, path: &str) -> Option<(Self, &str)> {
        let parts: Vec<&str> = normalised(path).split('/').collect();
        let (tablespace, database, name) = match (contents, parts.as_slice()) {
            (TarContents::DataDirectory, ["global", name]) => return Some((Self::GLOBAL, name)),
            (TarContents::DataDirectory, ["base", database, name]) => {
                (DEFAULT_TABLESPACE, database, name)
            }
            // `PG_15_202209061/5/16384`; barman may name the tablespace's own folder first.
            (TarContents::Tablespace(oid), [.., version, database, name])
                if version.starts_with("PG_") =>
            {
                (oid, database, name)
            }
            _ => return None,
        };
        Some((Self { tablespace, database: number(database)? }, name))
    }

    /// Below the data directory.
    pub fn path(self) -> String {
        let Self { tablespace, database } = self;
        match tablespace {
            GLOBAL_TABLESPACE => "global".to_owned(),
            DEFAULT_TABLESPACE => format!("base/{database}"),
            oid => format!("pg_tblspc/{oid}/{database}"),
        }
    }
}

impl RelationFile {
    /// `None` for everything that is no relation, and so has no checksums.
    pub fn of(contents: TarContents, path: &str) -> Option<Self> {
        let (Folder { tablespace, database }, name) = Folder::of(contents, path)?;
        let (name, segment) = match name.split_once('.') {
            Some((name, segment)) => (name, number(segment)?),
            None => (name, 0),
        };
        let (name, fork) = match name.split_once('_') {
            Some((name, "fsm")) => (name, Fork::FreeSpace),
            Some((name, "vm")) => (name, Fork::Visibility),
            Some((name, "init")) => (name, Fork::Init),
            Some(_) => return None,
            None => (name, Fork::Main),
        };
        Some(Self { tablespace, database, relation: number(name)?, fork, segment })
    }

    /// Below the data directory.
    pub fn path(self) -> String {
        let Self { tablespace, database, relation, fork, segment } = self;
        let folder = Folder { tablespace, database }.path();
        let fork = match fork {
            Fork::Main => "",
            Fork::FreeSpace => "_fsm",
            Fork::Visibility => "_vm",
            Fork::Init => "_init",
        };
        let segment = if segment == 0 { String::new() } else { format!(".{segment}") };
        format!("{folder}/{relation}{fork}{segment}")
    }

    /// The first file of the same fork.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self { segment: 0, ..self }
    }

    /// The number of its first block within the relation; `None` beyond what PostgreSQL counts.
    pub fn first_block(self) -> Option<u32> {
        self.segment.checked_mul(BLOCKS_PER_FILE)
    }
}

/// One page of a relation, by its number in all files of a fork together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// The first of its files.
    pub file: RelationFile,
    pub block: u32,
}

impl BlockId {
    /// `None` for forks that no release has.
    pub fn of_reference(reference: BlockReference) -> Option<Self> {
        let BlockReference { tablespace, database, relation, fork, block } = reference;
        let fork = Fork::of_number(fork)?;
        let file = RelationFile { tablespace, database, relation, fork, segment: 0 };
        Some(Self { file, block })
    }

    /// Whether recovery empties it, as its relation is one of these, which have no log; what they are
    /// emptied to is kept.
    pub fn is_emptied(self, unlogged: &BTreeSet<RelationFile>) -> bool {
        let relation = RelationFile { fork: Fork::Main, ..self.file };
        self.file.fork != Fork::Init && unlogged.contains(&relation)
    }

    /// The file below the data directory, and the number in that.
    pub fn place(self) -> (String, u32) {
        let segment = self.block / BLOCKS_PER_FILE;
        (RelationFile { segment, ..self.file }.path(), self.block % BLOCKS_PER_FILE)
    }
}

impl Fork {
    /// `ForkNumber` in `relpath.h`.
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Main),
            1 => Some(Self::FreeSpace),
            2 => Some(Self::Visibility),
            3 => Some(Self::Init),
            _ => None,
        }
    }

    /// The reverse.
    pub const fn number(self) -> u8 {
        match self {
            Self::Main => 0,
            Self::FreeSpace => 1,
            Self::Visibility => 2,
            Self::Init => 3,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_relations_are_told_from_others() {
        let of = |path: &str| RelationFile::of(TarContents::DataDirectory, path);
        let file = |tablespace, database, relation, fork, segment| {
            Some(RelationFile { tablespace, database, relation, fork, segment })
        };
        assert_eq!(of("base/5/16384"), file(1663, 5, 16384, Fork::Main, 0));
        assert_eq!(of("./base/5/16384.12"), file(1663, 5, 16384, Fork::Main, 12));
        assert_eq!(of("base/5/16384_fsm"), file(1663, 5, 16384, Fork::FreeSpace, 0));
        assert_eq!(of("base/5/16384_vm.1"), file(1663, 5, 16384, Fork::Visibility, 1));
        assert_eq!(of("global/1262"), file(1664, 0, 1262, Fork::Main, 0));
        for other in [
            "PG_VERSION",
            "global/pg_control",
            "global/pg_filenode.map",
            "base/5/PG_VERSION",
            "base/5/pg_internal.init",
            "base/5/t3_16384",
            "base/5/16384_tmp",
            "base/x/16384",
            "base/5/16384.x",
            "base/5/99999999999",
            "pg_xact/0000",
            "base/5/+16384",
            "base/5/16384/1",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        let of = |path: &str| RelationFile::of(TarContents::Tablespace(16400), path);
        for path in
            ["PG_15_202209061/5/16384", "./PG_15_202209061/5/16384", "16400/PG_15_2/5/16384"]
        {
            assert_eq!(of(path), file(16400, 5, 16384, Fork::Main, 0), "{path}");
        }
        assert_eq!(of("base/5/16384"), None);
    }

    #[test]
    fn of_a_relation_without_a_log_only_what_it_begins_with_is_kept() {
        let of = |path: &str| RelationFile::of(TarContents::DataDirectory, path).unwrap();
        let unlogged = BTreeSet::from([of("base/5/16384")]);
        let is_emptied =
            |path: &str| BlockId { file: of(path).whole(), block: 1 }.is_emptied(&unlogged);
        for path in ["base/5/16384", "base/5/16384.3", "base/5/16384_fsm", "base/5/16384_vm"] {
            assert!(is_emptied(path), "{path}");
        }
        assert!(!is_emptied("base/5/16384_init") && !is_emptied("base/5/16385"));
    }

    #[test]
    fn blocks_are_counted_through_all_files_of_a_relation() {
        let first =
            |path: &str| RelationFile::of(TarContents::DataDirectory, path).unwrap().first_block();
        assert_eq!(first("base/5/1"), Some(0));
        assert_eq!(first("base/5/1.2"), Some(262_144));
        assert_eq!(first("base/5/1.99999"), None);
    }

    #[test]
    fn a_path_that_leads_out_is_told() {
        for path in ["/etc/passwd", "../x", "a/../../b", ".."] {
            assert!(leads_out(path), "{path}");
        }
        for path in ["./PG_VERSION", "base/5/1", "a..b/c"] {
            assert!(!leads_out(path), "{path}");
        }
    }
}
