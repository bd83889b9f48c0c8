//! What was seen last, as far as it tells what to ask for next.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::backup::BackupStatus;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::archive::wals::OVERLAP_SEGMENTS;

/// A backup that left no trace for a day is dead, and its `backup.info` says `STARTED` for ever.
const RUNNING_MAX: TimeDelta = TimeDelta::days(1);

impl Collector {
    pub(super) fn newest_segment(&self, inventory: &Inventory) -> Option<SegmentId> {
        inventory.newest_segment(self.cache.backups.iter().map(|known| &known.backup))
    }

    /// By the store's clock.
    pub fn newest_segment_age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let inventory = self.cache.inventory.as_ref()?;
        let newest = self.newest_segment(inventory)?;
        let uploaded_at = inventory.timeline(newest.timeline)?.uploaded_at(newest.number)?;
        Some(self.store_time(now) - uploaded_at)
    }

    /// Whether a segment shortly before the newest one is missing, and the one after it came so
    /// recently that it may still be on its way.
    pub fn awaits_segment(&self, age_max: TimeDelta, now: DateTime<Utc>) -> bool {
        let awaited = || {
            let inventory = self.cache.inventory.as_ref()?;
            let newest = self.newest_segment(inventory)?;
            let archive = inventory.timeline(newest.timeline)?;
            let first = newest.number.value().saturating_sub(OVERLAP_SEGMENTS);
            let tail = SegmentRange::new(SegmentNumber::new(first), newest.number)?;
            archive.segments().gaps(tail).into_iter().find(|gap| {
                let later = archive.uploaded_at(gap.last.next());
                later.is_some_and(|later| self.store_time(now) - later <= age_max)
            })
        };
        awaited().is_some()
    }

    pub fn is_backup_running(&self, now: DateTime<Utc>) -> bool {
        let is_running = |backup: &ObservedBackup| {
            let has_ended = match &backup.info {
                Ok(Some(_)) => backup.parsed_info().is_none_or(|info| {
                    matches!(info.status, BackupStatus::Done | BackupStatus::Failed)
                }),
                Ok(None) | Err(_) => false,
            };
            !has_ended && self.store_time(now) - backup.last_uploaded_at < RUNNING_MAX
        };
        self.cache.backups.iter().map(|known| &known.backup).any(is_running)
    }

    /// Whether the last look at the folders missed something that a backup needs.
    pub const fn has_lost_wal(&self) -> bool {
        self.cache.has_lost_wal
    }

    fn store_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.store.clock_ahead().unwrap_or_else(TimeDelta::zero)
    }
}
