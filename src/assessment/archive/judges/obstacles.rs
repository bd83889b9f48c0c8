//! Segments that are there and stop recovery all the same, and what backups lack of their own WAL.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::assessment::GapEffect;
use crate::assessment::archive::recoverability::candidate;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::candidate::Usability;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::gaps::Ways;
use crate::assessment::archive::recoverability::replay::Archive;
use crate::assessment::archive::recoverability::replay::ObstacleKind;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentDamageKind;
use crate::observation::probe::SegmentId;

/// Damaged and shadowed segments that some backup meets on its way to the end of its route.
pub(crate) fn judge(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
    latest: Option<&Ways<'_>>,
) -> Vec<Finding> {
    let mut met: BTreeMap<SegmentId, ObstacleKind> = BTreeMap::new();
    for (route, needed) in candidate::needs(archive, candidates) {
        let found = archive.present_obstacles(route, needed.first, needed.last);
        met.extend(found.into_iter().map(|obstacle| (obstacle.at, obstacle.kind)));
    }
    met.into_iter()
        .filter_map(|(id, kind)| {
            let segment = id.number.name(id.timeline, archive.inventory.segment_size);
            let problem = match kind {
                ObstacleKind::Missing => return None,
                ObstacleKind::Shadowed => Problem::PartialShadowsSegment { segment },
                // Said once for the whole archive, as a foreign system.
                ObstacleKind::Damaged(damage)
                    if damage.kind == SegmentDamageKind::ForeignSystem =>
                {
                    return None;
                }
                ObstacleKind::Damaged(damage) => Problem::WalDamaged { segment, damage },
            };
            let effect = latest.map_or(GapEffect::StopsRecovery, |latest| {
                latest.effect(id.timeline, SegmentRange::only(id.number))
            });
            Some(Finding::new(effect.into(), problem))
        })
        .collect()
}

/// Segments stored twice that some backup needs: which of the two is good, opening them tells.
pub(crate) fn wanted_duplicates(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
) -> Vec<SegmentId> {
    let mut wanted = BTreeSet::new();
    for (route, needed) in candidate::needs(archive, candidates) {
        for stretch in route.stretches(needed.first, needed.last) {
            let Some(timeline) = archive.inventory.timeline(stretch.timeline) else { continue };
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

/// A change of compression leaves one or two; more of them are a sample.
const DUPLICATES_OPENED_MAX: usize = 16;

/// Segments that are stored twice: harmless after a change of compression, and worth knowing.
pub(crate) fn duplicates(inventory: &Inventory) -> Option<Finding> {
    let mut twice = inventory.timelines.iter().filter(|(_, archive)| !archive.twice().is_empty());
    let (timeline, archive) = twice.clone().next()?;
    let count = twice.by_ref().map(|(_, archive)| archive.twice().count()).sum();
    let first = archive.twice().first()?.name(*timeline, inventory.segment_size);
    Some(Finding::new(Weight::Notice, Problem::SegmentTwice { first, count }))
}

/// What a backup lacks of the WAL between its start and its end. An accepted gap stays silent
/// here too.
pub(crate) fn incomplete(candidate: &Candidate<'_>, gaps: &[PlacedGap]) -> Option<Finding> {
    let Usability::Unusable { problem: Some(problem), .. } = &candidate.usability else {
        return None;
    };
    let (first, last) = (candidate.wal.first_required, candidate.wal.last_required);
    let own = SegmentRange::new(first, last)?;
    let route = candidate.route.as_ref().ok()?;
    let within = |stretch: Stretch| {
        let Stretch { timeline, segments } = stretch;
        let place = |it: &PlacedGap| (it.timeline, it.segments.last);
        let at = gaps.partition_point(|it| place(it) < (timeline, segments.first));
        let gaps = gaps.get(at..).unwrap_or_default().iter();
        gaps.take_while(move |it| it.timeline == timeline && it.segments.first <= segments.last)
    };
    let is_met = |it: &&PlacedGap| route.timeline_at(it.segments.first) == Some(it.timeline);
    let mut inside = route
        .stretches(own.first, own.last)
        .flat_map(within)
        .filter(|it| it.gap.effect != GapEffect::Harmless)
        .filter(is_met)
        .peekable();
    let is_accepted = inside.peek().is_some() && inside.all(|it| it.gap.is_acknowledged);
    let weight = if is_accepted { Weight::Notice } else { Weight::Risk };
    Some(Finding::new(weight, problem.clone()))
}
