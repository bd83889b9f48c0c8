//! What can be restored of servers that wrote to the same archive before: after a major upgrade, or of
//! a cluster that was made anew under its old name.
//!
//! Each is judged on its own. Its WAL ends where the next server's begins, and is gone where that one
//! overwrote it. Which is which, opened segments tell.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::RecoveryWindow;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::catalogue::Complete;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::identity::Server;
use crate::assessment::archive::recoverability::candidate;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::gaps;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::living;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::archive::recoverability::windows::Search;
use crate::assessment::archive::recoverability::windows::Windows;
use crate::domain::timeline::TimelineId;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;

pub(crate) struct OfPredecessor<'a> {
    pub(crate) candidates: Vec<Candidate<'a>>,
    pub(crate) windows: Vec<RecoveryWindow>,
    /// What its backups do not get past.
    pub(crate) gaps: Vec<PlacedGap>,
    /// The segments to open so that more can be said.
    pub(crate) wanted: Vec<SegmentId>,
}

impl<'a> OfPredecessor<'a> {
    pub(crate) fn of(
        predecessor: &Server,
        (seen, inventory): (&'a Observation, &'a Inventory),
        catalogue: &Catalogue<'a>,
        clock: Clock,
        accepted_before: Option<DateTime<Utc>>,
    ) -> Self {
        let system = Some(predecessor.system);
        let timelines = Timelines::new(seen, inventory, clock, system, predecessor.era);
        let complete = catalogue.complete(system, inventory.segment_size);
        let writer = catalogue.owners.writer(system);
        let replay = Replay::new(seen, inventory, clock, writer, &complete);
        let living = living::living(&timelines).map(|living| living.timeline);
        let candidates = candidate::all(&complete, &timelines, living, &replay);
        let gaps = gaps::of_predecessor(&replay, &candidates, accepted_before);
        let search = Search { seen, replay: &replay, timelines: &timelines, living };
        let Windows { windows, wanted } = search.windows(&candidates);
        let border = living.and_then(|it| replay.wanted_border(&timelines.route_to_newest(it)));
        let ends = ends(&complete, &replay, seen);
        let windows = windows.into_iter().map(|it| RecoveryWindow { system, ..it }).collect();
        let wanted = ends.into_iter().chain(border).chain(wanted).collect();
        Self { candidates, windows, gaps, wanted }
    }
}

/// The first segment of the oldest backup and the last of the newest on each timeline, as far as
/// they were not overwritten: what lies between was not either.
fn ends(complete: &[Complete<'_>], replay: &Replay<'_>, seen: &Observation) -> BTreeSet<SegmentId> {
    let firsts = complete
        .iter()
        .map(|it| SegmentId { timeline: it.wal.begin.timeline, number: it.wal.first_required });
    let lasts = complete
        .iter()
        .rev()
        .map(|it| SegmentId { timeline: it.wal.end.timeline, number: it.wal.last_required });
    let is_listed = |id: &SegmentId| {
        let archive = replay.inventory.timeline(id.timeline);
        archive.is_some_and(|archive| archive.segments().contains(id.number))
    };
    let mut wanted = BTreeSet::new();
    let mut find = |ids: &mut dyn Iterator<Item = SegmentId>| {
        let mut done: BTreeSet<TimelineId> = BTreeSet::new();
        for id in ids.filter(is_listed) {
            if done.contains(&id.timeline) {
                continue;
            }
            if !seen.probes.has(id) {
                wanted.insert(id);
            }
            if !seen.probes.has(id) || replay.wrote(id) {
                done.insert(id.timeline);
            }
        }
    };
    find(&mut firsts.into_iter());
    find(&mut lasts.into_iter());
    wanted
}
