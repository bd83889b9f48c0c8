//! In which tablespace the catalogue of relations says that a file lies: files that say nothing of it themselves
//! are told from those of another tablespace by that.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::members::Fork;
use crate::content::members::RelationFile;
use crate::content::page::PAGE_BYTES;

/// What a base backup shows of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placements {
    /// By database and file. Rows that are dead stay right: a relation that is moved gets another file.
    told: BTreeMap<(u32, u32), Told>,
    found: BTreeSet<RelationFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    In(u32),
    /// In several: then it tells nothing.
    Doubtful,
}

/// The file of `pg_class`, until somebody rewrites it.
pub(super) const CATALOGUE: u32 = 1259;

/// A tar file that took another one's place shows that by any of its files.
const FOUND_MAX: usize = 1_000;

/// Beyond what anybody keeps outside of the default tablespace; 3 MB of memory.
const TOLD_MAX: usize = 50_000;

/// `relfilenode` and `reltablespace` of `FormData_pg_class` in `pg_class.h`, from version 12 on.
const FILE_AT: usize = 88;
const TABLESPACE_AT: usize = 92;

impl Placements {
    pub fn note_file(&mut self, file: RelationFile, is_in_tablespace: InTablespace) {
        let is_first = file.fork == Fork::Main && file.segment == 0;
        if is_in_tablespace == InTablespace::Yes && is_first && self.found.len() < FOUND_MAX {
            self.found.insert(file);
        }
    }

    /// Takes over a page of this file, if that is a catalogue of relations.
    pub fn note_page(&mut self, file: RelationFile, page: &[u8; PAGE_BYTES]) {
        if file.relation != CATALOGUE || file.fork != Fork::Main {
            return;
        }
        for Row { file: number, tablespace, .. } in rows(page) {
            if tablespace == 0 || TOLD_MAX <= self.told.len() {
                continue;
            }
            let told = self.told.entry((file.database, number)).or_insert(Told::In(tablespace));
            if *told != Told::In(tablespace) {
                *told = Told::Doubtful;
            }
        }
    }

    /// What another tar file shows.
    pub fn add(&mut self, other: &Self) {
        for (place, other) in &other.told {
            let told = self.told.entry(*place).or_insert(*other);
            if told != other {
                *told = Told::Doubtful;
            }
        }
        self.found.extend(&other.found);
    }

    /// A file that belongs to another tablespace, which is told beside it.
    pub fn misplaced(&self) -> Option<(RelationFile, u32)> {
        self.found.iter().find_map(|file| match self.told.get(&(file.database, file.relation))? {
            Told::In(tablespace) if *tablespace != file.tablespace => Some((*file, *tablespace)),
            Told::In(_) | Told::Doubtful => None,
        })
    }
}

/// Whether a file comes from the tar file of a tablespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTablespace {
    Yes,
    No,
}

/// What a row of `pg_class` tells.
pub(super) struct Row<'a> {
    pub(super) file: u32,
    pub(super) tablespace: u32,
    /// `t_infomask`.
    pub(super) flags: u16,
    pub(super) columns: &'a [u8],
}

/// Each row of a page of `pg_class` (`HeapTupleHeaderData` in `htup_details.h`).
pub(super) fn rows(page: &[u8; PAGE_BYTES]) -> impl Iterator<Item = Row<'_>> {
    const POINTERS_AT: usize = 24;
    const NORMAL: u32 = 1;
    const FLAGS_AT: usize = 20;
    const HEADER_LENGTH_AT: usize = 22;
    let lower = usize::from(u16::from_le_bytes([page[12], page[13]]));
    let pointers = page.get(POINTERS_AT..lower).unwrap_or_default();
    let (pointers, _) = pointers.as_chunks::<4>();
    pointers.iter().filter_map(|pointer| {
        let pointer = u32::from_le_bytes(*pointer);
        let (offset, flags) = (pointer & 0x7FFF, pointer >> 15 & 3);
        let row = page.get(usize::try_from(offset).ok()?..).filter(|_| flags == NORMAL)?;
        let columns = row.get(usize::from(*row.get(HEADER_LENGTH_AT)?)..)?;
        let number = |at: usize| {
            let bytes = columns.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let flags = u16::from_le_bytes(*row.get(FLAGS_AT..)?.first_chunk()?);
        Some(Row { file: number(FILE_AT)?, tablespace: number(TABLESPACE_AT)?, flags, columns })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object_key::TarContents;

    fn catalogue() -> RelationFile {
        RelationFile::of(TarContents::DataDirectory, "base/5/1259").unwrap()
    }

    /// A page with these rows, and one that was removed.
    fn page(rows: &[(u32, u32)]) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        let (mut at, mut pointer_at) = (PAGE_BYTES, 24);
        for (file, tablespace) in rows {
            at -= 200;
            page[at + 22] = 32;
            page[at + 32 + 88..at + 32 + 92].copy_from_slice(&file.to_le_bytes());
            page[at + 32 + 92..at + 32 + 96].copy_from_slice(&tablespace.to_le_bytes());
            let pointer = u32::try_from(at).unwrap() | 1 << 15 | 200 << 17;
            page[pointer_at..pointer_at + 4].copy_from_slice(&pointer.to_le_bytes());
            pointer_at += 8;
        }
        page[12..14].copy_from_slice(&u16::try_from(pointer_at).unwrap().to_le_bytes());
        page
    }

    fn found(oid: u32, path: &str) -> Placements {
        let mut placements = Placements::default();
        let file = RelationFile::of(TarContents::Tablespace(oid), path).unwrap();
        placements.note_file(file, InTablespace::Yes);
        placements
    }

    #[test]
    fn a_file_of_another_tablespace_is_told() {
        let mut told = Placements::default();
        told.note_page(catalogue(), &page(&[(16_390, 16_384), (16_391, 0), (16_392, 16_385)]));
        let path = "PG_15_202209061/5/16390";
        let mut right = found(16_384, path);
        right.add(&told);
        assert_eq!(right.misplaced(), None);
        let mut wrong = found(16_385, path);
        wrong.add(&told);
        let (file, tablespace) = wrong.misplaced().unwrap();
        assert_eq!((file.path().as_str(), tablespace), ("pg_tblspc/16385/5/16390", 16_384));
        // Of another database, and one that no row tells of.
        for path in ["PG_15_202209061/6/16390", "PG_15_202209061/5/16399"] {
            let mut other = found(16_385, path);
            other.add(&told);
            assert_eq!(other.misplaced(), None);
        }
    }

    #[test]
    fn what_is_told_twice_tells_nothing() {
        let mut told = found(16_386, "PG_15_202209061/5/16390");
        told.note_page(catalogue(), &page(&[(16_390, 16_384), (16_390, 16_385)]));
        assert_eq!(told.misplaced(), None);
    }

    #[test]
    fn any_page_is_read_or_passed_over() {
        for byte in 0..=u8::MAX {
            let mut page = [byte; PAGE_BYTES];
            assert!(rows(&page).count() <= PAGE_BYTES / 4);
            page[12..14].copy_from_slice(&[0, 0x20]);
            assert!(rows(&page).count() <= PAGE_BYTES / 4);
        }
    }
}
