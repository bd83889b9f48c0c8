//! A local or mounted directory as an object store: the path below it is the key.
//!
//! It lists in the order of S3, follows symbolic links, and never leaves its root by a key. A name
//! that is not UTF-8 is listed with replacement characters, so that it shows up as a stray, and
//! cannot be opened.

mod pieces;
mod walk;

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use futures::stream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::moment::in_calendar;
use crate::domain::object_version::ObjectVersion;
use crate::domain::storage_class::StorageClass;
use crate::observation::inventory::ListedObject;
use crate::observation::store_clock::StoreClock;
use crate::sources::limits;
use crate::sources::store::body::Body;
use crate::sources::store::body::Chunks;
use crate::sources::store::body::FileBody;
use crate::sources::store::directory::pieces::Pieces;
use crate::sources::store::directory::walk::Walk;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListPage;
use crate::sources::store::object_store::ListRequest;
use crate::sources::store::object_store::ObjectStore;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStore {
    root: PathBuf,
    /// Must exist for a listing to mean anything.
    demanded: PathBuf,
}

impl DirectoryStore {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { demanded: root.clone(), root }
    }

    /// Takes the store for missing while it lacks this folder.
    #[must_use]
    pub fn demanding(self, folder: &str) -> Self {
        Self { demanded: self.root.join(folder.trim_matches('/')), ..self }
    }
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListPage, StoreError> {
        let (root, demanded) = (self.root.clone(), self.demanded.clone());
        let prefix = request.prefix.to_owned();
        let start_after = request.start_after.map(str::to_owned);
        let continuation = request.continuation.map(str::to_owned);
        let ListRequest { is_outline, keys_max, .. } = request;
        blocking(limits::DIRECTORY_CALL, move || {
            Walk::demand(&demanded)?;
            Walk::page(
                &root,
                ListRequest {
                    prefix: &prefix,
                    start_after: start_after.as_deref(),
                    is_outline,
                    continuation: continuation.as_deref(),
                    keys_max,
                },
            )
        })
        .await
    }

    async fn open(
        &self,
        key: &str,
        from: u64,
        expected: Option<&ObjectVersion>,
    ) -> Result<Body, StoreError> {
        let (root, name) = (self.root.clone(), key.to_owned());
        let reader = blocking(limits::DIRECTORY_CALL, move || FileReader::open(&root, name, from));
        let reader = reader.await?;
        let version = reader.version.clone();
        Body::of_file(key, from, expected, version, Box::new(reader))
    }

    async fn head(&self, key: &str) -> Result<ListedObject, StoreError> {
        let (root, key) = (self.root.clone(), key.to_owned());
        blocking(limits::DIRECTORY_CALL, move || stat(&root, &key).map(|(_, object)| object)).await
    }

    /// A mounted directory has the clock of another machine, but no way to ask for it.
    fn clock(&self) -> StoreClock {
        StoreClock::default()
    }
}

/// Runs file access where it may block, for a mounted directory that hangs not longer than this.
async fn blocking<T: Send + 'static>(
    patience: Duration,
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match timeout(patience, spawn_blocking(read)).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(StoreError::new(StoreErrorKind::Unavailable, error.to_string())),
        Err(_) => {
            let detail = format!("the directory gave no answer within {} s", patience.as_secs());
            Err(StoreError::new(StoreErrorKind::TimedOut, detail))
        }
    }
}

/// Where a key lies; `None` if no file below the root can have it.
fn path_of(root: &Path, key: &str) -> Option<PathBuf> {
    let mut path = root.to_owned();
    for part in key.split('/') {
        if matches!(part, "" | "." | "..") || part.contains('\0') {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

fn stat(root: &Path, key: &str) -> Result<(PathBuf, ListedObject), StoreError> {
    let gone = || StoreError::new(StoreErrorKind::NoSuchKey, format!("`{key}`"));
    let path = path_of(root, key).ok_or_else(gone)?;
    let metadata = fs::metadata(&path).map_err(|error| object_error(key, &error))?;
    if !metadata.is_file() {
        return Err(gone());
    }
    Ok((path, listed(key, &metadata)))
}

/// A file that is being read.
struct FileReader {
    file: File,
    key: String,
    version: ObjectVersion,
    left: u64,
}

impl FileReader {
    fn open(root: &Path, key: String, from: u64) -> Result<Self, StoreError> {
        // Only a regular file is opened, because a pipe would wait for a writer.
        let (path, _) = stat(root, &key)?;
        let opened = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            Ok((file.metadata()?, file))
        });
        let (metadata, file) = opened.map_err(|error| object_error(&key, &error))?;
        let version = version(&metadata);
        let left = version.size.saturating_sub(from);
        Ok(Self { file, key, version, left })
    }

    /// How much there may be of the next piece.
    fn wanted(&self, bytes_max: usize) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes_max)
    }

    /// Takes so many bytes for read, if the file is still the same.
    fn note(&mut self, read: io::Result<usize>) -> Result<(), StoreError> {
        let noted = read.and_then(|count| Ok((count, self.file.metadata()?)));
        let (count, metadata) = noted.map_err(|error| object_error(&self.key, &error))?;
        if version(&metadata) != self.version {
            return Err(StoreError::changed(&self.key));
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(())
    }

    /// The next piece, empty at the end.
    fn piece(&mut self, mut room: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let wanted = self.wanted(limits::BODY_CHUNK_BYTES) as u64;
        let read = (&self.file).take(wanted).read_to_end(&mut room);
        self.note(read)?;
        Ok(room)
    }
}

impl FileBody for FileReader {
    fn read(&mut self, piece: &mut Vec<u8>) -> Result<(), StoreError> {
        // It has this length already, but for the first piece and the last.
        piece.resize(self.wanted(limits::FILE_PIECE_BYTES), 0);
        let mut count = 0_usize;
        let read = loop {
            match (&self.file).read(piece.get_mut(count..).unwrap_or_default()) {
                Ok(0) => break Ok(count),
                Ok(more) => count = count.saturating_add(more),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        piece.truncate(count);
        self.note(read)
    }

    fn into_chunks(self: Box<Self>) -> Chunks {
        let state = (self, Pieces::default());
        Box::pin(stream::try_unfold(state, |(mut reader, mut pieces)| {
            blocking(limits::DIRECTORY_CALL, move || {
                let room = pieces.room(reader.wanted(limits::BODY_CHUNK_BYTES));
                let chunk = pieces.hand_out(reader.piece(room)?);
                Ok((!chunk.is_empty()).then_some((chunk, (reader, pieces))))
            })
        }))
    }
}

fn version(metadata: &fs::Metadata) -> ObjectVersion {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    let etag = format!("\"{seconds:x}.{nanoseconds:x}-{:x}\"", metadata.size());
    ObjectVersion::new(etag, metadata.size())
}

fn listed(key: &str, metadata: &fs::Metadata) -> ListedObject {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    ListedObject {
        key: key.to_owned(),
        version: version(metadata),
        class: StorageClass::default(),
        uploaded_at: DateTime::from_timestamp(metadata.mtime(), nanoseconds)
            .and_then(in_calendar)
            .unwrap_or_default(),
    }
}

fn object_error(key: &str, error: &io::Error) -> StoreError {
    if is_absent(error) {
        StoreError::new(StoreErrorKind::NoSuchKey, format!("`{key}`"))
    } else {
        io_error(key, error)
    }
}

fn io_error(what: &str, error: &io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
        io::ErrorKind::TimedOut => StoreErrorKind::TimedOut,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(kind, format!("`{what}`: {error}"))
}

/// Whether the path leads to nothing, as links to nothing or to each other do.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    ) || error.raw_os_error() == Some(LINKS_IN_A_CIRCLE)
}

/// `ELOOP` of Linux.
const LINKS_IN_A_CIRCLE: i32 = 40;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use crate::sources::store::object_store::read_whole;

    use super::*;

    #[test]
    fn a_key_never_leaves_the_root() {
        let root = Path::new("/backups");
        assert_eq!(path_of(root, "a/b c"), Some(PathBuf::from("/backups/a/b c")));
        for key in ["", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a/", "a\0b"] {
            assert_eq!(path_of(root, key), None, "{key:?}");
        }
    }

    fn store() -> (tempfile::TempDir, DirectoryStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path());
        (folder, store)
    }

    async fn keys(store: &DirectoryStore) -> Vec<String> {
        let page = store.list_page(ListRequest::default()).await.unwrap();
        page.objects.into_iter().map(|object| object.key).collect()
    }

    #[tokio::test]
    async fn links_are_followed_and_never_in_a_circle() {
        let (folder, store) = store();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("segment"), "x").unwrap();
        let root = folder.path();
        symlink(elsewhere.path(), root.join("wals")).unwrap();
        symlink(root, root.join("again")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling")).unwrap();
        symlink(root.join("itself"), root.join("itself")).unwrap();
        assert_eq!(keys(&store).await, ["wals/segment"]);
        assert_eq!(read_whole(&store, "wals/segment", 1).await.unwrap(), "x");
        assert_eq!(store.head("itself").await.unwrap_err().kind, StoreErrorKind::NoSuchKey);
    }

    #[tokio::test]
    async fn a_name_that_is_not_utf8_is_listed_and_cannot_be_opened() {
        let (folder, store) = store();
        fs::write(folder.path().join(OsStr::from_bytes(b"a\xff")), "x").unwrap();
        fs::write(folder.path().join("b"), "x").unwrap();
        assert_eq!(keys(&store).await, ["a\u{fffd}", "b"]);
        let error = store.open("a\u{fffd}", 0, None).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoSuchKey);
    }

    #[tokio::test]
    async fn folders_without_files_and_sockets_are_no_objects() {
        let (folder, store) = store();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        assert!(keys(&store).await.is_empty());
        let request = ListRequest { is_outline: true, ..ListRequest::default() };
        assert!(store.list_page(request).await.unwrap().folders.is_empty());
        assert_eq!(store.head("socket").await.unwrap_err().kind, StoreErrorKind::NoSuchKey);
    }

    #[tokio::test]
    async fn a_file_in_place_of_the_directory_is_no_directory() {
        let (folder, _) = store();
        fs::write(folder.path().join("file"), "x").unwrap();
        let store = DirectoryStore::new(folder.path().join("file"));
        let error = store.list_page(ListRequest::default()).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoSuchBucket);
    }

    #[test]
    fn a_refused_permission_is_told_from_a_broken_disk() {
        let kind = |error: io::ErrorKind| io_error("pg/wals", &error.into()).kind;
        assert_eq!(kind(io::ErrorKind::PermissionDenied), StoreErrorKind::Denied);
        assert_eq!(kind(io::ErrorKind::Other), StoreErrorKind::Unavailable);
    }
}
