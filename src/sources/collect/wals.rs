//! The listing of `wals/`, whole or from the newest segment on.

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::observation::Reading;
use crate::observation::inventory::Fold;
use crate::observation::inventory::Inventory;
use crate::sources::collect::Collector;
use crate::sources::listing::list_all;
use crate::sources::listing::list_in_ranges;

/// How far an incremental listing goes back behind the newest segment, for segments that arrive
/// late: twice as many as may be missing below it before a hole counts as a gap.
const OVERLAP_SEGMENTS: u64 = 64;

const LIST: &str = "list the archive";

impl Collector {
    /// Lists everything, several ranges at once where it is long.
    pub(super) async fn list_all_wal(
        &self,
        size: SegmentSize,
        known: Option<Inventory>,
    ) -> Reading<Inventory> {
        let folder = &self.folder;
        let wals = folder.wals();
        let folds = list_in_ranges(
            self.store.as_ref(),
            &wals,
            || Fold::complete(size, folder),
            |fold, object| fold.add(&object),
        );
        let folds = folds.await.map_err(|error| error.unreadable(LIST))?;
        let parts = folds.into_iter().map(Fold::finish);
        let mut inventory = Inventory::join(parts).unwrap_or_else(|| Inventory::empty(size));
        if let Some(known) = known {
            inventory.note_vanished(&known);
        }
        Ok(inventory)
    }

    /// Lists what lies after the newest segment and shortly before it. Older timelines are left
    /// to the next complete listing.
    pub(super) async fn list_new_wal(&self, known: Inventory) -> Reading<Inventory> {
        let start_after = known.newest_segment().map(|newest| {
            let first = newest.number.value().saturating_sub(OVERLAP_SEGMENTS);
            let name = SegmentNumber::new(first).name(newest.timeline, known.segment_size);
            self.folder.segment(name, Codec::None)
        });
        let (folder, wals) = (&self.folder, self.folder.wals());
        let mut fold = Fold::onto(known, folder);
        let listed = list_all(self.store.as_ref(), &wals, start_after.as_deref(), |object| {
            fold.add(&object);
        });
        listed.await.map_err(|error| error.unreadable(LIST))?;
        Ok(fold.finish())
    }
}
