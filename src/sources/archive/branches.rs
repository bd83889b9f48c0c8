//! Timelines beside the newest one: an old primary archives its last segments after a failover, and
//! a copy of the cluster may make a newer timeline while the server goes on with its own.

use std::cmp::Reverse;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::observation::Reading;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::ListedObject;
use crate::observation::inventory::OVERLAP_SEGMENTS;
use crate::observation::probe::SegmentId;
use crate::sources::archive::Collector;
use crate::sources::limits;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::listing::list_all;

/// A timeline whose newest segment is older than another's by more than this goes on no more, or
/// has time until its turn.
const RECENT: TimeDelta = TimeDelta::hours(24);

const FOLLOW: &str = "look for new WAL on an older timeline";

impl Collector {
    /// Asks whether timelines beside the newest go on: at each look those that did so lately, and of
    /// the others one after the other.
    pub(super) async fn follow_branches(&mut self, known: Inventory) -> Reading<Inventory> {
        let mut inventory = known;
        let (recent, others) = self.branches(&inventory);
        let turn = self.asked.turn.checked_rem(others.len()).unwrap_or(0);
        let has_heads = self.cache.heads.trouble().is_none();
        // A LIST costs more than a HEAD.
        let recent_max = if has_heads { limits::BRANCHES_PER_LOOK_MAX } else { 1 };
        let in_turn = others.get(turn).filter(|_| has_heads);
        let asked: Vec<SegmentId> =
            recent.into_iter().take(recent_max).chain(in_turn.copied()).collect();
        for newest in asked {
            inventory = self.follow(newest, inventory).await?;
        }
        Ok(inventory)
    }

    /// The newest segments of the timelines beside the newest, those that were uploaded last first,
    /// parted into recent ones and others.
    fn branches(&self, known: &Inventory) -> (Vec<SegmentId>, Vec<SegmentId>) {
        let newest = self.newest_segment(known).map(|it| it.timeline);
        let strays = known.stray_timelines(self.cache.backups.iter().map(|it| &it.backup));
        let ends = known.timelines.iter().filter_map(|(&timeline, archive)| {
            let number = archive.segments().last()?;
            Some((archive.uploaded_at(number)?, SegmentId { timeline, number }))
        });
        let mut ends: Vec<(DateTime<Utc>, SegmentId)> =
            ends.filter(|(_, id)| !strays.contains(&id.timeline)).collect();
        ends.sort_unstable_by_key(|end| Reverse(*end));
        let latest = ends.first().map(|(at, _)| *at);
        let is_recent = |at: DateTime<Utc>| {
            latest.is_none_or(|latest| latest.signed_duration_since(at) <= RECENT)
        };
        let ends = ends.into_iter().filter(|(_, id)| Some(id.timeline) != newest);
        let (recent, others): (Vec<_>, Vec<_>) = ends.partition(|(at, _)| is_recent(*at));
        let ids = |ends: Vec<(DateTime<Utc>, SegmentId)>| ends.into_iter().map(|it| it.1).collect();
        (ids(recent), ids(others))
    }

    async fn follow(&mut self, newest: SegmentId, known: Inventory) -> Reading<Inventory> {
        let Some(key) = self.key_behind(newest, &known) else { return Ok(known) };
        let mut is_claimed = false;
        if self.cache.heads.trouble().is_none() {
            match self.store.head(&key).await {
                Ok(_) => is_claimed = true,
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => return Ok(known),
                Err(error) if error.kind.is_of_any_request() => {
                    return Err(error.unreadable(FOLLOW));
                }
                Err(_) => {}
            }
        }
        let objects = self.list_tail(newest, &known).await?;
        let found = self.take_over(known, &objects);
        let end = found.timeline(newest.timeline).and_then(|archive| archive.segments().last());
        let has_news = end.is_some_and(|end| newest.number < end);
        if is_claimed && !has_news && self.cache.heads.note_invented() {
            self.warn_of_inventions();
        }
        Ok(found)
    }

    /// What came behind the newest segment of one timeline, with some overlap.
    async fn list_tail(&self, newest: SegmentId, known: &Inventory) -> Reading<Vec<ListedObject>> {
        let SegmentId { timeline, number } = newest;
        let first = SegmentNumber::new(number.value().saturating_sub(OVERLAP_SEGMENTS));
        let name = first.name(timeline, known.segment_size);
        let start_after = self.folder.segment(name, Codec::None);
        let prefix = self.prefix_of(timeline);
        let mut objects = Vec::new();
        let listed = list_all(self.store.as_ref(), &prefix, Some(&start_after), |object| {
            if objects.len() < limits::BRANCH_KEYS_MAX {
                objects.push(object);
            }
        });
        listed.await.map_err(|error| error.unreadable(FOLLOW))?;
        Ok(objects)
    }

    fn prefix_of(&self, timeline: TimelineId) -> String {
        format!("{}{:08X}", self.folder.wals(), timeline.value())
    }
}
