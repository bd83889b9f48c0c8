//! What would better the verdict if it were there, so that it is asked for by its name: an ordinary
//! look lists the newest end only.

use crate::assessment::GapEffect;
use crate::assessment::Latest;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::gaps::NewestRoute;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::replay::Obstacle;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::observation::sought::Absent;
use crate::observation::sought::Sought;

/// More than this many history files that are lost or bad are not put back at once.
const HISTORIES_MAX: usize = 8;

/// More obstacles than this are not replaced between two looks.
const OBSTACLES_MAX: usize = 8;

/// The newest first of each kind.
pub(crate) fn all(
    latest: Latest,
    gaps: &[PlacedGap],
    obstacles: &[Obstacle],
    timelines: &Timelines<'_>,
) -> Vec<Sought> {
    let mut sought = histories(timelines, latest);
    sought.extend(missing(gaps));
    let newest = obstacles.iter().rev().take(OBSTACLES_MAX);
    sought.extend(newest.map(|Obstacle { at, .. }| Sought {
        what: Absent::Segments { timeline: at.timeline, segments: SegmentRange::only(at.number) },
        is_urgent: true,
    }));
    sought
}

/// What is there and of no use on the way to the newest state.
pub(crate) fn obstacles(
    newest_route: Option<&NewestRoute>,
    candidates: &[Candidate<'_>],
    replay: &Replay<'_>,
) -> Vec<Obstacle> {
    let first = candidates.iter().map(|it| it.wal.first_required).min();
    let way = newest_route.zip(first);
    way.map_or_else(Vec::new, |(NewestRoute { route, .. }, first)| {
        replay.present_obstacles(route, first, SegmentNumber::LAST)
    })
}

/// Of the missing segments those that some backup needs.
fn missing(gaps: &[PlacedGap]) -> impl Iterator<Item = Sought> {
    let needed = gaps.iter().rev().filter(|it| it.gap.is_problem());
    needed.map(|it| Sought {
        what: Absent::Segments { timeline: it.timeline, segments: it.segments },
        is_urgent: it.gap.effect == GapEffect::StopsRecovery,
    })
}

/// A history file that is there may be replaced by a better one; one that is not may be late.
fn histories(timelines: &Timelines<'_>, latest: Latest) -> Vec<Sought> {
    let is_lost = latest != Latest::Reached;
    let inventory = timelines.inventory();
    let with_wal = inventory.timelines.keys().chain(inventory.histories.keys());
    let newest = with_wal.copied().filter(|it| !timelines.is_stray(*it)).max();
    let Some(newest) = newest.filter(|it| TimelineId::FIRST < *it) else { return Vec::new() };
    let numbers = (2..=newest.value()).rev().filter_map(TimelineId::new);
    let is_late = |timeline: TimelineId| {
        let archive = inventory.timeline(timeline);
        !inventory.histories.contains_key(&timeline)
            && archive.is_some_and(|archive| {
                let newest = archive.segments().last();
                let uploaded_at = newest.and_then(|it| archive.uploaded_at(it));
                timelines.clock().is_within_grace(uploaded_at)
            })
    };
    let without = |timeline: TimelineId| {
        !inventory.histories.contains_key(&timeline) && inventory.timeline(timeline).is_some()
    };
    let ids = numbers.take(HISTORIES_SEARCHED_MAX);
    let wanted = ids.filter(|it| is_lost || without(*it)).take(HISTORIES_MAX);
    wanted
        .map(|it| Sought { what: Absent::History(it), is_urgent: is_lost || is_late(it) })
        .collect()
}

/// Timelines below the newest one that are looked at; there are hardly ever so many.
const HISTORIES_SEARCHED_MAX: usize = 1_000;
