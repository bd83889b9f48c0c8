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
        let living = living::living(&timelines);
        let contested = living.iter().flat_map(|living| living.wanted.clone());
        let contested: Vec<SegmentId> = contested.collect();
        let living = living.map(|living| living.timeline);
        let candidates = candidate::all(&complete, &timelines, living, &replay);
        let gaps = gaps::of_predecessor(&replay, &candidates, accepted_before);
        let search = Search { seen, replay: &replay, timelines: &timelines, living };
        let Windows { windows, wanted } = search.windows(&candidates);
        let proof = proof(&search, &candidates);
        let ends = ends(&complete, &replay, seen);
        let of_others = of_others(predecessor, catalogue, &replay);
        let windows = windows.into_iter().map(|it| RecoveryWindow { system, ..it }).collect();
        let told = contested.into_iter().chain(ends).chain(of_others).chain(proof);
        let wanted = told.chain(wanted).collect();
        Self { candidates, windows, gaps, wanted }
    }
}

/// What shows how far one of the backups gets, the oldest first, on one of its ways.
fn proof(search: &Search<'_>, candidates: &[Candidate<'_>]) -> Option<SegmentId> {
    candidates.iter().find_map(|candidate| {
        let Candidate { wal, .. } = candidate;
        let mut targets = search.timelines.targets(wal, search.living);
        targets.find_map(|target| {
            let route = search.timelines.route_for(target, wal).ok()?;
            search.replay.wanted_proof(&route, wal.first_required)
        })
    })
}

/// Where other servers backed up amid what would else count as this one's.
fn of_others(
    server: &Server,
    catalogue: &Catalogue<'_>,
    replay: &Replay<'_>,
) -> BTreeSet<SegmentId> {
    let owners = &catalogue.owners;
    let others = owners.predecessors.iter().chain(&owners.current);
    let others = others.filter(|it| it.system != server.system);
    let complete =
        others.flat_map(|it| catalogue.complete(Some(it.system), replay.inventory.segment_size));
    let ends = complete.flat_map(|Complete { wal, .. }| {
        [(wal.begin.timeline, wal.first_required), (wal.end.timeline, wal.last_required)]
    });
    let ids = ends.map(|(timeline, number)| SegmentId { timeline, number });
    let is_wanted = |id: &SegmentId| {
        let archive = replay.inventory.timeline(id.timeline);
        replay.proven(id.timeline).contains(id.number)
            && archive.is_some_and(|archive| archive.segments().contains(id.number))
            && !replay.is_opened(*id)
    };
    ids.filter(is_wanted).take(OF_OTHERS_MAX).collect()
}

/// More than one of them is seldom wanted: it parts what was taken for one.
const OF_OTHERS_MAX: usize = 8;

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
        archive.is_some_and(|archive| {
            archive.segments().contains(id.number) && !archive.twice().contains(id.number)
        })
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
