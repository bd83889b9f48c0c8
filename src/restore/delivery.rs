//! Fetches files of the log as `restore_command` is asked for them: by name, whatever compression they
//! are stored under.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::codec::Codec;
use crate::domain::object_key::ServerFolder;
use crate::domain::segment::SegmentSize;
use crate::restore::log_file::LogFile;
use crate::sources::decode::object::Decoded;
use crate::sources::decode::object::Fed;
use crate::sources::decode::object::StoredContent;
use crate::sources::decode::object::decode_object;
use crate::sources::limits;
use crate::sources::store::error::StoreError;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing::list_all;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::workshop::Turns;

/// An archive that is restored from.
#[derive(Clone)]
pub struct Source {
    pub store: Arc<dyn ObjectStore>,
    pub turns: Turns,
    pub folder: ServerFolder,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Fetched {
    /// It lies there.
    File(PathBuf),
    Missing,
    /// It is there, and no decoder reads it: as barman does, it counts as missing.
    Undecodable(String),
    /// Nobody knows; PostgreSQL must not go on as if it were missing.
    Unread(StoreError),
    /// The disk does not take it.
    Unwritten(io::Error),
}

/// Fetches into a directory, under the names of the files.
pub(super) struct Delivery {
    source: Source,
    spool: PathBuf,
    segment_size: SegmentSize,
    /// What the last file was compressed by, which the next one mostly is too.
    codec: Mutex<Option<Codec>>,
}

/// Pauses before a store that fails is asked again. A recovery that ends for a moment without network
/// begins anew from the base backup.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

impl Delivery {
    pub(super) fn new(source: Source, spool: &Path, segment_size: SegmentSize) -> Self {
        Self { source, spool: spool.to_owned(), segment_size, codec: Mutex::default() }
    }

    /// Asks a store that fails again, for a while. `copy` tells two fetches of one file apart.
    pub(super) async fn fetch(&self, file: LogFile, copy: u64) -> Fetched {
        let mut pauses = PAUSES.iter();
        loop {
            match self.fetch_once(file, copy).await {
                Fetched::Unread(error) => {
                    let Some(pause) = pauses.next() else { return Fetched::Unread(error) };
                    tracing::warn!(%file, %error, "the store fails; it is asked again");
                    sleep(*pause).await;
                }
                fetched => return fetched,
            }
        }
    }

    async fn fetch_once(&self, file: LogFile, copy: u64) -> Fetched {
        let guess = *self.codec.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(codec) = guess {
            match self.fetch_as(file, codec, copy).await {
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => {}
                Err(error) => return Fetched::Unread(error),
                Ok(fetched) => return fetched,
            }
        }
        let codec = match self.codec_of(file).await {
            Ok(Some(codec)) => codec,
            Ok(None) => return Fetched::Missing,
            Err(error) => return Fetched::Unread(error),
        };
        match self.fetch_as(file, codec, copy).await {
            Err(error) if error.kind == StoreErrorKind::NoSuchKey => Fetched::Missing,
            Err(error) => Fetched::Unread(error),
            Ok(fetched) => {
                *self.codec.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec);
                fetched
            }
        }
    }

    /// Of the first object that is this file.
    async fn codec_of(&self, file: LogFile) -> Result<Option<Codec>, StoreError> {
        let Source { store, folder, .. } = &self.source;
        let mut found = None;
        list_all(store.as_ref(), &file.key(folder, Codec::None), None, |object| {
            let stored = folder.archive_file(&object.key).filter(|it| file.is(it.kind));
            found = found.or(stored.map(|it| it.codec));
        })
        .await?;
        Ok(found)
    }

    /// Feeds it to what reads it, which stays as it is where there is no such file.
    pub(super) async fn read<F: Fed>(&self, file: LogFile, fed: F) -> Result<F, StoreError> {
        let guess = *self.codec.lock().unwrap_or_else(PoisonError::into_inner);
        let codec = match guess {
            Some(codec) => Some(codec),
            None => self.codec_of(file).await?,
        };
        let Some(codec) = codec else { return Ok(fed) };
        let decoded = match self.decode(file, codec, fed.clone()).await {
            Err(error) if error.kind == StoreErrorKind::NoSuchKey => {
                let Some(codec) = self.codec_of(file).await? else { return Ok(fed) };
                self.decode(file, codec, fed).await?
            }
            decoded => decoded?,
        };
        *self.codec.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec);
        Ok(decoded.fed)
    }

    async fn fetch_as(
        &self,
        file: LogFile,
        codec: Codec,
        copy: u64,
    ) -> Result<Fetched, StoreError> {
        let path = self.spool.join(format!("{file}.{copy}"));
        let written = Written { path: path.as_path().into(), file: None, failure: None };
        let decoded = self.decode(file, codec, written).await?;
        Ok(match (decoded.fed.failure, decoded.length) {
            (Some(error), _) => Fetched::Unwritten(error),
            (None, Err(error)) => Fetched::Undecodable(error.to_string()),
            (None, Ok(0)) => {
                File::create(&path).map_or_else(Fetched::Unwritten, |_| Fetched::File(path))
            }
            (None, Ok(_)) => Fetched::File(path),
        })
    }

    async fn decode<F: Fed>(
        &self,
        file: LogFile,
        codec: Codec,
        fed: F,
    ) -> Result<Decoded<F>, StoreError> {
        let Source { store, turns, folder } = &self.source;
        let key = file.key(folder, codec);
        let (stored_bytes_max, bytes_max) = match file {
            LogFile::Segment(_) => {
                let bytes = self.segment_size.bytes();
                let stored = limits::segment_object_bytes_max(bytes);
                (stored, limits::segment_content_bytes_max(bytes))
            }
            LogFile::History(_) => (limits::HISTORY_BYTES_MAX, limits::HISTORY_BYTES_MAX),
        };
        let content = StoredContent { key: &key, codec, stored_bytes_max, bytes_max };
        let _turn = turns.segment().await;
        decode_object(store.as_ref(), turns, content, fed).await
    }
}

/// A file that comes into being with its first byte. A clone of one that has none begins anew.
struct Written {
    path: Arc<Path>,
    file: Option<File>,
    failure: Option<io::Error>,
}

impl Clone for Written {
    fn clone(&self) -> Self {
        Self { path: Arc::clone(&self.path), file: None, failure: None }
    }
}

impl Fed for Written {
    fn feed(&mut self, piece: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(piece),
            None => File::create(&self.path).and_then(|mut file| {
                file.write_all(piece)?;
                self.file = Some(file);
                Ok(())
            }),
        };
        self.failure = written.err();
    }
}
