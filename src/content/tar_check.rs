//! Looks at all members of one tar file of a base backup, and keeps what is worth knowing of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::content::catalogues::Catalogues;
use crate::content::catalogues::MAP;
use crate::content::catalogues::VERSION;
use crate::content::control_file::CONTROL_FILE_BYTES;
use crate::content::control_file::ControlFile;
use crate::content::control_file::ControlFileError;
use crate::content::members::BlockId;
use crate::content::members::Folder;
use crate::content::members::Fork;
use crate::content::members::RelationFile;
use crate::content::members::leads_out;
use crate::content::members::normalised;
use crate::content::page;
use crate::content::page::BLOCKS_PER_FILE;
use crate::content::page::PAGE_BYTES;
use crate::content::page::PageState;
use crate::content::placement::InTablespace;
use crate::content::placement::Placements;
use crate::content::relation_map;
use crate::content::relation_map::MAP_BYTES_MAX;
use crate::content::relation_map::RelationMapError;
use crate::content::relations::Relations;
use crate::content::tar::Event;
use crate::content::tar::Member;
use crate::content::tar::MemberKind;
use crate::content::tar::TarEnding;
use crate::content::tar::TarError;
use crate::content::tar::TarReader;
use crate::content::transactions::TransactionLog;
use crate::domain::lsn::Lsn;
use crate::domain::object_key::TarContents;

/// What is known before the file is read.
#[derive(Clone, Copy, Debug)]
pub struct TarExpectation {
    pub contents: TarContents,
    /// Whether pages have checksums.
    pub has_checksums: bool,
}

/// What one tar file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TarReport {
    pub members: u64,
    /// Looked at and right, or never written to.
    pub pages: u64,
    /// It ends as a tar file does, or all that a restore looks for had come by then.
    pub is_closed: bool,
    pub error: Option<TarError>,
    pub control_file: Option<Result<ControlFile, ControlFileError>>,
    /// `PG_VERSION` of the data directory.
    pub version: Option<String>,
    pub backup_label: Option<BackupLabel>,
    /// Members whose paths lead out of the directory.
    pub strays: Listed<String>,
    /// Links and other things in place of files of relations.
    pub no_files: Listed<String>,
    /// Pages whose checksum is wrong, or of which the file holds a beginning only: by relation, fork and block, with where in the log they were last
    /// written.
    pub wrong_pages: BTreeMap<BlockId, Lsn>,
    /// Of very many not all are named.
    pub wrong_page_count: u64,
    /// Relations without a log, which are emptied at the end of recovery.
    pub unlogged: BTreeSet<RelationFile>,
    /// Of the pages that are right, the one that was written last.
    pub newest_page: Option<(BlockId, Lsn)>,
    /// Files of a gigabyte, which another one may follow.
    pub full_files: BTreeSet<RelationFile>,
    /// Files that follow another one, and hold something: a relation that shrinks leaves empty ones behind
    /// (`mdtruncate` in `md.c`).
    pub later_files: BTreeSet<RelationFile>,
    /// Each `pg_filenode.map` that is damaged.
    pub wrong_maps: Listed<(String, RelationMapError)>,
    pub catalogues: Catalogues,
    pub placements: Placements,
    pub relations: Relations,
    /// Files that tell how transactions ended: by their folder and number.
    pub transaction_files: BTreeSet<(TransactionLog, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupLabel {
    pub text: String,
    /// No member follows it.
    pub is_last: bool,
}

/// The first of many, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub first: Vec<T>,
    pub count: u64,
}

/// So many are named.
const LISTED_MAX: usize = 20;

/// More than that of one backup are counted only. Whether recovery writes them again is asked of each.
const WRONG_PAGES_MAX: u64 = 10_000;

/// Ten times what barman writes.
const LABEL_BYTES_MAX: usize = 4096;

const GIGABYTE: u64 = BLOCKS_PER_FILE as u64 * PAGE_BYTES as u64;

/// Is fed a tar file from its first byte.
#[derive(Clone, Debug)]
pub struct TarCheck {
    expected: TarExpectation,
    reader: TarReader,
    current: Current,
    report: TarReport,
}

/// What is done with the content of a member.
#[derive(Clone, Debug)]
enum Current {
    Passed,
    /// Kept whole.
    Small {
        what: Small,
        content: Vec<u8>,
        max: usize,
    },
    /// Looked at page by page, if they have checksums; the last one as far as it has come in.
    Pages {
        file: RelationFile,
        block: u32,
        page: Vec<u8>,
        first: FirstPage,
    },
}

/// Whether anything was written to the first page of a file, and to later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstPage {
    Written,
    Blank,
    BlankBeforeOthers,
}

/// The pages of one file, and how many of the relation's came before the next one.
struct Pages<'a> {
    file: RelationFile,
    has_checksums: bool,
    block: &'a mut u32,
    first: &'a mut FirstPage,
    report: &'a mut TarReport,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Small {
    ControlFile,
    Version,
    Label,
    Map(Folder),
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { first: Vec::new(), count: 0 }
    }
}

impl<T> Listed<T> {
    fn push(&mut self, item: T) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < LISTED_MAX {
            self.first.push(item);
        }
    }
}

impl TarCheck {
    pub fn new(expected: TarExpectation) -> Self {
        Self {
            expected,
            reader: TarReader::default(),
            current: Current::Passed,
            report: TarReport::default(),
        }
    }

    /// Takes the bytes that follow those fed before. After damage it ignores them.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if self.report.error.is_some() {
            return;
        }
        loop {
            match self.reader.step(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Event::Member(member))) => self.begin(&member),
                Ok(Some(Event::Content(content))) => self.add(content),
                Ok(Some(Event::End)) => self.end(),
                Err(error) => {
                    self.report.error = Some(error);
                    return;
                }
            }
        }
    }

    /// What the bytes fed so far hold.
    pub fn report(mut self) -> TarReport {
        let is_last = self.report.backup_label.as_ref().is_some_and(|it| it.is_last);
        // barman writes the label last, and what follows the last member ends a restore without a word, be it an end
        // or not (`TarFile.next` in Python's `tarfile.py`).
        if is_last {
            self.report.error = match self.report.error.take() {
                Some(TarError::Checksum(_) | TarError::Header(_) | TarError::Trailing(_)) => None,
                other => other,
            };
        }
        let is_over = match self.reader.ending() {
            TarEnding::Closed => true,
            TarEnding::Between => is_last,
            TarEnding::Inside => false,
        };
        self.report.is_closed = is_over && self.report.error.is_none();
        self.report
    }

    fn begin(&mut self, member: &Member) {
        let report = &mut self.report;
        report.members = report.members.saturating_add(1);
        if let Some(label) = &mut report.backup_label {
            label.is_last = false;
        }
        if leads_out(&member.path) {
            report.strays.push(member.path.clone());
        }
        self.current = Current::Passed;
        if member.kind != MemberKind::File {
            let is_relation = RelationFile::of(self.expected.contents, &member.path).is_some();
            if is_relation && member.kind != MemberKind::Directory {
                report.no_files.push(member.path.clone());
            }
            return;
        }
        let is_data = self.expected.contents == TarContents::DataDirectory;
        let path = normalised(&member.path);
        let small = match path {
            "global/pg_control" if is_data => Some((Small::ControlFile, CONTROL_FILE_BYTES + 1)),
            "PG_VERSION" if is_data => Some((Small::Version, 16)),
            "backup_label" if is_data => Some((Small::Label, LABEL_BYTES_MAX)),
            _ => Folder::of(self.expected.contents, path).and_then(|(folder, name)| {
                if name == VERSION {
                    report.catalogues.note_version(folder);
                }
                (name == MAP).then_some((Small::Map(folder), MAP_BYTES_MAX))
            }),
        };
        if let Some((what, max)) = small {
            self.current = Current::Small { what, content: Vec::new(), max };
        } else if let Some(file) = RelationFile::of(self.expected.contents, &member.path) {
            self.begin_relation(file, member);
        } else if is_data {
            report.transaction_files.extend(TransactionLog::file(path));
        }
    }

    fn begin_relation(&mut self, file: RelationFile, member: &Member) {
        if member.size == GIGABYTE {
            self.report.full_files.insert(file);
        }
        if file.segment > 0 && member.size > 0 {
            self.report.later_files.insert(file);
        }
        if file.fork == Fork::Init {
            self.report.unlogged.insert(RelationFile { fork: Fork::Main, segment: 0, ..file });
        }
        self.report.catalogues.note_file(file);
        self.report.relations.note_file(file);
        let is_in_tablespace = match self.expected.contents {
            TarContents::Tablespace(_) => InTablespace::Yes,
            TarContents::DataDirectory => InTablespace::No,
        };
        self.report.placements.note_file(file, is_in_tablespace);
        if let Some(block) = file.first_block() {
            let page = Vec::with_capacity(PAGE_BYTES);
            let first = FirstPage::Written;
            self.current = Current::Pages { file, block, page, first };
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        match &mut self.current {
            Current::Passed => {}
            Current::Small { content, max, .. } => {
                let room = max.saturating_sub(content.len()).min(bytes.len());
                content.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
            Current::Pages { file, block, page, first } => {
                let has_checksums = self.expected.has_checksums;
                let report = &mut self.report;
                let mut pages = Pages { file: *file, has_checksums, block, first, report };
                if !page.is_empty() {
                    let missing = PAGE_BYTES.saturating_sub(page.len()).min(bytes.len());
                    let (taken, rest) = bytes.split_at(missing);
                    page.extend_from_slice(taken);
                    bytes = rest;
                    if let Ok(whole) = page.as_slice().try_into() {
                        pages.look_at(whole);
                        page.clear();
                    }
                }
                let (whole, rest) = bytes.as_chunks::<PAGE_BYTES>();
                whole.iter().for_each(|page| pages.look_at(page));
                page.extend_from_slice(rest);
            }
        }
    }

    fn end(&mut self) {
        let report = &mut self.report;
        match std::mem::replace(&mut self.current, Current::Passed) {
            Current::Passed => {}
            Current::Small { what, content, .. } => {
                let text = || String::from_utf8_lossy(&content).into_owned();
                match what {
                    Small::ControlFile => report.control_file = Some(ControlFile::parse(&content)),
                    Small::Version => report.version = Some(text().trim().to_owned()),
                    Small::Label => {
                        report.backup_label = Some(BackupLabel { text: text(), is_last: true });
                    }
                    Small::Map(folder) => {
                        let files = relation_map::files(&content).unwrap_or_else(|why| {
                            report.wrong_maps.push((format!("{}/{MAP}", folder.path()), why));
                            // It is there, and which files it names is not known.
                            Vec::new()
                        });
                        report.catalogues.note_map(folder, files);
                    }
                }
            }
            Current::Pages { file, block, page, first } => {
                if first == FirstPage::BlankBeforeOthers {
                    report.relations.note_blank(file);
                }
                // A page that is just being added may be seen without its end, and is zero.
                if page.iter().any(|byte| *byte != 0) {
                    report.note_wrong(BlockId { file: file.whole(), block }, page::lsn(&page));
                }
            }
        }
    }
}

impl TarReport {
    pub fn note_wrong(&mut self, page: BlockId, written_at: Lsn) {
        if self.wrong_pages.contains_key(&page) {
            return;
        }
        self.wrong_page_count = self.wrong_page_count.saturating_add(1);
        if self.wrong_page_count <= WRONG_PAGES_MAX {
            self.wrong_pages.insert(page, written_at);
        }
    }
}

impl Pages<'_> {
    fn look_at(&mut self, page: &[u8; PAGE_BYTES]) {
        let (block, report) = (*self.block, &mut *self.report);
        *self.block = block.wrapping_add(1);
        let is_blank = || page.iter().all(|byte| *byte == 0);
        if block == 0 && is_blank() {
            *self.first = FirstPage::Blank;
        } else if *self.first == FirstPage::Blank && !is_blank() {
            *self.first = FirstPage::BlankBeforeOthers;
        }
        if !self.has_checksums {
            report.placements.note_page(self.file, page);
            report.relations.note_page(self.file, page);
            return;
        }
        let id = || BlockId { file: self.file.whole(), block };
        match page::check(page, block) {
            PageState::Right(at) => {
                report.pages = report.pages.saturating_add(1);
                report.placements.note_page(self.file, page);
                report.relations.note_page(self.file, page);
                if report.newest_page.is_none_or(|(_, newest)| newest < at) {
                    report.newest_page = Some((id(), at));
                }
            }
            PageState::New => report.pages = report.pages.saturating_add(1),
            PageState::Wrong(at) => report.note_wrong(id(), at),
        }
    }
}

#[cfg(test)]
mod tests;
