//! Sums over the objects of many segments: equal means that none of them was replaced.

use std::collections::BTreeMap;

use twox_hash::XxHash3_128;

use crate::domain::object_version::ObjectVersion;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;

/// Segments that are remembered together; a thousand archives with a million each would else need
/// gigabytes.
pub const SEGMENTS_PER_FOLDER: u64 = 256;

/// Consecutive segments of one timeline, by their number divided by [`SEGMENTS_PER_FOLDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderId {
    pub timeline: TimelineId,
    pub index: u64,
}

/// What stands for one object in a sum: its name, entity tag and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectSum(pub u128);

/// Of each folder, the sum over some of its segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderSums(BTreeMap<FolderId, ObjectSum>);

impl FolderId {
    pub const fn of(id: SegmentId) -> Self {
        Self { timeline: id.timeline, index: id.number.value() / SEGMENTS_PER_FOLDER }
    }

    pub const fn segments(self) -> SegmentRange {
        let first = self.index.saturating_mul(SEGMENTS_PER_FOLDER);
        let last = first.saturating_add(SEGMENTS_PER_FOLDER - 1);
        SegmentRange { first: SegmentNumber::new(first), last: SegmentNumber::new(last) }
    }
}

impl ObjectSum {
    /// `key` may have folders before the name. `None` without an entity tag, as a size alone tells
    /// nothing apart.
    pub fn of(key: &str, version: &ObjectVersion) -> Option<Self> {
        let ObjectVersion { etag, size } = version;
        let name = key.rsplit('/').next().unwrap_or(key);
        // Some stores leave out the quotes in a listing.
        let etag = etag.trim_matches('"');
        let text = format!("{name}\n{etag}\n{size}");
        (!etag.is_empty()).then(|| Self(XxHash3_128::oneshot(text.as_bytes())))
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl FolderSums {
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub fn add(&mut self, id: SegmentId, sum: ObjectSum) {
        let known = self.0.entry(FolderId::of(id)).or_default();
        *known = known.plus(sum);
    }

    pub fn absorb(&mut self, other: Self) {
        for (folder, sum) in other.0 {
            let known = self.0.entry(folder).or_default();
            *known = known.plus(sum);
        }
    }

    pub fn get(&self, folder: FolderId) -> Option<ObjectSum> {
        self.0.get(&folder).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(key: &str, etag: &str, size: u64) -> Option<ObjectSum> {
        ObjectSum::of(key, &ObjectVersion::new(etag, size))
    }

    #[test]
    fn name_tag_and_size_count_and_where_the_object_lies_does_not() {
        let known = sum("a/main/wals/000000010000000000000006.gz", "\"1\"", 7);
        assert!(known.is_some());
        assert_eq!(sum("000000010000000000000006.gz", "\"1\"", 7), known);
        assert_ne!(sum("000000010000000000000007.gz", "\"1\"", 7), known);
        assert_ne!(sum("000000010000000000000006.gz", "\"2\"", 7), known);
        assert_ne!(sum("000000010000000000000006.gz", "\"1\"", 8), known);
        assert_eq!(sum("000000010000000000000006.gz", "1", 7), known);
        assert_eq!(sum("000000010000000000000006.gz", "", 7), None);
    }

    #[test]
    fn sums_do_not_depend_on_the_order_and_are_the_same_in_every_release() {
        let timeline = TimelineId::FIRST;
        let id = |number| SegmentId { timeline, number: SegmentNumber::new(number) };
        let (a, b) = (sum("a", "\"a\"", 1).unwrap(), sum("b", "\"b\"", 2).unwrap());
        let (mut one, mut other) = (FolderSums::default(), FolderSums::default());
        one.add(id(256), a);
        one.add(id(511), b);
        other.add(id(511), b);
        let mut part = FolderSums::default();
        part.add(id(256), a);
        other.absorb(part);
        assert_eq!(one, other);
        assert_eq!(one.get(FolderId { timeline, index: 1 }), Some(a.plus(b)));
        assert_eq!(one.get(FolderId { timeline, index: 2 }), None);
        // What a ledger on disk was written with.
        assert_eq!(a, ObjectSum(119_325_851_408_006_193_146_009_476_305_504_097_988));
    }
}
