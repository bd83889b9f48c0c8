//! The files of each database without which nobody can connect to it: what says which version it is of, and
//! the catalogues that all else is found by, in the files that `pg_filenode.map` names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::members::Folder;
use crate::content::members::Fork;
use crate::content::members::RelationFile;

/// What a base backup holds of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogues(BTreeMap<Folder, Database>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Database {
    has_version: bool,
    has_map: bool,
    mapped: BTreeSet<u32>,
    files: BTreeSet<u32>,
}

/// `FirstNormalObjectId`: catalogues lie in files below it until somebody rewrites them. Others are not
/// followed, so that memory grows with databases and not with tables.
const CATALOGUE_MAX: u32 = 16_384;

/// Enough to see what is wrong.
const NAMED_MAX: usize = 20;

impl Catalogues {
    pub fn note_version(&mut self, folder: Folder) {
        self.0.entry(folder).or_default().has_version = true;
    }

    /// A map is there, which names these files.
    pub fn note_map(&mut self, folder: Folder, mapped: impl IntoIterator<Item = u32>) {
        let database = self.0.entry(folder).or_default();
        database.has_map = true;
        database.mapped.extend(mapped.into_iter().filter(|file| *file < CATALOGUE_MAX));
    }

    pub fn note_file(&mut self, file: RelationFile) {
        if file.fork == Fork::Main && file.segment == 0 && file.relation < CATALOGUE_MAX {
            let RelationFile { tablespace, database, .. } = file;
            let folder = Folder { tablespace, database };
            self.0.entry(folder).or_default().files.insert(file.relation);
        }
    }

    /// What lies in another tar file.
    pub fn add(&mut self, other: &Self) {
        for (folder, other) in &other.0 {
            let database = self.0.entry(*folder).or_default();
            database.has_version |= other.has_version;
            database.has_map |= other.has_map;
            database.mapped.extend(&other.mapped);
            database.files.extend(&other.files);
        }
    }

    /// Paths below the data directory, of many the first ones.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.0.get(&Folder::GLOBAL).is_some_and(|it| it.has_map) {
            missing.push(format!("{}/{MAP}", Folder::GLOBAL.path()));
        }
        for (folder, database) in &self.0 {
            let is_database = database.has_map || database.has_version;
            // Of a tablespace that databases use only for some tables nothing is expected.
            if !is_database && (folder.tablespace != Folder::DEFAULT || database.files.is_empty()) {
                continue;
            }
            let path = folder.path();
            if !database.has_version && *folder != Folder::GLOBAL {
                missing.push(format!("{path}/{VERSION}"));
            }
            if !database.has_map && *folder != Folder::GLOBAL {
                missing.push(format!("{path}/{MAP}"));
            }
            let lost = database.mapped.difference(&database.files);
            missing.extend(lost.map(|file| format!("{path}/{file}")));
        }
        missing.truncate(NAMED_MAX);
        missing
    }
}

/// Their names in the folder of a database.
pub const MAP: &str = "pg_filenode.map";
pub const VERSION: &str = "PG_VERSION";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object_key::TarContents;

    fn whole() -> Catalogues {
        let mut whole = Catalogues::default();
        let five = Folder { tablespace: Folder::DEFAULT, database: 5 };
        whole.note_map(Folder::GLOBAL, [1262]);
        whole.note_map(five, [1259, 20_000]);
        whole.note_version(five);
        for path in ["global/1262", "base/5/1259", "base/5/2619_fsm", "base/5/2619.1"] {
            whole.note_file(RelationFile::of(TarContents::DataDirectory, path).unwrap());
        }
        whole
    }

    #[test]
    fn what_a_database_cannot_do_without_is_missed() {
        assert!(whole().missing().is_empty());
        assert_eq!(Catalogues::default().missing(), ["global/pg_filenode.map"]);
        let mut lacking = whole();
        let six = Folder { tablespace: Folder::DEFAULT, database: 6 };
        lacking.note_version(six);
        let seven = Folder { tablespace: Folder::DEFAULT, database: 7 };
        lacking.note_map(seven, [1247, 1259]);
        let expected =
            ["base/6/pg_filenode.map", "base/7/PG_VERSION", "base/7/1247", "base/7/1259"];
        assert_eq!(lacking.missing(), expected);
    }

    #[test]
    fn what_lies_in_several_tar_files_is_looked_at_together() {
        let mut first = Catalogues::default();
        first.note_map(Folder::GLOBAL, [1262]);
        let mut second = Catalogues::default();
        let path = "global/1262";
        second.note_file(RelationFile::of(TarContents::DataDirectory, path).unwrap());
        assert_eq!(first.missing(), ["global/1262"]);
        first.add(&second);
        assert!(first.missing().is_empty());
    }

    #[test]
    fn a_tablespace_may_hold_some_tables_of_a_database_only() {
        let mut catalogues = whole();
        let path = "PG_15_202209061/5/1234";
        catalogues.note_file(RelationFile::of(TarContents::Tablespace(16_400), path).unwrap());
        assert!(catalogues.missing().is_empty());
    }
}
