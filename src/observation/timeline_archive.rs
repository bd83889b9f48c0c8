//! The segments of one timeline, as listings showed them.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::codec::Codec;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment_set::SegmentSet;
use crate::observation::edge_uploads::EdgeUploads;

/// What the archive holds of one timeline; memory grows with the number of holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineArchive {
    segments: SegmentSet,
    /// Invariant: keys are first or last segments of `segments`' ranges.
    edge_uploads: EdgeUploads,
    /// Whole segments of zero bytes, where a restore would pick that object.
    empty: SegmentSet,
    /// Segments of which barman hands out a file of another size than a segment has, as far as a
    /// listing tells: uncompressed ones, and some without a byte.
    misfits: SegmentSet,
    /// Whole segments that must be thawed before they are read.
    frozen: SegmentSet,
    /// Whole segments that a restore would pass over for a leftover `.partial`.
    shadowed: SegmentSet,
    /// Whole segments stored under more than one compression.
    twice: SegmentSet,
    partials: SegmentSet,
    /// Segments that an earlier listing showed and a later one did not.
    vanished: SegmentSet,
    /// How the highest segment is compressed.
    newest_codec: Option<Codec>,
}

/// All objects of one segment, as one listing showed them together.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredSegment {
    pub(super) number: SegmentNumber,
    /// What `barman-cloud-wal-restore` picks: the first matching name in byte order.
    pub(super) restores: Restores,
    /// `None` if only a `.partial` is stored.
    pub(super) whole: Option<Whole>,
    pub(super) has_partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restores {
    Whole,
    Partial,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Of the object that a restore would pick among the whole ones.
    pub(super) codec: Codec,
    pub(super) size: u64,
    pub(super) is_misfit: bool,
    pub(super) is_frozen: bool,
    pub(super) uploaded_at: DateTime<Utc>,
    pub(super) objects: u32,
}

impl TimelineArchive {
    pub const fn segments(&self) -> &SegmentSet {
        &self.segments
    }

    pub const fn empty(&self) -> &SegmentSet {
        &self.empty
    }

    pub const fn misfits(&self) -> &SegmentSet {
        &self.misfits
    }

    pub const fn frozen(&self) -> &SegmentSet {
        &self.frozen
    }

    pub const fn shadowed(&self) -> &SegmentSet {
        &self.shadowed
    }

    pub const fn twice(&self) -> &SegmentSet {
        &self.twice
    }

    pub const fn partials(&self) -> &SegmentSet {
        &self.partials
    }

    pub const fn vanished(&self) -> &SegmentSet {
        &self.vanished
    }

    pub const fn newest_codec(&self) -> Option<Codec> {
        self.newest_codec
    }

    /// When a segment was uploaded; known at the ends of ranges only.
    pub fn uploaded_at(&self, number: SegmentNumber) -> Option<DateTime<Utc>> {
        self.edge_uploads.get(number)
    }

    /// The latest upload among the ends of ranges.
    pub fn latest_upload(&self) -> Option<DateTime<Utc>> {
        self.edge_uploads.iter().map(|(_, uploaded_at)| uploaded_at).max()
    }

    /// Takes over what a listing shows of one segment; repeating it changes nothing. Tells
    /// whether the segment was not there before.
    pub(super) fn store(&mut self, stored: StoredSegment) -> bool {
        let number = stored.number;
        if stored.has_partial {
            self.partials.insert(number);
        }
        let Some(whole) = stored.whole else { return false };
        let is_new = !self.segments.contains(number);
        self.segments.insert(number);
        self.edge_uploads.insert(number, whole.uploaded_at);
        for neighbour in [number.previous(), Some(number), Some(number.next())] {
            self.forget_upload_inside(neighbour);
        }
        if self.segments.last() == Some(number) {
            self.newest_codec = Some(whole.codec);
        }
        let is_shadowed = stored.restores == Restores::Partial;
        for (set, is_in) in [
            (&mut self.shadowed, is_shadowed),
            (&mut self.empty, whole.size == 0 && !is_shadowed),
            (&mut self.misfits, whole.is_misfit && !is_shadowed),
            (&mut self.frozen, whole.is_frozen && !is_shadowed),
            (&mut self.twice, whole.objects > 1),
        ] {
            if is_in {
                set.insert(number);
            } else {
                set.remove(number);
            }
        }
        self.vanished.remove(number);
        is_new
    }

    /// Adds what another part of the same listing showed.
    pub(super) fn absorb(&mut self, later: Self) {
        let Self {
            segments, edge_uploads, empty, misfits, frozen, shadowed, twice, partials, ..
        } = later;
        if self.segments.last() < segments.last() {
            self.newest_codec = later.newest_codec;
        }
        for (ours, theirs) in [
            (&mut self.segments, segments),
            (&mut self.empty, empty),
            (&mut self.misfits, misfits),
            (&mut self.frozen, frozen),
            (&mut self.shadowed, shadowed),
            (&mut self.twice, twice),
            (&mut self.partials, partials),
        ] {
            theirs.ranges().iter().for_each(|range| ours.insert_range(*range));
        }
        for (number, uploaded_at) in edge_uploads.iter() {
            self.edge_uploads.insert(number, uploaded_at);
        }
        self.edge_uploads.retain(|number| {
            let range = self.segments.range_at(number);
            range.is_some_and(|range| number == range.first || number == range.last)
        });
    }

    /// Remembers what an earlier, complete listing had and this one has not.
    pub(super) fn note_vanished(&mut self, earlier: &Self) {
        self.vanished = earlier.vanished.without(&self.segments);
        for &range in earlier.segments.without(&self.segments).ranges() {
            self.vanished.insert_range(range);
        }
    }

    /// What a listing showed and was not there when it was opened is there no more.
    pub(super) fn lose(&mut self, number: SegmentNumber) {
        for set in [
            &mut self.segments,
            &mut self.empty,
            &mut self.misfits,
            &mut self.frozen,
            &mut self.shadowed,
            &mut self.twice,
        ] {
            set.remove(number);
        }
        self.edge_uploads.remove(number);
        self.vanished.insert(number);
    }

    fn forget_upload_inside(&mut self, number: Option<SegmentNumber>) {
        let Some(number) = number else { return };
        let is_inside = self
            .segments
            .range_at(number)
            .is_some_and(|range| range.first < number && number < range.last);
        if is_inside {
            self.edge_uploads.remove(number);
        }
    }
}
