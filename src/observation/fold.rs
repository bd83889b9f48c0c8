//! A listing of `wals/`, folded into ranges per timeline.

use std::collections::BTreeMap;

use crate::domain::archive_file::ArchiveFileKind;
use crate::domain::codec::Codec;
use crate::domain::object_key::ServerFolder;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentSize;
use crate::domain::segment_set::SegmentSet;
use crate::domain::storage_class::StorageClass;
use crate::domain::timeline::TimelineId;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::inventory::HistoryObject;
use crate::observation::inventory::Inventory;
use crate::observation::inventory::ListedObject;
use crate::observation::inventory::STRAY_SAMPLES_MAX;
use crate::observation::probe::SegmentId;
use crate::observation::timeline_archive::Restores;
use crate::observation::timeline_archive::StoredSegment;
use crate::observation::timeline_archive::Whole;

/// Folds one listing, in the byte order in which stores list, into an [`Inventory`].
///
/// All objects of one segment are neighbours in that order, so only one segment is open at a time.
#[derive(Debug)]
pub struct Fold<'a> {
    folder: &'a ServerFolder,
    inventory: Inventory,
    open: Option<OpenSegment>,
    /// Of these a sum is asked for.
    summed: Option<&'a BTreeMap<TimelineId, SegmentSet>>,
    /// An incremental listing shows the same labels and strays again and again, so only a
    /// complete one counts them.
    is_complete: bool,
}

#[derive(Debug)]
struct OpenSegment {
    name: SegmentName,
    stored: StoredSegment,
    objects: u64,
    size_bytes: u64,
    sum: Option<ObjectSum>,
}

impl<'a> Fold<'a> {
    /// For a listing of everything.
    pub const fn complete(segment_size: SegmentSize, folder: &'a ServerFolder) -> Self {
        let inventory = Inventory::empty(segment_size);
        Self { folder, inventory, open: None, summed: None, is_complete: true }
    }

    /// Sums up these segments; one that is stored twice or without an entity tag counts for nothing.
    #[must_use]
    pub fn summing(self, segments: &'a BTreeMap<TimelineId, SegmentSet>) -> Self {
        Self { summed: Some(segments), ..self }
    }

    /// For a listing of a part, which adds to what is already known.
    pub const fn onto(inventory: Inventory, folder: &'a ServerFolder) -> Self {
        Self { folder, inventory, open: None, summed: None, is_complete: false }
    }

    pub fn add(&mut self, object: &ListedObject) {
        let inventory = &mut self.inventory;
        inventory.oldest_upload_at = Some(
            inventory.oldest_upload_at.map_or(object.uploaded_at, |at| at.min(object.uploaded_at)),
        );
        let Some(file) = self.folder.archive_file(&object.key) else {
            return self.add_stray(object);
        };
        match file.kind {
            ArchiveFileKind::Segment(name) => self.add_segment(name, object, Some(file.codec)),
            ArchiveFileKind::Partial(name) => self.add_segment(name, object, None),
            ArchiveFileKind::BackupLabel(_) => {
                if self.is_complete {
                    self.count(1, object.version.size);
                }
            }
            ArchiveFileKind::History(timeline) => self.add_history(timeline, file.codec, object),
        }
    }

    pub fn finish(mut self) -> Inventory {
        self.close();
        self.inventory
    }

    /// `whole` is the compression of a whole segment, `None` for a `.partial`.
    fn add_segment(&mut self, name: SegmentName, object: &ListedObject, whole: Option<Codec>) {
        let Ok(number) = name.number(self.inventory.segment_size) else {
            return self.add_stray(object);
        };
        if self.open.as_ref().is_some_and(|open| open.name != name) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| OpenSegment {
            name,
            stored: StoredSegment {
                number,
                restores: if whole.is_some() { Restores::Whole } else { Restores::Partial },
                whole: None,
                has_partial: false,
            },
            objects: 0,
            size_bytes: 0,
            sum: None,
        });
        open.objects = open.objects.saturating_add(1);
        open.size_bytes = open.size_bytes.saturating_add(object.version.size);
        match (whole, &mut open.stored.whole) {
            (None, _) => open.stored.has_partial = true,
            (Some(_), Some(whole)) => whole.objects = whole.objects.saturating_add(1),
            (Some(codec), none) => {
                let (size, uploaded_at) = (object.version.size, object.uploaded_at);
                let is_misfit = if size == 0 {
                    codec.delivers_nothing_as_empty()
                } else {
                    codec == Codec::None && size != self.inventory.segment_size.bytes()
                };
                let is_frozen = object.class == StorageClass::Frozen;
                self.inventory.has_infrequent |= object.class == StorageClass::Infrequent;
                let is_summed = self.summed.and_then(|it| it.get(&name.timeline));
                if is_summed.is_some_and(|set| set.contains(number)) {
                    open.sum = ObjectSum::of(&object.key, &object.version);
                }
                *none = Some(Whole { codec, size, is_misfit, is_frozen, uploaded_at, objects: 1 });
            }
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if let (Some(sum), Some(Whole { objects: 1, .. })) = (open.sum, open.stored.whole) {
            let id = SegmentId { timeline: open.name.timeline, number: open.stored.number };
            self.inventory.sums.add(id, sum);
        }
        let timeline = self.inventory.timelines.entry(open.name.timeline).or_default();
        if timeline.store(open.stored) {
            self.count(open.objects, open.size_bytes);
        }
    }

    fn add_history(&mut self, timeline: TimelineId, codec: Codec, object: &ListedObject) {
        let found = HistoryObject {
            codec,
            version: object.version.clone(),
            uploaded_at: object.uploaded_at,
        };
        // The first in byte order is the one that a restore picks.
        let known = self.inventory.histories.get(&timeline);
        let is_better = known.is_none_or(|known| codec.suffix() <= known.codec.suffix());
        if known.is_none() {
            self.count(1, object.version.size);
        }
        if is_better {
            self.inventory.histories.insert(timeline, found);
        }
    }

    fn add_stray(&mut self, object: &ListedObject) {
        if !self.is_complete {
            return;
        }
        let strays = &mut self.inventory.strays;
        strays.count = strays.count.saturating_add(1);
        if strays.samples.len() < STRAY_SAMPLES_MAX {
            strays.samples.push(object.key.clone());
        }
        self.count(1, object.version.size);
    }

    const fn count(&mut self, objects: u64, bytes: u64) {
        self.inventory.object_count = self.inventory.object_count.saturating_add(objects);
        self.inventory.size_bytes = self.inventory.size_bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::object_version::ObjectVersion;
    use crate::domain::segment::SegmentNumber;

    fn folder() -> ServerFolder {
        ServerFolder::new("", "pg")
    }

    fn fold(paths: &[&str]) -> Inventory {
        add_all(Fold::complete(SegmentSize::DEFAULT, &folder()), paths)
    }

    fn add_all(mut fold: Fold<'_>, paths: &[&str]) -> Inventory {
        for path in paths {
            let (path, size) = path.split_once('#').unwrap_or((path, "100"));
            fold.add(&ListedObject {
                key: format!("pg/wals/{path}"),
                version: ObjectVersion::new("", size.parse().unwrap()),
                uploaded_at: DateTime::UNIX_EPOCH,
                class: StorageClass::Standard,
            });
        }
        fold.finish()
    }

    fn numbers(values: &[u64]) -> SegmentSet {
        values.iter().copied().map(SegmentNumber::new).collect()
    }

    const A: &str = "0000000100000000/00000001000000000000000A";

    #[test]
    fn a_leftover_partial_shadows_the_segment_where_its_name_sorts_first() {
        for (whole, partial, is_shadowed) in [
            ("", ".partial", false),
            (".bz2", ".partial.bz2", false),
            (".gz", ".partial.gz", false),
            (".lz4", ".partial.lz4", false),
            (".zst", ".partial.zst", true),
            (".xz", ".partial.xz", true),
            (".snappy", ".partial.snappy", true),
            (".bz2", ".partial.zst", false),
            (".zst", ".partial.bz2", true),
        ] {
            let mut paths = [format!("{A}{whole}"), format!("{A}{partial}")];
            paths.sort();
            let inventory = fold(&paths.each_ref().map(String::as_str));
            let timeline = &inventory.timelines[&TimelineId::FIRST];
            assert!(timeline.segments().contains(SegmentNumber::new(10)), "{paths:?}");
            assert_eq!(!timeline.shadowed().is_empty(), is_shadowed, "{paths:?}");
            assert_eq!(*timeline.partials(), numbers(&[10]), "{paths:?}");
        }
    }

    #[test]
    fn a_partial_alone_is_no_segment() {
        let inventory = fold(&[&format!("{A}.partial.bz2")]);
        assert!(inventory.timelines[&TimelineId::FIRST].segments().is_empty());
    }

    #[test]
    fn an_empty_object_counts_where_a_restore_would_pick_it() {
        let empty = |paths: &[&str]| fold(paths).timelines[&TimelineId::FIRST].empty().count();
        assert_eq!(empty(&[&format!("{A}.bz2#0")]), 1);
        assert_eq!(empty(&[&format!("{A}.bz2#0"), &format!("{A}.gz")]), 1);
        assert_eq!(empty(&[&format!("{A}.bz2"), &format!("{A}.gz#0")]), 0);
    }

    #[test]
    fn a_segment_under_two_codecs_is_noticed_even_with_a_label_between() {
        let paths = [format!("{A}.00000028.backup.bz2"), format!("{A}.bz2"), format!("{A}.gz")];
        let inventory = fold(&paths.each_ref().map(String::as_str));
        assert_eq!(*inventory.timelines[&TimelineId::FIRST].twice(), numbers(&[10]));
        assert_eq!((inventory.object_count, inventory.size_bytes), (3, 300));
    }

    #[test]
    fn folding_a_listing_twice_changes_nothing() {
        let label = format!("{A}.00000028.backup.bz2");
        let whole = format!("{A}.bz2");
        let paths = ["00000002.history.bz2", &label, &whole, &format!("{A}.gz#0"), "stray"];
        let once = fold(&paths);
        assert_eq!(once.object_count, 5);
        assert_eq!(add_all(Fold::onto(once.clone(), &folder()), &paths), once);
    }

    #[test]
    fn parts_of_a_listing_join_to_the_whole() {
        let path = |index: u64| {
            let name = SegmentNumber::new(index).name(TimelineId::FIRST, SegmentSize::DEFAULT);
            format!("{}/{name}.bz2", name.folder())
        };
        let paths: Vec<String> = (0x80..0x300).filter(|it| it % 0x91 != 0).map(path).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let (cut_at, rest) = paths.split_at(0x80);
        let (second, third) = rest.split_at(0x100);
        let parts = [cut_at, second, third].map(fold);
        assert_eq!(Inventory::join(parts), Some(fold(&paths)));
    }

    #[test]
    fn segments_that_vanish_are_remembered_until_they_return() {
        let whole = |index: u8| format!("0000000100000000/0000000100000000000000{index:02X}.bz2");
        let before = fold(&[&whole(1), &whole(2), &whole(3)]);
        let mut after = fold(&[&whole(1), &whole(3)]);
        after.note_vanished(&before);
        assert_eq!(*after.timelines[&TimelineId::FIRST].vanished(), numbers(&[2]));
        let mut later = fold(&[&whole(1), &whole(2), &whole(3)]);
        later.note_vanished(&after);
        assert!(later.timelines[&TimelineId::FIRST].vanished().is_empty());
    }
}
