//! Whether WAL is gone that a backup needs, as far as the folders and one segment tell.

use std::collections::BTreeSet;

use crate::domain::backup::BackupStatus;
use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::observation::Reading;
use crate::observation::backup::ObservedBackup;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing::outline;
use crate::sources::store::object_store::ListRequest;

const LIST: &str = "list the folders of the archive";
const FIND: &str = "look for the oldest WAL segment that is needed";

impl Collector {
    /// Compares what is known with the folders that are there, and with the first segment that the
    /// oldest backup needs: retention and lifecycle rules delete from the old end.
    pub(super) async fn has_lost(
        &self,
        known: &Inventory,
        backups: &[ObservedBackup],
    ) -> Reading<bool> {
        let Some(first) = first_needed(backups) else { return Ok(false) };
        Ok(self.has_lost_folder(known, first).await? || self.has_lost_segment(known, first).await?)
    }

    async fn has_lost_folder(&self, known: &Inventory, first: SegmentId) -> Reading<bool> {
        let wals = self.folder.wals();
        let listed = outline(self.store.as_ref(), &wals).await;
        let listed = listed.map_err(|error| error.unreadable(LIST))?;
        let names = listed.folders.iter().filter_map(|it| it.strip_prefix(&wals));
        let present: BTreeSet<&str> = names.map(|it| it.trim_end_matches('/')).collect();
        let shown_last = present.last().copied().filter(|_| !listed.is_whole);
        let is_lost = |folder: &String| {
            shown_last.is_none_or(|last| folder.as_str() <= last)
                && !present.contains(folder.as_str())
        };
        Ok(folders_since(known, first).iter().any(is_lost))
    }

    async fn has_lost_segment(&self, known: &Inventory, id: SegmentId) -> Reading<bool> {
        let Some(archive) = known.timeline(id.timeline) else { return Ok(false) };
        if !archive.segments().contains(id.number) {
            return Ok(false);
        }
        let name = id.number.name(id.timeline, known.segment_size);
        // Mostly it is compressed like the newest one, and a HEAD costs less than a LIST, if its
        // answer means something.
        if self.cache.heads.can_say_no()
            && let Some(codec) = archive.newest_codec()
        {
            match self.store.head(&self.folder.segment(name, codec)).await {
                Ok(_) => return Ok(false),
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => {}
                Err(error) if error.kind.is_of_any_request() => return Err(error.unreadable(FIND)),
                Err(_) => {}
            }
        }
        let prefix = self.folder.segment(name, Codec::None);
        let request = ListRequest { prefix: &prefix, keys_max: Some(1), ..ListRequest::default() };
        let page = self.store.list_page(request).await.map_err(|error| error.unreadable(FIND))?;
        Ok(page.objects.is_empty())
    }
}

/// The first segment of the finished backup that reaches back furthest.
fn first_needed(backups: &[ObservedBackup]) -> Option<SegmentId> {
    let finished = backups
        .iter()
        .filter_map(ObservedBackup::parsed_info)
        .filter(|info| info.status == BackupStatus::Done);
    let needed = finished.filter_map(|info| {
        let wal = info.wal?;
        Some(SegmentId { timeline: wal.begin.timeline, number: wal.first_required })
    });
    needed.min_by_key(|id| id.number)
}

/// The folders of the known segments from this one on.
fn folders_since(known: &Inventory, first: SegmentId) -> BTreeSet<String> {
    let per_log = known.segment_size.segments_per_log();
    let mut folders = BTreeSet::new();
    let timelines = known.timelines.range(first.timeline..);
    let since = SegmentRange { first: first.number, last: SegmentNumber::LAST };
    for (timeline, archive) in timelines {
        for range in archive.segments().overlapping(since) {
            let begins = range.first.max(first.number);
            let logs = [begins, range.last].map(|it| it.value().checked_div(per_log));
            let [Some(first), Some(last)] = logs else { continue };
            for log in first..=last {
                let number = SegmentNumber::new(log.saturating_mul(per_log));
                folders.insert(number.name(*timeline, known.segment_size).folder());
            }
        }
    }
    folders
}
