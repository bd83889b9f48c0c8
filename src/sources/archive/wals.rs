//! The listing of `wals/`, whole or from the newest segment on.

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::observation::Reading;
use crate::observation::fold::Fold;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::OVERLAP_SEGMENTS;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::archive::sought::Covered;
use crate::sources::store::error::StoreError;
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

/// What HEADs of the segments to come showed.
enum Asked {
    Nothing,
    /// These are new, and the one after them is not there.
    These(Inventory),
    /// No end was seen; these are new, if any.
    More(Option<Inventory>),
}

impl Collector {
    /// Lists everything, several ranges at once where it is long.
    pub(super) async fn list_all_wal(
        &mut self,
        size: SegmentSize,
        known: Option<Inventory>,
    ) -> Reading<Inventory> {
        let (folder, summed) = (&self.folder, &self.summed);
        let wals = folder.wals();
        let folds = list_in_ranges(
            self.store.as_ref(),
            &self.turns,
            &wals,
            || Fold::complete(size, folder).summing(summed),
            |fold, object| fold.add(&object),
        );
        let folds = folds.await.map_err(|error| error.unreadable(LIST))?;
        let parts = folds.into_iter().map(Fold::finish);
        let mut inventory = Inventory::join(parts).unwrap_or_else(|| Inventory::empty(size));
        self.sums = Some(std::mem::take(&mut inventory.sums));
        self.asked.covered = Covered::Everything;
        if let Some(known) = known {
            // What no listing has shown cannot have vanished.
            inventory.note_vanished(self.cache.heads.listed().unwrap_or(&known));
            self.note_listed(&inventory);
        } else {
            self.cache.heads.forget_claim();
        }
        Ok(inventory)
    }

    /// Lists what lies after the newest segment and shortly before it. Older timelines are left
    /// to the next complete listing. What only HEADs have shown is left out unless it is listed.
    pub(super) async fn list_new_wal(&mut self, known: Inventory) -> Reading<Inventory> {
        let known = self.cache.heads.listed().cloned().unwrap_or(known);
        let first = self.newest_segment(&known).map(|SegmentId { timeline, number }| {
            let first = number.value().saturating_sub(OVERLAP_SEGMENTS);
            SegmentId { timeline, number: SegmentNumber::new(first) }
        });
        let start_after = first.map(|first| {
            let name = first.number.name(first.timeline, known.segment_size);
            self.folder.segment(name, Codec::None)
        });
        let (folder, wals) = (&self.folder, self.folder.wals());
        let mut fold = Fold::onto(known, folder);
        let listed = list_all(self.store.as_ref(), &wals, start_after.as_deref(), |object| {
            fold.add(&object);
        });
        listed.await.map_err(|error| error.unreadable(LIST))?;
        let inventory = fold.finish();
        self.asked.covered = first.map_or(Covered::Everything, Covered::Behind);
        self.note_listed(&inventory);
        Ok(inventory)
    }

    /// Asks for the segment after the newest one, under the same compression, until there is
    /// none. Where many come, listing them costs less.
    ///
    /// A store that says yes to everything would invent segments. So what is found counts only
    /// once a listing has shown what was found before, and each listing is held against it: the
    /// first find after the start costs one LIST, and all later ones none, since the tier lists
    /// anyway.
    pub(super) async fn find_next_wal(
        &mut self,
        known: Inventory,
        many: Many,
    ) -> Reading<Inventory> {
        let is_asked = self.cache.heads.trouble().is_none()
            && (many == Many::Leave || self.cache.arrived < HEADS_FOR_A_LIST);
        let asked = if is_asked { self.ask_for_next(&known).await } else { Ok(Asked::More(None)) };
        let (found, is_all) = match asked {
            Ok(Asked::Nothing) => (None, true),
            Ok(Asked::These(found)) => (Some(found), true),
            Ok(Asked::More(found)) => (found, false),
            Err(error) => return self.list_instead(known, &error).await,
        };
        if is_all {
            self.cache.heads.note_no();
        }
        if let Some(newest) = found.as_ref().and_then(|found| self.newest_segment(found)) {
            self.cache.heads.claim(newest, &known);
        }
        let is_proven = self.cache.heads.is_proven();
        match (found, many) {
            (None, _) if is_all => Ok(known),
            (Some(found), Many::List) if is_all && is_proven => Ok(found),
            (Some(found), Many::Leave) if is_proven => Ok(found),
            (None | Some(_), Many::List) => self.list_new_wal(known).await,
            (None | Some(_), Many::Leave) => Ok(known),
        }
    }

    async fn ask_for_next(&self, known: &Inventory) -> Result<Asked, StoreError> {
        let mut found: Option<Inventory> = None;
        for _ in 0..HEADS_FOR_A_LIST {
            let Some(key) = self.key_of_next(found.as_ref().unwrap_or(known)) else { break };
            let object = match self.store.head(&key).await {
                Ok(object) => object,
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => {
                    return Ok(found.map_or(Asked::Nothing, Asked::These));
                }
                Err(error) => return Err(error),
            };
            let mut fold = Fold::onto(found.unwrap_or_else(|| known.clone()), &self.folder);
            fold.add(&object);
            found = Some(fold.finish());
        }
        Ok(Asked::More(found))
    }

    /// Lists what was to be found by HEADs. Where that works and they do not, they are given up
    /// rather than tried in vain at every other look. A store that is slow or throttles is left
    /// alone: it would treat a LIST the same way.
    async fn list_instead(&mut self, known: Inventory, error: &StoreError) -> Reading<Inventory> {
        if error.kind.is_of_any_request() {
            return Err(error.unreadable(NEXT));
        }
        let listed = self.list_new_wal(known).await?;
        if self.cache.heads.note_failure(error.kind) {
            let archive = self.folder.as_str();
            tracing::warn!(
                archive,
                "HEAD is refused although LIST works, and is not tried again: {error}"
            );
        }
        Ok(listed)
    }

    fn note_listed(&mut self, listed: &Inventory) {
        if self.cache.heads.settle(listed) {
            self.warn_of_inventions();
        }
    }

    pub(super) fn warn_of_inventions(&self) {
        let archive = self.folder.as_str();
        tracing::warn!(
            archive,
            "HEAD answers for segments that LIST does not show, and is not \
                                 tried again"
        );
    }

    fn key_of_next(&self, known: &Inventory) -> Option<String> {
        self.key_behind(self.newest_segment(known)?, known)
    }

    /// Of the next segment of the same timeline, compressed like its newest.
    pub(super) fn key_behind(&self, newest: SegmentId, known: &Inventory) -> Option<String> {
        let codec = known.timeline(newest.timeline)?.newest_codec()?;
        let name = newest.number.next().name(newest.timeline, known.segment_size);
        Some(self.folder.segment(name, codec))
    }
}
