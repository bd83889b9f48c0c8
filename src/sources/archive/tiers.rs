//! Objects that the store moves by itself: in which tier one lies shows its HEAD alone.

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::storage_class::StorageClass;
use crate::observation::backup::ObservedBackup;
use crate::observation::backup::TarObject;
use crate::sources::archive::Collector;
use crate::sources::archive::Listing;
use crate::sources::store::error::StoreError;

/// More backups than that are not asked for at one look.
const BACKUPS_MAX: usize = 16;

impl Collector {
    /// Asks for an object of the oldest backup, and of the next one only if it cannot be read: the store
    /// moves what nobody has read for months, and the WAL of a backup is as old as the backup.
    pub(super) async fn look_into_tiers(&mut self, listing: Listing) {
        if listing == Listing::Complete || self.cache.archived.is_none() {
            // Without an answer, the next look asks again.
            self.cache.archived = self.archived().await.ok();
        }
        let archived = self.cache.archived.as_deref().unwrap_or_default();
        for known in &mut self.cache.backups {
            if archived.contains(&known.backup.id) {
                let tiered = known.backup.tars.iter_mut().filter(|tar| is_tiered(tar));
                tiered.for_each(|tar| tar.class = StorageClass::Frozen);
            }
        }
    }

    async fn archived(&self) -> Result<Vec<BackupId>, StoreError> {
        let mut archived = Vec::new();
        let backups = self.cache.backups.iter().map(|known| &known.backup);
        for backup in backups.filter(|backup| is_finished(backup)) {
            let Some(tar) = backup.tars.iter().find(|tar| is_tiered(tar)) else { continue };
            let object = self.store.head(&self.tar_key(backup, tar)).await?;
            if object.class != StorageClass::Frozen {
                break;
            }
            archived.push(backup.id.clone());
            if archived.len() == BACKUPS_MAX {
                break;
            }
        }
        Ok(archived)
    }
}

fn is_finished(backup: &ObservedBackup) -> bool {
    backup.parsed_info().is_some_and(|info| info.status == BackupStatus::Done)
}

fn is_tiered(tar: &TarObject) -> bool {
    tar.class == StorageClass::Tiered
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::domain::archive_id::StoreAddress;
    use crate::domain::object_key::ServerFolder;
    use crate::sources::store::memory::MemoryStore;
    use crate::sources::workshop::Workshop;

    const INFO: &str = "begin_offset=40\nbegin_time=2026-01-01 00:00:00+00:00\n\
        begin_wal=000000010000000000000006\nbegin_xlog=0/6000028\nend_offset=312\n\
        end_time=2026-01-01 00:01:00+00:00\nend_wal=000000010000000000000006\n\
        end_xlog=0/6000138\nstatus=DONE\nsystemid=7710951340492910721\ntablespaces=None\n\
        timeline=1\nversion=150020\nxlog_segment_size=16777216\n";
    const IDS: [&str; 3] = ["20260101T000000", "20260201T000000", "20260301T000000"];

    async fn classes(collector: &mut Collector, listing: Listing) -> Vec<StorageClass> {
        let seen = collector.observe(listing, DateTime::UNIX_EPOCH).await;
        seen.backups.unwrap().iter().map(|it| it.tars[0].class).collect()
    }

    #[tokio::test]
    async fn a_backup_in_an_archive_tier_is_as_cold_as_in_a_cold_class() {
        let store = Arc::new(MemoryStore::default());
        let tar = |id| format!("main/base/{id}/data.tar");
        for id in IDS {
            store.put(format!("main/base/{id}/backup.info"), INFO);
            store.put(tar(id), "tar");
            store.set_class(&tar(id), StorageClass::Tiered, StorageClass::Standard);
        }
        let turns = Workshop::default().at(&StoreAddress::Directory("/archive".to_owned()));
        let folder = ServerFolder::new("", "main");
        let mut collector = Collector::new(Arc::<MemoryStore>::clone(&store), turns, folder);
        let [tiered, frozen] = [StorageClass::Tiered, StorageClass::Frozen];
        assert_eq!(classes(&mut collector, Listing::Complete).await, [tiered; 3]);
        for id in &IDS[..2] {
            store.set_class(&tar(id), tiered, frozen);
        }
        assert_eq!(classes(&mut collector, Listing::Incremental).await, [tiered; 3]);
        let expected = [frozen, frozen, tiered];
        assert_eq!(classes(&mut collector, Listing::Complete).await, expected);
        assert_eq!(classes(&mut collector, Listing::Incremental).await, expected);
        store.set_class(&tar(IDS[0]), tiered, StorageClass::Standard);
        assert_eq!(classes(&mut collector, Listing::Complete).await, [tiered; 3]);
    }
}
