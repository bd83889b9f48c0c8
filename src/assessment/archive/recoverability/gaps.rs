//! Which segments are missing, and what that costs.

use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::archive::recoverability::candidate;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::candidate::Need;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment::SegmentSize;
use crate::domain::segment_set::SegmentSet;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;

/// Where the newest state lies and who leads there.
pub(crate) struct NewestRoute {
    pub(crate) route: Rc<Route>,
    /// The newest segment on that route with which recovery of a usable backup begins.
    newest_restart: Option<SegmentNumber>,
}

/// A gap with its place, before it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlacedGap {
    pub(crate) timeline: TimelineId,
    pub(crate) segments: SegmentRange,
    pub(crate) gap: Gap,
    /// When the first segment after one that costs something was uploaded: by then what is missing was lost.
    pub(crate) lost_by: Option<DateTime<Utc>>,
}

impl NewestRoute {
    pub(crate) fn new(route: Rc<Route>, candidates: &[Candidate<'_>]) -> Self {
        let newest_restart = candidates
            .iter()
            .filter(|it| it.reach().is_some() && it.barred.is_none() && !it.is_confined())
            .filter(|it| {
                let first = it.wal.first_required;
                let own = it.route.as_ref().ok().and_then(|own| own.timeline_at(first));
                own == route.timeline_at(first)
            })
            .map(|it| it.first_needed)
            .max();
        Self { route, newest_restart }
    }

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
    replay: &Replay<'_>,
    needs: &[Need],
    newest_route: Option<&NewestRoute>,
    acknowledge_before: Option<DateTime<Utc>>,
) -> Vec<PlacedGap> {
    let needed = needed_gaps(replay, needs);
    let mut timelines: Vec<TimelineId> = replay.inventory.timelines.keys().copied().collect();
    timelines.extend(needed.keys().filter(|it| replay.inventory.timeline(**it).is_none()));
    timelines.sort_unstable();

    let nothing = SegmentSet::default();
    let mut gaps = Vec::new();
    for timeline in timelines {
        let needed = needed.get(&timeline).unwrap_or(&nothing);
        let mut pieces = Vec::with_capacity(needed.ranges().len());
        for &segments in needed.ranges() {
            match newest_route {
                None => pieces.push((segments, GapEffect::StopsRecovery)),
                Some(newest_route) => pieces.extend(
                    newest_route
                        .parts(timeline, segments)
                        .map(|it| (it, newest_route.effect(timeline, it))),
                ),
            }
        }
        let harmless = harmless_gaps(replay, timeline, needed, newest_route);
        pieces.extend(harmless.ranges().iter().map(|it| (*it, GapEffect::Harmless)));
        pieces.sort_unstable();
        gaps.reserve(pieces.len());
        for (segments, effect) in pieces {
            let placed = placed(replay.inventory.segment_size, timeline, segments, effect);
            let lost_by = match effect {
                GapEffect::Harmless => None,
                GapEffect::StopsRecovery | GapEffect::Hole => {
                    time_after(replay, timeline, segments, newest_route)
                }
            };
            gaps.push(PlacedGap { lost_by, ..placed }.accepted(acknowledge_before));
        }
    }
    gaps
}

/// What stops the backups of a server that another came after. Its newest state is not that of the archive.
pub(crate) fn of_predecessor(
    replay: &Replay<'_>,
    candidates: &[Candidate<'_>],
    acknowledge_before: Option<DateTime<Utc>>,
) -> Vec<PlacedGap> {
    let stops: Vec<SegmentId> =
        candidates.iter().filter_map(|it| Some(it.reach()?.stopped_by.as_ref()?.at)).collect();
    let needed = needed_gaps(replay, &candidate::needs(replay, candidates)).into_iter();
    let needed = needed.flat_map(|(timeline, set)| {
        set.ranges().iter().map(|it| (timeline, *it)).collect::<Vec<_>>()
    });
    needed
        .filter(|(timeline, segments)| {
            stops.iter().any(|at| at.timeline == *timeline && segments.contains(at.number))
        })
        .map(|(timeline, segments)| {
            let size = replay.inventory.segment_size;
            let placed = placed(size, timeline, segments, GapEffect::Hole);
            let lost_by = time_after(replay, timeline, segments, None);
            PlacedGap { lost_by, ..placed }.accepted(acknowledge_before)
        })
        .collect()
}

/// Adds what is missing for others; to the present server the same may be harmless.
pub(crate) fn add(gaps: &mut Vec<PlacedGap>, of_others: Vec<PlacedGap>) {
    for other in of_others {
        let meets = |it: &PlacedGap| {
            it.timeline == other.timeline && it.segments.intersection(&other.segments).is_some()
        };
        if gaps.iter().any(|it| meets(it) && it.gap.effect != GapEffect::Harmless) {
            continue;
        }
        gaps.retain(|it| !meets(it));
        gaps.push(other);
    }
    gaps.sort_unstable_by_key(|it| (it.timeline, it.segments.first));
}

impl PlacedGap {
    fn accepted(mut self, before: Option<DateTime<Utc>>) -> Self {
        let is_before = self.lost_by.zip(before).is_some_and(|(at, before)| at < before);
        self.gap.is_acknowledged = is_before && self.gap.effect == GapEffect::Hole;
        self
    }
}

fn placed(
    size: SegmentSize,
    timeline: TimelineId,
    segments: SegmentRange,
    effect: GapEffect,
) -> PlacedGap {
    let gap = Gap {
        first: segments.first.name(timeline, size),
        last: segments.last.name(timeline, size),
        count: segments.count(),
        effect,
        is_acknowledged: false,
    };
    PlacedGap { timeline, segments, gap, lost_by: None }
}

/// The missing segments that some backup would need to reach the end of its route.
fn needed_gaps(replay: &Replay<'_>, needs: &[Need]) -> BTreeMap<TimelineId, SegmentSet> {
    let mut needed: BTreeMap<TimelineId, SegmentSet> = BTreeMap::new();
    for Need { route, segments: wanted } in needs {
        // Segments beyond the newest one are not there yet; that is no gap.
        let Some(tip) = replay.settled_tip(route) else { continue };
        for stretch in route.stretches(wanted.first, wanted.last.min(tip.number)) {
            let gaps = match replay.inventory.timeline(stretch.timeline) {
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
    replay: &Replay<'_>,
    timeline: TimelineId,
    needed: &SegmentSet,
    newest_route: Option<&NewestRoute>,
) -> SegmentSet {
    let Some(segments) = replay.inventory.timeline(timeline).map(|it| it.segments()) else {
        return SegmentSet::default();
    };
    let mut all = SegmentSet::default();
    let ends = segments.first().zip(segments.last());
    let within = ends.and_then(|(first, last)| SegmentRange::new(first, last));
    within.into_iter().for_each(|within| all.insert_range(within));
    let mut harmless = all.without(segments).without(needed);
    // What may still be on its way is no gap at all.
    if let Some(newest_route) = newest_route
        && let Some(tip) = replay.settled_tip(&newest_route.route)
        && let Some(after) = SegmentRange::new(tip.number.next(), SegmentNumber::LAST)
        && let Some(taken) = newest_route.route.taken_from(timeline)
    {
        after.intersection(&taken).into_iter().for_each(|it| harmless.remove_range(it));
    }
    harmless
}

/// When the first segment after a gap was uploaded. After the last segment before a fork that is one of
/// the next timeline.
fn time_after(
    replay: &Replay<'_>,
    timeline: TimelineId,
    gap: SegmentRange,
    newest_route: Option<&NewestRoute>,
) -> Option<DateTime<Utc>> {
    let own = replay.inventory.timeline(timeline).and_then(|it| it.uploaded_at(gap.last.next()));
    own.or_else(|| {
        let route = &newest_route?.route;
        let is_on_route = route.timeline_at(gap.last) == Some(timeline);
        let mut rest = route.stretches(gap.last.next(), SegmentNumber::LAST);
        rest.by_ref().filter(|_| is_on_route).find_map(|stretch| {
            let later = replay.inventory.timeline(stretch.timeline)?;
            let range = later.segments().overlapping(stretch.segments).next()?;
            later
                .uploaded_at(range.first.max(stretch.segments.first))
                .or(later.uploaded_at(range.last))
        })
    })
}
