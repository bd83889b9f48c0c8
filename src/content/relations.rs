//! Which relations the catalogues tell of, and whether what a base backup holds of each can be right.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::members::Folder;
use crate::content::members::Fork;
use crate::content::members::RelationFile;
use crate::content::page::PAGE_BYTES;
use crate::content::placement::CATALOGUE;
use crate::content::placement::Row;
use crate::content::placement::rows;

/// What a base backup shows of both, by the first file of each relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    told: BTreeMap<RelationFile, Kind>,
    found: BTreeSet<RelationFile>,
    /// Files with an empty first page, and others behind it.
    blank: BTreeSet<RelationFile>,
    /// There are more than are kept, so what is not found may be one of those.
    is_beyond: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of rows.
    Table,
    Other,
}

/// More than anybody has in a cluster; 7 MB of memory for both.
const KEPT_MAX: usize = 100_000;

/// `GLOBALTABLESPACE_OID`.
const SHARED: u32 = Folder::GLOBAL.tablespace;

impl Relations {
    pub fn note_file(&mut self, file: RelationFile) {
        if file.fork == Fork::Main && file.segment == 0 {
            self.is_beyond |= self.found.len() >= KEPT_MAX;
            if !self.is_beyond {
                self.found.insert(file);
            }
        }
    }

    /// The first page of a file is empty, and one behind it is not.
    pub fn note_blank(&mut self, file: RelationFile) {
        if file.fork == Fork::Main && file.segment == 0 && self.blank.len() < KEPT_MAX {
            self.blank.insert(file);
        }
    }

    /// Takes over a page of this file, if that is a catalogue of relations.
    pub fn note_page(&mut self, file: RelationFile, page: &[u8; PAGE_BYTES]) {
        if file.relation != CATALOGUE || file.fork != Fork::Main {
            return;
        }
        for row in rows(page) {
            let Some(kind) = kind_of(&row).filter(|_| row.file != 0) else { continue };
            // The catalogue lies in the tablespace of its database.
            let tablespace = if row.tablespace == 0 { file.tablespace } else { row.tablespace };
            let database = if tablespace == SHARED { 0 } else { file.database };
            self.is_beyond |= self.told.len() >= KEPT_MAX;
            if !self.is_beyond {
                let (relation, fork, segment) = (row.file, Fork::Main, 0);
                let told = RelationFile { tablespace, database, relation, fork, segment };
                self.told.insert(told, kind);
            }
        }
    }

    pub fn is_blank(&self, file: RelationFile) -> bool {
        self.blank.contains(&file)
    }

    /// What lies in another tar file.
    pub fn add(&mut self, other: &Self) {
        self.told.extend(&other.told);
        self.found.extend(&other.found);
        self.blank.extend(&other.blank);
        self.is_beyond |= other.is_beyond;
    }

    /// Those of which no file is there.
    pub fn lost(&self) -> Vec<RelationFile> {
        let is_lost = |file: &&RelationFile| !self.is_beyond && !self.found.contains(file);
        self.told.keys().filter(is_lost).copied().collect()
    }

    /// Tables that begin with an empty page: rows go into the first one first, and what builds an index may leave
    /// it for last.
    pub fn blank_tables(&self) -> impl Iterator<Item = RelationFile> {
        let is_table = |file: &&RelationFile| self.told.get(file) == Some(&Kind::Table);
        self.blank.iter().filter(is_table).copied()
    }
}

/// Of a row that is alive, and tells of a relation with a file that recovery keeps: `relpersistence` and `relkind`
/// of `FormData_pg_class` in `pg_class.h`, before version 18 and from it on.
fn kind_of(row: &Row<'_>) -> Option<Kind> {
    /// `HEAP_XMIN_COMMITTED` and `HEAP_XMAX_INVALID` in `htup_details.h`.
    const INSERTED: u16 = 0x0100;
    const NOT_DELETED: u16 = 0x0800;
    const LIVE: u16 = INSERTED | NOT_DELETED;
    if row.flags & LIVE != LIVE {
        return None;
    }
    [114, 118].into_iter().find_map(|at| match row.columns.get(at..)?.first_chunk()? {
        [b'p' | b'u', b'r' | b't' | b'm'] => Some(Kind::Table),
        [b'p' | b'u', b'i' | b'S'] => Some(Kind::Other),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object_key::TarContents;

    fn file(path: &str) -> RelationFile {
        RelationFile::of(TarContents::DataDirectory, path).unwrap()
    }

    /// A page of `pg_class` with one row.
    fn page(flags: u16, relation: u32, kind: &[u8; 2]) -> [u8; PAGE_BYTES] {
        const AT: usize = 8000;
        let mut page = [0; PAGE_BYTES];
        page[12..14].copy_from_slice(&28_u16.to_le_bytes());
        let pointer = 8000_u32 | 1 << 15 | 180 << 17;
        page[24..28].copy_from_slice(&pointer.to_le_bytes());
        page[AT + 20..AT + 22].copy_from_slice(&flags.to_le_bytes());
        page[AT + 22] = 24;
        page[AT + 24 + 88..AT + 24 + 92].copy_from_slice(&relation.to_le_bytes());
        page[AT + 24 + 114..AT + 24 + 116].copy_from_slice(kind);
        page
    }

    #[test]
    fn a_relation_that_lives_must_have_a_file() {
        let catalogue = file("base/5/1259");
        let lost = |flags, relation, kind| {
            let mut relations = Relations::default();
            relations.note_file(file("base/5/16384"));
            relations.note_page(catalogue, &page(flags, relation, kind));
            relations.lost()
        };
        assert_eq!(lost(0x0900, 16_385, b"pr"), [file("base/5/16385")]);
        assert_eq!(lost(0x0b00, 16_385, b"ui"), [file("base/5/16385")]);
        assert_eq!(lost(0x0900, 16_384, b"pr"), []);
        // Not committed, deleted, temporary, without a file, a view.
        for (flags, relation, kind) in [
            (0x0800, 16_385, b"pr"),
            (0x0100, 16_385, b"pr"),
            (0x0900, 16_385, b"tr"),
            (0x0900, 0, b"pr"),
            (0x0900, 16_385, b"pv"),
        ] {
            assert_eq!(lost(flags, relation, kind), [], "{flags:x} {relation} {kind:?}");
        }
    }

    #[test]
    fn only_a_table_cannot_begin_with_an_empty_page() {
        let blank = |kind| {
            let mut relations = Relations::default();
            relations.note_blank(file("base/5/16385"));
            relations.note_blank(file("base/5/16386"));
            relations.note_page(file("base/5/1259"), &page(0x0900, 16_385, kind));
            relations.blank_tables().collect::<Vec<_>>()
        };
        assert_eq!(blank(b"pr"), [file("base/5/16385")]);
        assert_eq!(blank(b"pi"), []);
    }
}
