//! Is a segment stored twice? Harmless after a change of compression, and worth knowing.

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::WalDefect;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let timelines = case.inventory.timelines.iter();
    let twice = timelines.map(|(timeline, archive)| (timeline, archive.twice()));
    let count = twice.clone().map(|(_, twice)| twice.count()).sum();
    let first = twice.into_iter().find_map(|(timeline, twice)| Some((timeline, twice.first()?)));
    let finding = first.map(|(timeline, first)| {
        let first = first.name(*timeline, case.inventory.segment_size);
        Finding::new(Weight::Notice, WalDefect::SegmentTwice { first, count })
    });
    finding.into_iter().collect()
}
