//! The folders below `base/`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;
use futures::StreamExt;
use futures::stream;

use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupInfoError;
use crate::domain::object_key::BackupFile;
use crate::domain::object_version::VersionDigest;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Reading;
use crate::observation::backup::ObservedBackup;
use crate::observation::backup::ObservedInfo;
use crate::observation::backup::TarObject;
use crate::observation::inventory::ListedObject;
use crate::sources::archive::Collector;
use crate::sources::archive::Listing;
use crate::sources::archive::cache::KnownBackup;
use crate::sources::archive::cache::is_same;
use crate::sources::limits;
use crate::sources::store::listing::list_all;
use crate::sources::store::object_store::read_listed;

/// What a listing shows of one backup.
#[derive(Default)]
struct Folder {
    info: Option<ListedObject>,
    keep: Option<ListedObject>,
    tars: Vec<TarObject>,
    last_uploaded_at: Option<DateTime<Utc>>,
}

const LIST: &str = "list the backups";

impl Collector {
    pub(super) async fn read_backups(&mut self, listing: Listing) -> Reading<Vec<ObservedBackup>> {
        self.cache.has_all_backups = false;
        let folders = self.list_backups().await?;
        let this = &*self;
        let reads = folders.into_iter().map(|(id, folder)| this.read_backup(id, folder));
        let read: Vec<Option<KnownBackup>> =
            stream::iter(reads).buffered(limits::BACKUPS_AT_ONCE).collect().await;
        self.cache.backups = read.into_iter().flatten().collect();
        self.look_into_tiers(listing).await;
        let backups = self.known_backups();
        self.cache.has_all_backups = backups.iter().all(|backup| backup.unread().is_none());
        Ok(backups)
    }

    /// As they were read last.
    pub(super) fn known_backups(&self) -> Vec<ObservedBackup> {
        self.cache.backups.iter().map(|known| known.backup.clone()).collect()
    }

    pub(super) async fn list_backup_ids(&self) -> Reading<BTreeSet<BackupId>> {
        Ok(self.list_backups().await?.into_keys().collect())
    }

    async fn list_backups(&self) -> Reading<BTreeMap<BackupId, Folder>> {
        let mut folders: BTreeMap<BackupId, Folder> = BTreeMap::new();
        let base = self.folder.base();
        let listed = list_all(self.store.as_ref(), &base, None, |object| {
            let Some((id, file)) = self.folder.backup_file(&object.key) else { return };
            let folder = folders.entry(id).or_default();
            folder.last_uploaded_at = folder.last_uploaded_at.max(Some(object.uploaded_at));
            match file {
                BackupFile::Info => folder.info = Some(object),
                BackupFile::Keep => folder.keep = Some(object),
                BackupFile::Tar { contents, piece, codec } => {
                    let ListedObject { version, class, .. } = object;
                    folder.tars.push(TarObject { contents, piece, codec, version, class });
                }
                BackupFile::Other => {}
            }
        });
        listed.await.map_err(|error| error.unreadable(LIST))?;
        if folders.len() <= limits::BACKUPS_MAX {
            return Ok(folders);
        }
        Err(Unreadable {
            what: LIST.to_owned(),
            why: format!("{} backups, more than {}", folders.len(), limits::BACKUPS_MAX),
            reason: UnreadableReason::Internal,
        })
    }

    /// `None` for a folder without objects, which no listing shows.
    async fn read_backup(&self, id: BackupId, folder: Folder) -> Option<KnownBackup> {
        let info = match &folder.info {
            None => Ok(None),
            Some(object) => self.read_info(&id, object).await.map(Some),
        };
        let keep = match &folder.keep {
            None => Ok(None),
            Some(object) => self.read_keep(&id, object).await,
        };
        let last_uploaded_at = folder.last_uploaded_at?;
        Some(KnownBackup {
            info: digest(folder.info.filter(|_| info.is_ok())),
            keep: digest(folder.keep.filter(|_| keep.is_ok())),
            backup: ObservedBackup { id, info, keep, tars: folder.tars, last_uploaded_at },
        })
    }

    async fn read_info(&self, id: &BackupId, object: &ListedObject) -> Reading<ObservedInfo> {
        if let Some(known) = self.cache.backup(id)
            && is_same(known.info, &object.version)
            && let Ok(Some(info)) = &known.backup.info
            && info.content.is_ok()
        {
            return Ok(info.clone());
        }
        let mut content = self.parse_info(id, object).await?;
        if content.is_err() {
            // A bad answer is no bad backup: it is read again before it accuses, and at each look.
            content = self.parse_info(id, object).await?;
        }
        Ok(ObservedInfo { uploaded_at: object.uploaded_at, content })
    }

    async fn parse_info(
        &self,
        id: &BackupId,
        object: &ListedObject,
    ) -> Reading<Result<BackupInfo, BackupInfoError>> {
        let (store, bytes_max) = (self.store.as_ref(), limits::BACKUP_INFO_BYTES_MAX);
        let read = read_listed(store, &object.key, &object.version, bytes_max).await;
        let bytes =
            read.map_err(|error| error.unreadable(&format!("read backup.info of backup {id}")))?;
        Ok(BackupInfo::parse(&bytes))
    }

    async fn read_keep(&self, id: &BackupId, object: &ListedObject) -> Reading<Option<Keep>> {
        if let Some(known) = self.cache.backup(id)
            && is_same(known.keep, &object.version)
            && let Ok(Some(keep)) = known.backup.keep
        {
            return Ok(Some(keep));
        }
        let what = format!("read the keep annotation of backup {id}");
        let (store, bytes_max) = (self.store.as_ref(), limits::KEEP_ANNOTATION_BYTES_MAX);
        let read = read_listed(store, &object.key, &object.version, bytes_max).await;
        let bytes = read.map_err(|error| error.unreadable(&what))?;
        match bytes.trim_ascii() {
            b"full" => Ok(Some(Keep::Full)),
            b"standalone" => Ok(Some(Keep::Standalone)),
            _ => Err(Unreadable {
                what,
                why: "it is neither \"full\" nor \"standalone\"".to_owned(),
                reason: UnreadableReason::Parse,
            }),
        }
    }
}

fn digest(object: Option<ListedObject>) -> Option<VersionDigest> {
    object?.version.digest()
}
