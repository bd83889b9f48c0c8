//! Which segments are missing, and what that costs.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::archive::recoverability::candidate;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::replay::Archive;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;

/// Where the newest state lies and who leads there.
pub(crate) struct Ways<'a> {
    pub(crate) route: &'a Route,
    /// The newest segment on that route with which recovery of a usable backup begins.
    pub(crate) newest_restart: Option<SegmentNumber>,
}

/// A gap with its place, before it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlacedGap {
    pub(crate) timeline: TimelineId,
    pub(crate) segments: SegmentRange,
    pub(crate) gap: Gap,
}

impl Ways<'_> {
    /// What an obstacle means that some backup meets on its way.
    pub(crate) fn effect(&self, timeline: TimelineId, segments: SegmentRange) -> GapEffect {
        let is_on_route = self.route.timeline_at(segments.first) == Some(timeline);
        let is_passed = self.newest_restart.is_some_and(|restart| segments.last < restart);
        if is_on_route && !is_passed { GapEffect::StopsRecovery } else { GapEffect::Hole }
    }

    /// The part of a gap that lies on the route, and what lies on an abandoned branch before or
    /// behind it.
    fn parts(&self, timeline: TimelineId, gap: SegmentRange) -> impl Iterator<Item = SegmentRange> {
        let taken = self.route.taken_from(timeline);
        let on_route = taken.and_then(|taken| taken.intersection(&gap)).unwrap_or(gap);
        let before = on_route.first.previous();
        let before = before.and_then(|last| SegmentRange::new(gap.first, last));
        let after = (on_route.last < gap.last)
            .then(|| SegmentRange { first: on_route.last.next(), last: gap.last });
        before.into_iter().chain([on_route]).chain(after)
    }
}

/// All gaps of the archive, in the order of timelines and segments.
pub(crate) fn find(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
    latest: Option<&Ways<'_>>,
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
            match latest {
                None => pieces.push((segments, GapEffect::StopsRecovery)),
                Some(latest) => pieces.extend(
                    latest.parts(timeline, segments).map(|it| (it, latest.effect(timeline, it))),
                ),
            }
        }
        let harmless = harmless_gaps(archive, timeline, needed, latest);
        pieces.extend(harmless.ranges().iter().map(|it| (*it, GapEffect::Harmless)));
        pieces.sort_unstable();
        for (segments, effect) in pieces {
            let size = archive.inventory.segment_size;
            let is_lost_before = |moment: &DateTime<Utc>| {
                time_after(archive, timeline, segments, latest).is_some_and(|lost| lost < *moment)
            };
            let gap = Gap {
                first: segments.first.name(timeline, size),
                last: segments.last.name(timeline, size),
                count: segments.count(),
                effect,
                is_acknowledged: effect == GapEffect::Hole
                    && acknowledge_before.as_ref().is_some_and(is_lost_before),
            };
            gaps.push(PlacedGap { timeline, segments, gap });
        }
    }
    gaps
}

/// A finding for each gap that costs something and is not accepted.
pub(crate) fn judge(
    gaps: &[PlacedGap],
    candidates: &[Candidate<'_>],
    latest: Option<&Route>,
    archive: &Archive<'_>,
) -> Vec<Finding> {
    let mut stops: BTreeMap<SegmentId, Vec<BackupId>> = BTreeMap::new();
    for candidate in candidates {
        let stop = candidate.reach().and_then(|reach| reach.stopped_by.as_ref());
        if let Some(obstacle) = stop {
            stops.entry(obstacle.at).or_default().push(candidate.backup.id.clone());
        }
    }
    gaps.iter()
        .filter(|placed| placed.gap.is_problem())
        .map(|placed| {
            let PlacedGap { timeline, segments, gap } = *placed;
            let id = |number| SegmentId { timeline, number };
            let stranded = stops.range(id(segments.first)..=id(segments.last));
            let parent = latest
                .filter(|route| route.timeline_at(segments.first) == Some(timeline))
                .and_then(|route| route.parent_at(segments.first));
            let problem = Problem::WalGap {
                gap,
                stranded: stranded.flat_map(|(_, backups)| backups.iter().cloned()).collect(),
                parent_has_segment: parent.is_some_and(|parent| {
                    let archive = archive.inventory.timeline(parent);
                    archive.is_some_and(|it| it.segments().contains(segments.first))
                }),
            };
            Finding::new(gap.effect.into(), problem)
        })
        .collect()
}

/// The missing segments that some backup would need to reach the end of its route.
fn needed_gaps(
    archive: &Archive<'_>,
    candidates: &[Candidate<'_>],
) -> BTreeMap<TimelineId, SegmentSet> {
    let mut needed: BTreeMap<TimelineId, SegmentSet> = BTreeMap::new();
    for (route, wanted) in candidate::needs(archive, candidates) {
        // Segments beyond the newest one are not there yet; that is no gap.
        let Some(tip) = archive.settled_tip(route) else { continue };
        for stretch in route.stretches(wanted.first, wanted.last.min(tip.number)) {
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
    latest: Option<&Ways<'_>>,
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
    if let Some(latest) = latest
        && let Some(tip) = archive.settled_tip(latest.route)
        && let Some(after) = SegmentRange::new(tip.number.next(), SegmentNumber::LAST)
        && let Some(taken) = latest.route.taken_from(timeline)
    {
        after.intersection(&taken).into_iter().for_each(|it| harmless.remove_range(it));
    }
    harmless
}

/// When the first segment after a gap was uploaded: by then the gap's segments were lost. After the
/// last segment before a fork that is one of the next timeline.
fn time_after(
    archive: &Archive<'_>,
    timeline: TimelineId,
    gap: SegmentRange,
    latest: Option<&Ways<'_>>,
) -> Option<DateTime<Utc>> {
    let own = archive.inventory.timeline(timeline).and_then(|it| it.uploaded_at(gap.last.next()));
    own.or_else(|| {
        let route = latest?.route;
        let is_on_route = route.timeline_at(gap.last) == Some(timeline);
        let mut rest = route.stretches(gap.last.next(), SegmentNumber::LAST);
        rest.by_ref().filter(|_| is_on_route).find_map(|stretch| {
            let later = archive.inventory.timeline(stretch.timeline)?;
            let range = later.segments().overlapping(stretch.segments).next()?;
            later
                .uploaded_at(range.first.max(stretch.segments.first))
                .or(later.uploaded_at(range.last))
        })
    })
}
