//! Reads one archive into an [`Observation`]. Cannot fail: what could not be read is part of it.

mod backups;
mod branches;
mod cache;
mod folders;
mod heads;
mod histories;
mod probes;
pub mod restore_points;
pub mod servers;
mod sought;
pub mod surroundings;
mod tiers;
pub mod verification;
mod wals;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::lsn::Lsn;
use crate::domain::object_key::ServerFolder;
use crate::domain::segment::SegmentSize;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;
use crate::observation::Reading;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::Content;
use crate::observation::folder_sums::FolderSums;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::archive::cache::Cache;
use crate::sources::archive::probes::Unopened;
use crate::sources::archive::sought::Asked;
use crate::sources::archive::sought::Covered;
use crate::sources::archive::wals::Many;
use crate::sources::limits;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::workshop::Permit;
use crate::sources::workshop::Turns;

/// Reads one archive again and again, and remembers what need not be read twice.
pub struct Collector {
    store: Arc<dyn ObjectStore>,
    turns: Turns,
    folder: ServerFolder,
    cache: Cache,
    /// Segments that were opened for the latest observation.
    opened: usize,
    segments_per_look: usize,
    asked: Asked,
    /// Over these, complete listings make sums.
    summed: BTreeMap<TimelineId, SegmentSet>,
    /// Those of the last one, until they are taken.
    sums: Option<FolderSums>,
    /// Where recovery of a backup begins, of those that no observation of this collector showed.
    begun: BTreeSet<(TimelineId, Lsn)>,
}

/// What is asked of the store; what is not stays as it was seen last.
///
/// Where nothing was seen before, everything is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Everything; the only one that notices whatever was deleted.
    Complete,
    /// The backups, and what came after the newest segment, with some overlap.
    Incremental,
    /// What came after the newest segment, with some overlap.
    Wal,
    /// The backups, and whether the next segment is there.
    Backups,
    /// The folders of the archive, for [`Collector::has_lost_wal`], and whether the next segment
    /// is there.
    Folders,
    /// Whether the next segment is there.
    NextSegment,
}

impl Collector {
    /// `turns` are those at the store.
    pub fn new(store: Arc<dyn ObjectStore>, turns: Turns, folder: ServerFolder) -> Self {
        Self {
            store,
            turns,
            folder,
            cache: Cache::default(),
            opened: 0,
            segments_per_look: limits::SEGMENTS_PER_LOOK,
            asked: Asked::default(),
            summed: BTreeMap::new(),
            sums: None,
            begun: BTreeSet::new(),
        }
    }

    /// Announces backups that somebody else saw.
    pub fn note_backups(&mut self, backups: &[ObservedBackup]) {
        let begun = backups.iter().filter_map(|it| it.parsed_info()?.wal);
        self.begun = begun.map(|wal| (wal.begin.timeline, wal.begin_lsn)).collect();
    }

    /// Opens so many segments for one observation at most.
    #[must_use]
    pub fn opening(self, segments_per_look: usize) -> Self {
        Self { segments_per_look, ..self }
    }

    /// The next complete listing makes sums over the objects of these segments.
    pub fn sum_up(&mut self, segments: BTreeMap<TimelineId, SegmentSet>) {
        self.summed = segments;
    }

    /// What came of it: nothing, if not everything was listed.
    pub const fn take_sums(&mut self) -> Option<FolderSums> {
        self.sums.take()
    }

    /// A backup that the latest observation saw.
    pub fn backup(&self, id: &BackupId) -> Option<&ObservedBackup> {
        self.cache.backup(id).map(|known| &known.backup)
    }

    pub const fn segments_per_look(&self) -> usize {
        self.segments_per_look
    }

    /// Waits until it may be looked; what this takes is not the archive's time.
    pub async fn turn(&self, listing: Listing) -> [Option<Permit>; 2] {
        // A complete listing that waits keeps no look from its turn.
        let listing = match listing {
            Listing::Complete => Some(self.turns.complete_listing().await),
            Listing::Incremental
            | Listing::Wal
            | Listing::Backups
            | Listing::Folders
            | Listing::NextSegment => None,
        };
        [listing, Some(self.turns.look().await)]
    }

    /// Reads backups, archive and history files, in this order: WAL that arrives meanwhile can
    /// only close a gap.
    ///
    /// Retention deletes a backup before its WAL, so a complete listing looks at the backups a
    /// second time: whoever is gone by then needs no WAL. So does any listing that showed a
    /// `backup.info` which was not there when it was read.
    pub async fn observe(&mut self, listing: Listing, now: DateTime<Utc>) -> Observation {
        self.opened = 0;
        self.sums = None;
        self.asked = self.asked.at_next_look();
        let mut backups = if self.cache.has_all_backups && !listing.shows_backups() {
            Ok(self.known_backups())
        } else {
            self.read_backups(listing).await
        };
        let archive = match &backups {
            Ok(backups) => self.read_archive(listing, backups).await,
            // The same store would fail the same way, after the same wait.
            Err(unreadable) => Err(unreadable.clone()),
        };
        if archive.is_ok()
            && let Ok(seen) = &mut backups
            && !seen.is_empty()
            && (listing == Listing::Complete || seen.iter().any(is_perhaps_deleted))
        {
            match self.list_backup_ids().await {
                Ok(ids) => {
                    seen.retain(|backup| ids.contains(&backup.id));
                    self.cache.backups.retain(|known| ids.contains(&known.backup.id));
                }
                Err(unreadable) => backups = Err(unreadable),
            }
        }
        if archive.is_ok() && backups.is_ok() && self.asked.covered == Covered::Everything {
            self.cache.fully_listed_at = Some(now);
        }
        if listing == Listing::Complete && archive.is_ok() {
            self.cache.expiry_rules = self.store.expiry_rules().await;
        }
        let has_nothing = backups.as_ref().is_ok_and(Vec::is_empty)
            && archive.as_ref().is_ok_and(|inventory| inventory.object_count == 0);
        if !has_nothing {
            self.cache.surroundings = None;
        } else if listing == Listing::Complete || !matches!(self.cache.surroundings, Some(Ok(_))) {
            self.cache.surroundings = Some(self.look_around().await);
        }
        let histories = match &archive {
            Ok(inventory) => self.read_histories(inventory).await,
            Err(_) => BTreeMap::new(),
        };
        Observation {
            began_at: now,
            store_clock: self.store.clock(),
            fully_listed_at: self.cache.fully_listed_at,
            head_trouble: self.cache.heads.trouble(),
            expiry_rules: self.cache.expiry_rules.clone(),
            backups,
            archive,
            surroundings: self.cache.surroundings.clone(),
            histories,
            probes: self.cache.probes.clone(),
            content: Content::default(),
            cluster: None,
            orphan: None,
        }
    }

    /// Opens segments and adds what they show to an observation. Tells how many: of one
    /// observation only so many are opened, the first that are wanted; the rest is left to later
    /// ones, since what was opened is remembered.
    pub async fn probe(&mut self, seen: &mut Observation, wanted: &[SegmentId]) -> usize {
        let Ok(inventory) = &seen.archive else { return 0 };
        let room = self.segments_per_look.saturating_sub(self.opened);
        let newest = self.newest_segment(inventory);
        let (mut count, mut gone) = (0_usize, Vec::new());
        for &id in wanted.iter().take(room) {
            match self.open_segment(inventory, id).await {
                Ok(probe) => seen.probes.insert(id, Ok(probe)),
                // Without the newest, the one before would pass for the newest state.
                Err(Unopened::Gone(unread)) if Some(id) != newest => gone.push((id, unread)),
                Err(Unopened::Gone(unread) | Unopened::Unread(unread)) => {
                    seen.probes.insert(id, Err(unread));
                }
            }
            count = count.saturating_add(1);
        }
        self.opened = self.opened.saturating_add(count);
        if !gone.is_empty() {
            self.lose(seen, gone).await;
        }
        count
    }

    /// Takes segments out that were listed and are gone. Retention deletes a backup before its WAL, so
    /// the backups are looked at again: whoever is gone by now needs no WAL.
    async fn lose(&mut self, seen: &mut Observation, gone: Vec<(SegmentId, Unreadable)>) {
        let Ok(ids) = self.list_backup_ids().await else {
            // Then nobody knows whether they are needed.
            for (id, unread) in gone {
                seen.probes.insert(id, Err(unread));
            }
            return;
        };
        if let Ok(backups) = &mut seen.backups {
            backups.retain(|backup| ids.contains(&backup.id));
        }
        self.cache.backups.retain(|known| ids.contains(&known.backup.id));
        for inventory in seen.archive.iter_mut().chain(&mut self.cache.inventory) {
            gone.iter().for_each(|(id, _)| inventory.lose(*id));
        }
        // What else is gone, the next look finds out.
        self.cache.has_lost_wal = true;
    }

    /// Whether the last look missed something that had been listed, or that a backup needs.
    pub const fn has_lost_wal(&self) -> bool {
        self.cache.has_lost_wal
    }

    fn newest_segment(&self, inventory: &Inventory) -> Option<SegmentId> {
        inventory.newest_segment(self.cache.backups.iter().map(|known| &known.backup))
    }

    async fn read_archive(
        &mut self,
        listing: Listing,
        backups: &[ObservedBackup],
    ) -> Reading<Inventory> {
        let told = segment_size(backups).or(self.cache.segment_size);
        let size = told.unwrap_or(SegmentSize::DEFAULT);
        // What is known stays known if this listing fails.
        let known = self.cache.inventory.clone().filter(|known| known.segment_size == size);
        let before = known.as_ref().and_then(|known| self.newest_segment(known));
        let mut has_lost_wal = false;
        let mut read = match (listing, known) {
            (Listing::Complete, known) | (_, known @ None) => self.list_all_wal(size, known).await,
            (Listing::Incremental | Listing::Wal, Some(known)) => self.list_new_wal(known).await,
            (Listing::NextSegment, Some(known)) => self.find_next_wal(known, Many::List).await,
            (Listing::Backups, Some(known)) => self.find_next_wal(known, Many::Leave).await,
            (Listing::Folders, Some(known)) => {
                has_lost_wal = self.has_lost(&known, backups).await?;
                self.find_next_wal(known, Many::Leave).await
            }
        }?;
        if self.asked.covered != Covered::Everything {
            read = self.follow_branches(read).await?;
        }
        if let Some(own) = self.size_without_backups(&read).await? {
            read = self.list_all_wal(own, None).await?;
        }
        self.cache.has_lost_wal = has_lost_wal;
        self.cache.arrived = arrived(before, self.newest_segment(&read));
        self.cache.segment_size = Some(read.segment_size);
        self.cache.inventory = Some(read.clone());
        Ok(read)
    }
}

impl Listing {
    const fn shows_backups(self) -> bool {
        matches!(self, Self::Complete | Self::Incremental | Self::Backups)
    }
}

/// How many segments the newest one went on.
fn arrived(before: Option<SegmentId>, now: Option<SegmentId>) -> u64 {
    let ends = before.zip(now).filter(|(before, now)| before.timeline == now.timeline);
    ends.map_or(0, |(before, now)| now.number.value().saturating_sub(before.number.value()))
}

/// Whether the backup's objects were listed and then not found.
fn is_perhaps_deleted(backup: &ObservedBackup) -> bool {
    backup.info.as_ref().is_err_and(|unreadable| unreadable.reason == UnreadableReason::NotFound)
}

/// Of the newest backup that tells.
fn segment_size(backups: &[ObservedBackup]) -> Option<SegmentSize> {
    let told = backups.iter().filter_map(|backup| {
        let info = backup.parsed_info()?;
        Some((info.began_at, info.wal?.segment_size))
    });
    told.max_by_key(|(began_at, _)| *began_at).map(|(_, size)| size)
}
