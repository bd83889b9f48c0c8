//! Windows on the branches that the archive left.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::RecoveryWindow;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::commits::Commits;
use crate::assessment::archive::recoverability::commits::Newest;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::windows::Search;
use crate::assessment::archive::recoverability::windows::Way;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;
use crate::observation::probe::SegmentId;

/// More branches than this that were left are not told one by one.
const BRANCHES_MAX: usize = 32;

/// So many backups are tried for each of them, the newest first.
const TRIED_FOR_A_BRANCH: usize = 16;

impl Search<'_> {
    /// Windows on the branches that the archive left: of the newest backup that leads there, and of
    /// older ones that end elsewhere on it.
    pub(super) fn branches(
        &self,
        by_end: &[&Candidate<'_>],
        commits: &mut Commits<'_>,
    ) -> Vec<RecoveryWindow> {
        let Some(living) = self.living else { return Vec::new() };
        let mut windows: Vec<RecoveryWindow> = Vec::new();
        let mut left: Vec<TimelineId> =
            self.timelines.with_wal().filter(|it| *it != living).collect();
        left.reverse();
        for branch in left.into_iter().take(BRANCHES_MAX) {
            let Ok(branch) = self.timelines.route_to(branch) else { continue };
            let Some(parting) = self.parting(&branch) else { continue };
            let mut ends: Vec<SegmentId> = Vec::new();
            for candidate in by_end.iter().rev().take(TRIED_FOR_A_BRANCH) {
                let Ok(own) = &candidate.route else { continue };
                if own.target == branch.target && candidate.reach.is_ok() {
                    ends.extend(candidate.reach().and_then(|reach| reach.last));
                    continue;
                }
                let Ok(route) = self.timelines.route_for(branch.target, &candidate.wal) else {
                    continue;
                };
                let Ok(reach) = candidate.complete().reach(&route, self.replay) else { continue };
                let own_end = reach
                    .last
                    .filter(|last| last.timeline == branch.target && parting <= last.number);
                let Some(end) = own_end.filter(|end| !ends.contains(end)) else { continue };
                ends.push(end);
                let is_first_wanted = false;
                let way = Way { candidate, route: &route, reach: &reach, is_first_wanted };
                windows.extend(self.window(&way, commits));
            }
        }
        windows
    }

    /// Where a route leaves the one to the newest state, if it does.
    fn parting(&self, route: &Route) -> Option<SegmentNumber> {
        let living = self.timelines.route_to_newest(self.living?);
        route.parts_from(&living)
    }

    pub(super) fn apart_from(
        &self,
        route: &Route,
        candidate: &Candidate<'_>,
        first: DateTime<Utc>,
        commits: &mut Commits<'_>,
    ) -> Option<DateTime<Utc>> {
        if Some(route.target) == self.living {
            return None;
        }
        let parting = self.parting(route)?;
        let before = parting.previous().filter(|it| candidate.wal.last_required <= *it);
        let shared = before.and_then(|number| {
            let id = SegmentId { timeline: route.timeline_at(number)?, number };
            Some(commits.newest(route, id, candidate.wal.last_required))
        });
        match shared {
            Some(Newest::At(at)) => Some(at.max(first)),
            // Nothing later is known to be shared.
            Some(Newest::None | Newest::NotKnown) | None => Some(first),
        }
    }
}
