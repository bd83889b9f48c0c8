//! One folder below `base/`, as it was seen.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::Keep;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupInfoError;
use crate::domain::codec::Codec;
use crate::domain::object_key::TarContents;
use crate::domain::object_version::ObjectVersion;
use crate::domain::storage_class::StorageClass;
use crate::domain::unreadable::Unreadable;
use crate::observation::Reading;

/// A base backup's folder: what `backup.info` says, and which objects lie beside it.
#[derive(Clone, Debug)]
pub struct ObservedBackup {
    pub id: BackupId,
    /// `None` if there is no such object.
    pub info: Reading<Option<ObservedInfo>>,
    pub keep: Reading<Option<Keep>>,
    pub tars: Vec<TarObject>,
    /// The newest upload among all objects of the folder.
    pub last_uploaded_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedInfo {
    pub uploaded_at: DateTime<Utc>,
    pub content: Result<BackupInfo, BackupInfoError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TarObject {
    pub contents: TarContents,
    pub piece: u32,
    pub codec: Codec,
    pub version: ObjectVersion,
    pub class: StorageClass,
}

impl ObservedBackup {
    /// What could not be read of this backup.
    pub fn unread(&self) -> Option<&Unreadable> {
        self.info.as_ref().err().or(self.keep.as_ref().err())
    }

    /// `backup.info`, where it was there and understood.
    pub fn parsed_info(&self) -> Option<&BackupInfo> {
        let observed = self.info.as_ref().ok()?.as_ref()?;
        observed.content.as_ref().ok()
    }

    /// Whether each read of a part of it is billed.
    pub fn is_infrequent(&self) -> bool {
        self.tars.iter().any(|tar| tar.class == StorageClass::Infrequent)
    }

    /// The stored size of all tar files.
    pub fn size_bytes(&self) -> u64 {
        self.tars.iter().fold(0, |sum, tar| sum.saturating_add(tar.version.size))
    }
}
