//! Which gaps cost something?

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::SubsecRound as _;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::GapEffect;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::finding::Finding;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::assessment::loss::Loss;
use crate::assessment::loss::Losses;
use crate::domain::backup::BackupId;
use crate::domain::moment::after;
use crate::observation::probe::SegmentId;

/// A finding for each gap that costs something and is not accepted.
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let recoverability = &case.recoverability;
    let costly = || recoverability.gaps.iter().filter(|it| it.gap.is_problem());
    let count = costly().count();
    // As mostly.
    if count == 0 {
        return Vec::new();
    }
    let newest_route = recoverability.newest_route.as_ref().map(|newest| &newest.route);
    let mut stops: BTreeMap<SegmentId, Vec<BackupId>> = BTreeMap::new();
    for candidate in &recoverability.candidates {
        let stop = candidate.reach().and_then(|reach| reach.stopped_by.as_ref());
        for obstacle in stop.into_iter().chain(candidate.barred.as_ref().map(|it| &it.by)) {
            stops.entry(obstacle.at).or_default().push(candidate.backup.id.clone());
        }
    }
    let losses = Losses::of(&recoverability.windows);
    let finding = |placed: &PlacedGap| {
        let PlacedGap { timeline, segments, gap, .. } = *placed;
        let id = |number| SegmentId { timeline, number };
        let stranded = stops.range(id(segments.first)..=id(segments.last));
        let parent = newest_route
            .filter(|route| route.timeline_at(segments.first) == Some(timeline))
            .and_then(|route| route.parent_at(segments.first))
            .and_then(|parent| case.inventory.timeline(parent));
        let lost = losses.by(&gap);
        let problem = WalDefect::Gap {
            gap,
            lost,
            accepted_before: accepted_before(placed, lost),
            stranded: stranded.flat_map(|(_, backups)| backups.iter().cloned()).collect(),
            parent_has_segment: parent.is_some_and(|it| it.segments().contains(segments.first)),
        };
        Finding::new(gap.effect.into(), problem)
    };
    let mut findings = Vec::with_capacity(count);
    findings.extend(costly().map(finding));
    findings
}

/// Behind what is lost, and behind the upload that is held against the accepted moment.
fn accepted_before(placed: &PlacedGap, lost: Loss) -> Option<DateTime<Utc>> {
    let is_hole = placed.gap.effect == GapEffect::Hole;
    let moment = placed.lost_by.max(lost.until).filter(|_| is_hole)?;
    Some(after(moment.trunc_subsecs(0), TimeDelta::seconds(1)))
}
