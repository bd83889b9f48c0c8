//! Which segments are missing, and what that costs.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::candidate::Candidate;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::replay::Archive;
use crate::assessment::route::Route;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;

/// Where the newest state lies and who leads there.
pub(super) struct Latest<'a> {
    pub(super) route: &'a Route,
    /// The first required segments of the usable backups on that route.
    pub(super) restarts: Vec<SegmentNumber>,
}

/// A gap with its place, before it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlacedGap {
    pub(super) timeline: TimelineId,
    pub(super) segments: SegmentRange,
    pub(super) gap: Gap,
}

impl Latest<'_> {
    /// What an obstacle means that some backup meets on its way.
    pub(super) fn effect(&self, timeline: TimelineId, segments: SegmentRange) -> GapEffect {
        let is_on_route = self.route.timeline_at(segments.first) == Some(timeline);
        let is_passed = self.restarts.iter().any(|restart| segments.last < *restart);
        if is_on_route && !is_passed { GapEffect::StopsRecovery } else { GapEffect::Hole }
    }
}

/// All gaps of the archive, in the order of timelines and segments.
pub(super) fn find(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
    latest: Option<&Latest<'_>>,
    acknowledge_before: Option<DateTime<Utc>>,
) -> Vec<PlacedGap> {
    let needed = needed_gaps(archive, candidates);
    let mut timelines: Vec<TimelineId> = archive.inventory.timelines.keys().copied().collect();
    timelines.extend(needed.keys().filter(|it| archive.inventory.timeline(**it).is_none()));
    timelines.sort_unstable();

    let nothing = SegmentSet::default();
    let mut gaps = Vec::new();
    for timeline in timelines {
        let needed = needed.get(&timeline).unwrap_or(&nothing);
        let mut pieces: Vec<(SegmentRange, GapEffect)> = Vec::new();
        for &segments in needed.ranges() {
            let effect =
                latest.map_or(GapEffect::StopsRecovery, |it| it.effect(timeline, segments));
            pieces.push((segments, effect));
        }
        let harmless = harmless_gaps(archive, timeline, needed, latest);
        pieces.extend(harmless.ranges().iter().map(|it| (*it, GapEffect::Harmless)));
        pieces.sort_unstable();
        for (segments, effect) in pieces {
            let size = archive.inventory.segment_size;
            let lost_before = time_after(archive, timeline, segments);
            let gap = Gap {
                first: segments.first.name(timeline, size),
                last: segments.last.name(timeline, size),
                count: segments.count(),
                effect,
                is_acknowledged: effect == GapEffect::Hole
                    && lost_before
                        .zip(acknowledge_before)
                        .is_some_and(|(lost, before)| lost < before),
            };
            gaps.push(PlacedGap { timeline, segments, gap });
        }
    }
    gaps
}

/// A finding for each gap that costs something and is not accepted.
pub(super) fn judge(
    gaps: &[PlacedGap],
    candidates: &[Candidate<'_>],
    latest: Option<&Route>,
    archive: &Archive<'_>,
) -> Vec<Finding> {
    gaps.iter()
        .filter(|placed| placed.gap.effect != GapEffect::Harmless && !placed.gap.is_acknowledged)
        .map(|placed| {
            let PlacedGap { timeline, segments, gap } = *placed;
            let stopped_here = |candidate: &&Candidate<'_>| {
                let stop = candidate.reach().and_then(|reach| reach.stopped_by.as_ref());
                stop.is_some_and(|obstacle| {
                    obstacle.at.timeline == timeline && segments.contains(obstacle.at.number)
                })
            };
            let stranded = candidates.iter().filter(stopped_here);
            let parent = latest
                .filter(|route| route.timeline_at(segments.first) == Some(timeline))
                .and_then(|route| route.parent_at(segments.first));
            let problem = Problem::WalGap {
                gap,
                stranded: stranded.map(|candidate| candidate.backup.id.clone()).collect(),
                parent_has_segment: parent.is_some_and(|parent| {
                    let archive = archive.inventory.timeline(parent);
                    archive.is_some_and(|it| it.segments().contains(segments.first))
                }),
            };
            match gap.effect {
                GapEffect::StopsRecovery => Finding::fatal(problem),
                GapEffect::Hole | GapEffect::Harmless => Finding::risk(problem),
            }
        })
        .collect()
}

/// The missing segments that some backup would need to reach the end of its route.
fn needed_gaps(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
) -> BTreeMap<TimelineId, SegmentSet> {
    let mut needed: BTreeMap<TimelineId, SegmentSet> = BTreeMap::new();
    for candidate in candidates {
        let Ok(route) = &candidate.route else { continue };
        // Segments beyond the newest one are not there yet; that is no gap.
        let Some(tip) = archive.settled_tip(route) else { continue };
        let until = candidate.needs_until(archive).min(tip.number);
        for stretch in route.stretches(candidate.wal.first_required, until) {
            let gaps = match archive.inventory.timeline(stretch.timeline) {
                Some(timeline) => timeline.segments().gaps(stretch.segments),
                None => vec![stretch.segments],
            };
            let set = needed.entry(stretch.timeline).or_default();
            gaps.into_iter().for_each(|gap| set.insert_range(gap));
        }
    }
    needed
}

/// Holes between the segments of a timeline that no backup needs.
fn harmless_gaps(
    archive: &Archive<'_>,
    timeline: TimelineId,
    needed: &SegmentSet,
    latest: Option<&Latest<'_>>,
) -> SegmentSet {
    let Some(segments) = archive.inventory.timeline(timeline).map(|it| it.segments()) else {
        return SegmentSet::default();
    };
    let mut all = SegmentSet::default();
    let ends = segments.first().zip(segments.last());
    let within = ends.and_then(|(first, last)| SegmentRange::new(first, last));
    within.into_iter().for_each(|within| all.insert_range(within));
    let mut harmless = all.without(segments).without(needed);
    // What may still be on its way is no gap at all.
    let settled = latest.and_then(|latest| archive.settled_tip(latest.route));
    if let Some(tip) = settled.filter(|tip| tip.timeline == timeline)
        && let Some(after) = SegmentRange::new(tip.number.next(), SegmentNumber::LAST)
    {
        harmless.remove_range(after);
    }
    harmless
}

/// When the first segment after a gap was uploaded: by then the gap's segments were lost.
fn time_after(
    archive: &Archive<'_>,
    timeline: TimelineId,
    gap: SegmentRange,
) -> Option<DateTime<Utc>> {
    archive.inventory.timeline(timeline)?.uploaded_at(gap.last.next())
}
