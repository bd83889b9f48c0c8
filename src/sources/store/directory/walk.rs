//! Lists a tree of files in the byte order of their keys.
//!
//! A folder's name takes part in the order with its slash: `a.b` comes before `a/c`.

use std::fs;
use std::fs::DirEntry;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::sources::limits::DIRECTORY_ENTRIES_MAX;
use crate::sources::store::directory::io_error;
use crate::sources::store::directory::is_absent;
use crate::sources::store::directory::listed;
use crate::sources::store::directory::path_of;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::paging::Pager;

/// One page of a listing in the making.
pub(super) struct Walk<'a> {
    pager: Pager<'a>,
    /// The directories that are open, as device and inode: a link to one of them is a loop.
    open: Vec<(u64, u64)>,
}

/// A file or folder.
struct DirectoryEntry {
    /// The rest of the key; a folder's ends in `/`.
    name: String,
    path: PathBuf,
    is_folder: bool,
}

impl<'a> Walk<'a> {
    /// Fails unless there is such a directory.
    pub(super) fn demand(directory: &Path) -> Result<(), StoreError> {
        let is_there = match fs::metadata(directory) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) if is_absent(&error) => false,
            Err(error) => return Err(io_error(&directory.to_string_lossy(), &error)),
        };
        if is_there {
            return Ok(());
        }
        let detail = format!("`{}` is not a directory", directory.display());
        Err(StoreError::new(StoreErrorKind::NoSuchBucket, detail))
    }

    pub(super) fn page(root: &Path, request: ListRequest<'a>) -> Result<ListPage, StoreError> {
        let mut walk = Self { pager: Pager::new(request)?, open: Vec::new() };
        let folder = request.prefix.rfind('/').and_then(|end| request.prefix.get(..=end));
        let folder = folder.unwrap_or_default();
        let start = match folder.strip_suffix('/') {
            None => Some(root.to_owned()),
            Some(folder) => path_of(root, folder),
        };
        if let Some(start) = start {
            let _: ControlFlow<()> = walk.enter(&start, folder)?;
        }
        Ok(walk.pager.finish())
    }

    /// `folder` is the directory's key: empty, or ending in `/`.
    fn enter(&mut self, directory: &Path, folder: &str) -> Result<ControlFlow<()>, StoreError> {
        if !self.push(directory)? {
            return Ok(ControlFlow::Continue(()));
        }
        let flow = self.list(directory, folder);
        self.open.pop();
        flow
    }

    fn list(&mut self, directory: &Path, folder: &str) -> Result<ControlFlow<()>, StoreError> {
        let mut entries = entries(directory)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|a, b| a.name == b.name);
        for entry in entries {
            let key = format!("{folder}{}", entry.name);
            let flow = if !entry.is_folder {
                self.pager.offer(&key, || match fs::metadata(&entry.path) {
                    Ok(metadata) => Ok(metadata.is_file().then(|| listed(&key, &metadata))),
                    Err(error) if is_absent(&error) => Ok(None),
                    Err(error) => Err(io_error(&key, &error)),
                })?
            } else if !self.pager.enters(&key) {
                continue;
            } else if self.pager.outlined(&key).is_some() && !self.pager.starts_inside(&key) {
                if !self.holds_file(&entry.path)? {
                    continue;
                }
                self.pager.offer(&key, || Ok(None))?
            } else {
                self.enter(&entry.path, &key)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// S3 knows no empty folders.
    fn holds_file(&mut self, directory: &Path) -> Result<bool, StoreError> {
        if !self.push(directory)? {
            return Ok(false);
        }
        let mut is_found = false;
        for entry in entries(directory)? {
            is_found = if entry.is_folder { self.holds_file(&entry.path)? } else { true };
            if is_found {
                break;
            }
        }
        self.open.pop();
        Ok(is_found)
    }

    /// Says whether the directory is there and not open already.
    fn push(&mut self, directory: &Path) -> Result<bool, StoreError> {
        let metadata = match fs::metadata(directory) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(false),
            Err(error) => return Err(io_error(&directory.to_string_lossy(), &error)),
        };
        let id = (metadata.dev(), metadata.ino());
        if !metadata.is_dir() || self.open.contains(&id) {
            return Ok(false);
        }
        self.open.push(id);
        Ok(true)
    }
}

/// Everything in a directory but pipes, sockets, devices, and links to nothing.
fn entries(directory: &Path) -> Result<Vec<DirectoryEntry>, StoreError> {
    let failed = |error: io::Error| io_error(&directory.to_string_lossy(), &error);
    let found = match fs::read_dir(directory) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut entries = Vec::new();
    for entry in found {
        if entries.len() == DIRECTORY_ENTRIES_MAX {
            let detail = format!("`{}`: over {DIRECTORY_ENTRIES_MAX} entries", directory.display());
            return Err(StoreError::new(StoreErrorKind::TooLarge, detail));
        }
        match entry.and_then(|entry| classify(&entry)) {
            Ok(entry) => entries.extend(entry),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(entries)
}

fn classify(entry: &DirEntry) -> io::Result<Option<DirectoryEntry>> {
    let path = entry.path();
    let mut file_type = entry.file_type()?;
    if file_type.is_symlink() {
        file_type = fs::metadata(&path)?.file_type();
    }
    if !file_type.is_dir() && !file_type.is_file() {
        return Ok(None);
    }
    let is_folder = file_type.is_dir();
    let slash = if is_folder { "/" } else { "" };
    let name = format!("{}{slash}", entry.file_name().to_string_lossy());
    Ok(Some(DirectoryEntry { name, path, is_folder }))
}
