//! What one archive's collector remembers. Losing it costs requests, never truth.

use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::ListedObject;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;

#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) inventory: Option<Inventory>,
    pub(super) segment_size: Option<SegmentSize>,
    /// How far the newest segment went on at the last look.
    pub(super) arrived: u64,
    /// Whether the folders lacked something that a backup needs.
    pub(super) has_lost_wal: bool,
    /// In the order of their names. No map, of which each node is half empty: a thousand archives
    /// with a month of backups would need ten megabytes more.
    pub(super) backups: Vec<KnownBackup>,
    /// Whether these are all, and nothing of them was left unread.
    pub(super) has_all_backups: bool,
    pub(super) histories: BTreeMap<TimelineId, KnownHistory>,
    pub(super) probes: BTreeMap<SegmentId, SegmentProbe>,
}

#[derive(Debug)]
pub(super) struct KnownBackup {
    pub(super) backup: ObservedBackup,
    /// Of `backup.info`, and of the annotation.
    pub(super) info: Option<Version>,
    pub(super) keep: Option<Version>,
}

#[derive(Debug)]
pub(super) struct KnownHistory {
    pub(super) version: Option<Version>,
    pub(super) content: Result<TimelineHistory, HistoryDamage>,
}

/// Which version of an object was read: a hash of its entity tag and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(u64);

impl Cache {
    pub(super) fn backup(&self, id: &BackupId) -> Option<&KnownBackup> {
        let at = self.backups.binary_search_by(|known| known.backup.id.cmp(id));
        self.backups.get(at.ok()?)
    }
}

impl Version {
    /// An object without an entity tag has none.
    pub(super) fn of(object: &ListedObject) -> Option<Self> {
        let mut hasher = DefaultHasher::new();
        (&object.etag, object.size).hash(&mut hasher);
        (!object.etag.is_empty()).then(|| Self(hasher.finish()))
    }

    /// Whether the object still is what was read.
    pub(super) fn is_same(known: Option<Self>, object: &ListedObject) -> bool {
        known.is_some() && known == Self::of(object)
    }
}
