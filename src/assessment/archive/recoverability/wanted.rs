//! Which segments to open, so that the next assessment of the same observation can say more.

use std::collections::BTreeSet;

use crate::assessment::archive::recoverability::candidate::Need;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::domain::segment::SegmentNumber;
use crate::observation::probe::SegmentId;

/// A change of compression leaves one or two; more of them are a sample.
const DUPLICATES_OPENED_MAX: usize = 16;

/// Objects of a wrong size that some backup needs: they may be encrypted.
pub(crate) fn misfits(replay: &Replay<'_>, needs: &[Need]) -> Vec<SegmentId> {
    let mut wanted = BTreeSet::new();
    for Need { route, segments: needed } in needs {
        for stretch in route.stretches(needed.first, needed.last) {
            let Some(timeline) = replay.inventory.timeline(stretch.timeline) else { continue };
            let misfits = timeline.misfits().without(timeline.empty());
            let within = misfits.overlapping(stretch.segments);
            let shared = within.filter_map(|range| range.intersection(&stretch.segments));
            let numbers = shared.flat_map(|range| range.first.value()..=range.last.value());
            wanted.extend(numbers.take(MISFITS_OPENED_MAX).map(|number| SegmentId {
                timeline: stretch.timeline,
                number: SegmentNumber::new(number),
            }));
        }
    }
    wanted.into_iter().take(MISFITS_OPENED_MAX).collect()
}

/// Whoever encrypts does so with all of them; one or two are damage.
const MISFITS_OPENED_MAX: usize = 16;

/// Segments stored twice that some backup needs: which of the two is good, opening them tells.
pub(crate) fn duplicates(replay: &Replay<'_>, needs: &[Need]) -> Vec<SegmentId> {
    let mut wanted = BTreeSet::new();
    for Need { route, segments: needed } in needs {
        for stretch in route.stretches(needed.first, needed.last) {
            let Some(timeline) = replay.inventory.timeline(stretch.timeline) else { continue };
            let twice = timeline.twice().overlapping(stretch.segments);
            let shared = twice.filter_map(|range| range.intersection(&stretch.segments));
            let numbers = shared.flat_map(|range| range.first.value()..=range.last.value());
            wanted.extend(numbers.take(DUPLICATES_OPENED_MAX).map(|number| SegmentId {
                timeline: stretch.timeline,
                number: SegmentNumber::new(number),
            }));
        }
    }
    wanted.into_iter().take(DUPLICATES_OPENED_MAX).collect()
}
