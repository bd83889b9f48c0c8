//! Segments that are there and stop recovery all the same.

use std::collections::BTreeMap;

use crate::assessment::GapEffect;
use crate::assessment::Latest;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::Recoverability;
use crate::assessment::archive::recoverability::candidate::Need;
use crate::assessment::archive::recoverability::replay::Obstacle;
use crate::assessment::archive::recoverability::replay::ObstacleKind;
use crate::assessment::finding::Finding;
use crate::assessment::finding::SegmentFault;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::domain::segment::SegmentRange;
use crate::observation::probe::SegmentId;

/// Damaged and shadowed segments that some backup meets on its way to the end of its route.
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let Recoverability { replay, needs, newest_route, .. } = &case.recoverability;
    let mut met: BTreeMap<SegmentId, ObstacleKind> = BTreeMap::new();
    for Need { route, segments: needed } in needs {
        let found = replay.present_obstacles(route, needed.first, needed.last);
        met.extend(found.into_iter().map(|obstacle| (obstacle.at, obstacle.kind)));
    }
    let frozen = frozen(case, &met);
    let behind = behind_the_end(case, &met);
    met.into_iter()
        .filter_map(|(id, kind)| {
            let segment = id.number.name(id.timeline, case.inventory.segment_size);
            let problem = match kind {
                ObstacleKind::Missing => return None,
                ObstacleKind::Shadowed => {
                    WalDefect::PartialShadowsSegment { segment, is_at_end: false }
                }
                // Said once for the whole archive.
                ObstacleKind::Damaged(
                    SegmentFault::ForeignSystem { .. } | SegmentFault::Frozen,
                ) => return None,
                ObstacleKind::Damaged(fault) => WalDefect::Damaged { segment, fault },
            };
            let effect = newest_route.as_ref().map_or(GapEffect::StopsRecovery, |newest| {
                newest.effect(id.timeline, SegmentRange::only(id.number))
            });
            Some(Finding::new(effect.into(), problem))
        })
        .chain(frozen)
        .chain(behind)
        .chain(partial_at_end(case))
        .collect()
}

/// What recovery is given behind the end of a timeline that has stored nothing there: its parent's, which
/// stops it if it has the wrong size.
fn behind_the_end(case: &ArchiveCase<'_>, met: &BTreeMap<SegmentId, ObstacleKind>) -> Vec<Finding> {
    let Recoverability { candidates, newest_route, latest, .. } = &case.recoverability;
    let mut behind: BTreeMap<SegmentId, (&SegmentFault, GapEffect)> = BTreeMap::new();
    for (candidate, reach) in candidates.iter().filter_map(|it| Some((it, it.reach()?))) {
        let Some(Obstacle { at, kind: ObstacleKind::Damaged(fault) }) = &reach.stopped_by else {
            continue;
        };
        let route = candidate.route.as_ref().ok();
        let is_on_route = route.is_some_and(|route| route.passes(*at));
        if is_on_route || met.contains_key(at) {
            continue;
        }
        let target = route.map(|route| route.target);
        let leads_to_newest = target == newest_route.as_ref().map(|it| it.route.target);
        let stops = leads_to_newest && *latest != Latest::Reached;
        let effect = if stops { GapEffect::StopsRecovery } else { GapEffect::Hole };
        let worst = behind.entry(*at).or_insert((fault, effect));
        if stops {
            worst.1 = effect;
        }
    }
    let size = case.inventory.segment_size;
    let finding = |(id, (fault, effect)): (SegmentId, (&SegmentFault, GapEffect))| {
        let segment = id.number.name(id.timeline, size);
        Finding::new(effect.into(), WalDefect::Damaged { segment, fault: fault.clone() })
    };
    behind.into_iter().map(finding).collect()
}

/// PostgreSQL reads the last segment twice. `barman-cloud-wal-restore` 3.19.1 finds both objects by
/// the segment's name, delivers the complete one, and puts the other into its spool for the second time
/// (`barman/clients/cloud_walrestore.py`).
fn partial_at_end(case: &ArchiveCase<'_>) -> Option<Finding> {
    let segment = case.recoverability.newest_segment?.name;
    let archive = case.inventory.timeline(segment.timeline)?;
    let number = segment.number(case.inventory.segment_size).ok()?;
    let is_shadowed = archive.shadowed().contains(number);
    let problem = WalDefect::PartialShadowsSegment { segment, is_at_end: true };
    (archive.partials().contains(number) && !is_shadowed)
        .then(|| Finding::new(Weight::Risk, problem))
}

/// All segments that must be thawed, in one finding: a lifecycle rule takes them by the thousand.
fn frozen(case: &ArchiveCase<'_>, met: &BTreeMap<SegmentId, ObstacleKind>) -> Option<Finding> {
    let is_frozen = |kind: &ObstacleKind| *kind == ObstacleKind::Damaged(SegmentFault::Frozen);
    let ids = || met.iter().filter(|(_, kind)| is_frozen(kind)).map(|(id, _)| *id);
    let name = |id: SegmentId| id.number.name(id.timeline, case.inventory.segment_size);
    let (first, last) = (ids().next().map(name)?, ids().next_back().map(name)?);
    let newest = case.recoverability.newest_route.as_ref();
    let stops = |id: SegmentId| {
        let effect = newest.map(|it| it.effect(id.timeline, SegmentRange::only(id.number)));
        effect.unwrap_or(GapEffect::StopsRecovery) == GapEffect::StopsRecovery
    };
    let effect = if ids().any(stops) { GapEffect::StopsRecovery } else { GapEffect::Hole };
    let problem = StoreDefect::ColdWal { first, last, count: ids().count() };
    Some(Finding::new(effect.into(), problem))
}
