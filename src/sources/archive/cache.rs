//! What one archive's collector remembers. Losing it costs requests, never truth.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::object_version::ObjectVersion;
use crate::domain::object_version::VersionDigest;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::Reading;
use crate::observation::backup::ObservedBackup;
use crate::observation::expiry::ExpiryRule;
use crate::observation::inventory::Inventory;
use crate::observation::probes::Probes;
use crate::observation::surroundings::Surroundings;
use crate::sources::archive::heads::Heads;

#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) inventory: Option<Inventory>,
    pub(super) segment_size: Option<SegmentSize>,
    pub(super) heads: Heads,
    /// How far the newest segment went on at the last look.
    pub(super) arrived: u64,
    /// Whether the folders lacked something that a backup needs.
    pub(super) has_lost_wal: bool,
    /// In the order of their names. No map, of which each node is half empty: a thousand archives
    /// with a month of backups would need ten megabytes more.
    pub(super) backups: Vec<KnownBackup>,
    /// Whether these are all, and nothing of them was left unread.
    pub(super) has_all_backups: bool,
    /// Those that lie in an archive tier; `None` if that is not known.
    pub(super) archived: Option<Vec<BackupId>>,
    pub(super) expiry_rules: Option<Vec<ExpiryRule>>,
    pub(super) fully_listed_at: Option<DateTime<Utc>>,
    /// Of an archive of which nothing was found.
    pub(super) surroundings: Option<Reading<Surroundings>>,
    pub(super) histories: BTreeMap<TimelineId, KnownHistory>,
    pub(super) probes: Probes,
}

#[derive(Debug)]
pub(super) struct KnownBackup {
    pub(super) backup: ObservedBackup,
    /// Of `backup.info`, and of the annotation.
    pub(super) info: Option<VersionDigest>,
    pub(super) keep: Option<VersionDigest>,
}

#[derive(Debug)]
pub(super) struct KnownHistory {
    pub(super) version: Option<VersionDigest>,
    pub(super) content: Result<TimelineHistory, HistoryDamage>,
}

impl Cache {
    pub(super) fn backup(&self, id: &BackupId) -> Option<&KnownBackup> {
        let at = self.backups.binary_search_by(|known| known.backup.id.cmp(id));
        self.backups.get(at.ok()?)
    }
}

/// Whether an object still is what was read.
pub(super) fn is_same(known: Option<VersionDigest>, now: &ObjectVersion) -> bool {
    known.is_some() && known == now.digest()
}
