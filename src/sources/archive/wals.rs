//! The listing of `wals/`, whole or from the newest segment on.

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::observation::Reading;
use crate::observation::inventory::Fold;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::OVERLAP_SEGMENTS;
use crate::sources::archive::Collector;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing::list_all;
use crate::sources::store::listing::list_in_ranges;

/// What to do where many new segments are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    /// List them.
    List,
    /// Leave the rest to the next look: this one has sent its LIST.
    Leave,
}

/// As many HEADs as cost less than one LIST at R2's prices, 4.50 to 0.36.
const HEADS_FOR_A_LIST: u64 = 12;

const LIST: &str = "list the archive";
const NEXT: &str = "look for the next WAL segment";

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
            &self.turns,
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
        let start_after = self.newest_segment(&known).map(|newest| {
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

    /// Asks for the segment after the newest one, under the same compression, until there is
    /// none. Where many come, listing them costs less.
    pub(super) async fn find_next_wal(
        &self,
        mut known: Inventory,
        many: Many,
    ) -> Reading<Inventory> {
        if many == Many::Leave || self.cache.arrived < HEADS_FOR_A_LIST {
            for _ in 0..HEADS_FOR_A_LIST {
                let Some(key) = self.key_of_next(&known) else { break };
                let object = match self.store.head(&key).await {
                    Ok(object) => object,
                    Err(error) if error.kind == StoreErrorKind::NoSuchKey => return Ok(known),
                    Err(error) => return Err(error.unreadable(NEXT)),
                };
                let mut fold = Fold::onto(known, &self.folder);
                fold.add(&object);
                known = fold.finish();
            }
        }
        match many {
            Many::List => self.list_new_wal(known).await,
            Many::Leave => Ok(known),
        }
    }

    fn key_of_next(&self, known: &Inventory) -> Option<String> {
        let newest = self.newest_segment(known)?;
        let codec = known.timeline(newest.timeline)?.newest_codec()?;
        let name = newest.number.next().name(newest.timeline, known.segment_size);
        Some(self.folder.segment(name, codec))
    }
}
