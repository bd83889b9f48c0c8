//! What an archive lacks is asked for by its name: an ordinary look lists the newest end only.

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::observation::Observation;
use crate::observation::Reading;
use crate::observation::fold::Fold;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::ListedObject;
use crate::observation::probe::SegmentDamage;
use crate::observation::probe::SegmentId;
use crate::observation::probe::SegmentProbe;
use crate::observation::sought::Absent;
use crate::observation::sought::Sought;
use crate::sources::archive::Collector;
use crate::sources::archive::cache::is_same;
use crate::sources::limits;
use crate::sources::store::error::StoreErrorKind;
use crate::sources::store::object_store::ListRequest;

/// What the latest look has asked for already, and whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) covered: Covered,
    /// Looks so far.
    pub(super) turn: usize,
    names: Vec<Absent>,
    has_asked_in_turn: bool,
}

/// What the lists of a look have shown, so that it is not asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Covered {
    Nothing,
    /// Everything behind this segment.
    Behind(SegmentId),
    Everything,
}

/// Sorts behind all objects of a segment: suffixes begin with a dot.
const BEHIND_SUFFIXES: char = '~';

/// Mostly a segment has one object; a label or a leftover may lie beside some.
const KEYS_BEYOND: u16 = 16;

const SEEK: &str = "look for what is missing";

impl Default for Asked {
    fn default() -> Self {
        Self { covered: Covered::Nothing, turn: 0, names: Vec::new(), has_asked_in_turn: false }
    }
}

impl Asked {
    pub(super) fn at_next_look(&self) -> Self {
        Self { turn: self.turn.wrapping_add(1), ..Self::default() }
    }
}

impl Covered {
    fn has(self, what: Absent) -> bool {
        match (self, what) {
            (Self::Nothing, _) => false,
            (Self::Everything, _) => true,
            (Self::Behind(begin), Absent::History(timeline)) => begin.timeline < timeline,
            (Self::Behind(begin), Absent::Segments { timeline, segments }) => {
                begin < SegmentId { timeline, number: segments.first }
            }
        }
    }
}

impl Collector {
    /// Asks for what is missing, or of no use as it is, and has not been asked for in this look.
    /// What is urgent is asked for at each look, as far as that takes few requests; of the rest one
    /// thing after the other. Tells whether that has changed what was seen.
    pub async fn seek(&mut self, seen: &mut Observation, sought: &[Sought]) -> bool {
        let Ok(known) = &seen.archive else { return false };
        let known = known.clone();
        match self.find(known.clone(), seen, sought).await {
            Ok((found, has_news)) => {
                let has_news = has_news || found != known;
                if has_news {
                    seen.histories = self.read_histories(&found).await;
                    self.cache.inventory = Some(found.clone());
                    seen.archive = Ok(found);
                }
                seen.head_trouble = self.cache.heads.trouble();
                has_news
            }
            // Whether it has come is not known, and so neither is the verdict.
            Err(unreadable) => {
                seen.archive = Err(unreadable);
                true
            }
        }
    }

    async fn find(
        &mut self,
        mut inventory: Inventory,
        seen: &mut Observation,
        sought: &[Sought],
    ) -> Reading<(Inventory, bool)> {
        let mut has_news = false;
        let open: Vec<Sought> =
            sought.iter().filter(|it| !self.asked.names.contains(&it.what)).copied().collect();
        let (urgent, others): (Vec<Sought>, Vec<Sought>) =
            open.into_iter().partition(|it| it.is_urgent);
        let room = limits::SOUGHT_PER_LOOK_MAX.saturating_sub(self.asked.names.len());
        let begin = if urgent.len() <= room { 0 } else { self.asked.turn };
        for it in in_turn(&urgent, begin).take(room) {
            self.asked.names.push(it.what);
            inventory = self.ask_for(it.what, inventory).await?;
            has_news |= self.open_again(it.what, &inventory, seen).await;
        }
        if let Some(it) = in_turn(&others, self.asked.turn).next()
            && !self.asked.has_asked_in_turn
        {
            self.asked.has_asked_in_turn = true;
            self.asked.names.push(it.what);
            inventory = self.ask_in_turn(it.what, inventory).await?;
        }
        Ok((inventory, has_news))
    }

    async fn ask_for(&mut self, what: Absent, known: Inventory) -> Reading<Inventory> {
        match what {
            _ if self.asked.covered.has(what) => Ok(known),
            Absent::History(timeline) => self.ask_for_history(timeline, known).await,
            Absent::Segments { timeline, segments } => {
                self.list_segments(timeline, segments, known).await
            }
        }
    }

    /// A history file that is there may have been replaced; a HEAD tells, and costs less.
    async fn ask_for_history(
        &mut self,
        timeline: TimelineId,
        known: Inventory,
    ) -> Reading<Inventory> {
        let object = known.histories.get(&timeline);
        if let Some(object) = object
            && self.cache.heads.trouble().is_none()
        {
            let listed = object.version.digest();
            match self.store.head(&self.folder.history(timeline, object.codec)).await {
                Ok(now) if is_same(listed, &now.version) => return Ok(known),
                Ok(_) => {}
                Err(error) if error.kind == StoreErrorKind::NoSuchKey => {}
                Err(error) if error.kind.is_of_any_request() => return Err(error.unreadable(SEEK)),
                Err(_) => {}
            }
        }
        let plain = self.folder.history(timeline, Codec::None);
        let objects = self.list_small(&plain, None, None).await?;
        Ok(self.take_over(known, &objects))
    }

    /// All of them, as far as they fit into one page.
    async fn list_segments(
        &mut self,
        timeline: TimelineId,
        segments: SegmentRange,
        known: Inventory,
    ) -> Reading<Inventory> {
        let size = known.segment_size;
        let key =
            |number: SegmentNumber| self.folder.segment(number.name(timeline, size), Codec::None);
        let (first, last) = (key(segments.first), key(segments.last));
        let mut objects = match segments.first.previous().filter(|_| segments.count() > 1) {
            None => self.list_small(&first, None, None).await?,
            Some(before) => {
                let after = format!("{}{BEHIND_SUFFIXES}", key(before));
                let wals = self.folder.wals();
                // More than a page's worth is asked for as a whole page.
                let count = u16::try_from(segments.count()).ok();
                let keys_max = count.map(|it| it.saturating_mul(2).saturating_add(KEYS_BEYOND));
                let keys_max = keys_max.filter(|it| *it < limits::LIST_KEYS_PER_PAGE);
                self.list_small(&wals, Some(&after), keys_max).await?
            }
        };
        let end = format!("{last}{BEHIND_SUFFIXES}");
        objects.retain(|object| first <= object.key && object.key < end);
        Ok(self.take_over(known, &objects))
    }

    async fn list_small(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        keys_max: Option<u16>,
    ) -> Reading<Vec<ListedObject>> {
        let request = ListRequest { prefix, start_after, keys_max, ..ListRequest::default() };
        let page = self.store.list_page(request).await.map_err(|it| it.unreadable(SEEK))?;
        let mut objects = page.objects;
        if page.continuation.is_some()
            && let Some(cut) = objects.last().map(|last| stem(&last.key).to_owned())
        {
            // Of the last segment only a part may be there.
            objects.retain(|object| stem(&object.key) != cut);
        }
        Ok(objects)
    }

    /// Adds what a listing showed to what is known, and to what a later list is held against.
    pub(super) fn take_over(&mut self, known: Inventory, objects: &[ListedObject]) -> Inventory {
        let fold = |inventory| {
            let mut fold = Fold::onto(inventory, &self.folder);
            objects.iter().for_each(|object| fold.add(object));
            fold.finish()
        };
        let listed = self.cache.heads.listed().cloned().map(fold);
        let inventory = fold(known);
        if let Some((claimed, listed)) = self.cache.heads.listed_mut().zip(listed) {
            *claimed = listed;
        }
        inventory
    }

    /// One HEAD, and a LIST only where it says that there is something.
    async fn ask_in_turn(&mut self, what: Absent, known: Inventory) -> Reading<Inventory> {
        if self.asked.covered.has(what) || self.cache.heads.trouble().is_some() {
            return Ok(known);
        }
        let (timeline, key) = match what {
            Absent::History(timeline) => {
                let codec = codec_of(&known, timeline);
                (timeline, codec.map(|it| self.folder.history(timeline, it)))
            }
            Absent::Segments { timeline, segments } => {
                let name = segments.first.name(timeline, known.segment_size);
                let codec = codec_of(&known, timeline);
                (timeline, codec.map(|it| self.folder.segment(name, it)))
            }
        };
        let Some(key) = key else { return Ok(known) };
        if self.store.head(&key).await.is_err() {
            return Ok(known);
        }
        let before = known.timeline(timeline).cloned();
        let histories = known.histories.len();
        let found = self.ask_for(what, known).await?;
        let is_there =
            found.timeline(timeline) != before.as_ref() || found.histories.len() != histories;
        if !is_there && self.cache.heads.note_invented() {
            self.warn_of_inventions();
        }
        Ok(found)
    }

    /// What was opened and is of no use may have been replaced. Tells whether it was.
    async fn open_again(
        &mut self,
        what: Absent,
        inventory: &Inventory,
        seen: &mut Observation,
    ) -> bool {
        let Absent::Segments { timeline, segments: SegmentRange { first: number, last } } = what
        else {
            return false;
        };
        let id = SegmentId { timeline, number };
        if number != last || !seen.probes.has(id) || self.opened >= self.segments_per_look {
            return false;
        }
        if begins_before(seen, id, inventory.segment_size) {
            return false;
        }
        self.opened = self.opened.saturating_add(1);
        let probe = self.open_segment(inventory, id).await;
        let known = seen.probes.timeline(timeline);
        let is_same = match &probe {
            Ok(SegmentProbe::Read(content)) => known.is_some_and(|known| {
                known.last_written(SegmentRange::only(number), content.system_identifier).is_some()
            }),
            Ok(SegmentProbe::Damaged(_)) => known.is_some_and(|known| !known.is_whole(number)),
            Err(_) => false,
        };
        seen.probes.insert(id, probe.map_err(Into::into));
        !is_same
    }
}

/// Whether a segment is damaged in a record that began before it, which only reading both shows.
fn begins_before(seen: &Observation, id: SegmentId, size: SegmentSize) -> bool {
    let begin = id.number.start(size);
    let probes = seen.probes.timeline(id.timeline);
    probes.is_some_and(|probes| {
        probes
            .damaged(SegmentRange::only(id.number))
            .any(|(_, damage)| matches!(damage, SegmentDamage::Log(damage) if damage.at < begin))
    })
}

/// How this timeline is compressed, or else any.
fn codec_of(known: &Inventory, timeline: TimelineId) -> Option<Codec> {
    let own = known.timeline(timeline).and_then(|archive| archive.newest_codec());
    own.or_else(|| known.timelines.values().rev().find_map(|archive| archive.newest_codec()))
}

/// All of them, beginning with another one at each turn.
fn in_turn(sought: &[Sought], turn: usize) -> impl Iterator<Item = Sought> {
    let begin = turn.checked_rem(sought.len()).unwrap_or(0);
    sought.iter().cycle().skip(begin).take(sought.len()).copied()
}

/// A key without its suffixes.
fn stem(key: &str) -> &str {
    let begin = key.rfind('/').map_or(0, |at| at.saturating_add(1));
    let end = key.get(begin..).and_then(|name| name.find('.'));
    end.and_then(|end| key.get(..begin.saturating_add(end))).unwrap_or(key)
}
