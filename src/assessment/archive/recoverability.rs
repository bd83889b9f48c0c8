//! How far recovery gets from each backup, and which moments that makes reachable.

pub(super) mod candidate;
mod commits;
pub(super) mod gaps;
pub(super) mod living;
pub(super) mod predecessor;
pub(super) mod replay;
pub(super) mod route;
mod sought;
pub(super) mod timelines;
mod wanted;
mod windows;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Latest;
use crate::assessment::NewestSegment;
use crate::assessment::RecoveryWindow;
use crate::assessment::archive::catalogue::BackupState;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::candidate::Need;
use crate::assessment::archive::recoverability::gaps::NewestRoute;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::living::Living;
use crate::assessment::archive::recoverability::predecessor::OfPredecessor;
use crate::assessment::archive::recoverability::replay::Replay;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::archive::recoverability::windows::Search;
use crate::assessment::unusable::NoRoute;
use crate::assessment::unusable::UnusableReason;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;
use crate::observation::sought::Sought;

/// What follows from the WAL between and after the backups of a catalogue.
pub(super) struct Recoverability<'a> {
    /// Where the newest state is.
    pub(super) living: Option<Living>,
    pub(super) timelines: Timelines<'a>,
    pub(super) replay: Replay<'a>,
    /// In the order of the catalogue.
    pub(super) candidates: Vec<Candidate<'a>>,
    /// What they ask the archive to keep.
    pub(super) needs: Vec<Need>,
    /// What can be restored of other servers that wrote here before, oldest first.
    pub(super) predecessors: Vec<OfPredecessor<'a>>,
    pub(super) newest_route: Option<NewestRoute>,
    pub(super) newest_segment: Option<NewestSegment>,
    pub(super) latest: Latest,
    pub(super) gaps: Vec<PlacedGap>,
    pub(super) windows: Vec<RecoveryWindow>,
    /// The segments to open so that the next assessment of the same observation can say more.
    pub(super) wanted: Vec<SegmentId>,
    /// What would help if it had come meanwhile.
    pub(super) sought: Vec<Sought>,
}

impl<'a> Recoverability<'a> {
    pub(super) fn of(
        seen: &'a Observation,
        inventory: &'a Inventory,
        catalogue: &Catalogue<'a>,
        clock: Clock,
        accepted_before: Option<DateTime<Utc>>,
    ) -> Self {
        let owners = &catalogue.owners;
        let system = owners.system();
        let timelines = Timelines::new(seen, inventory, clock, system, owners.era());
        let complete = catalogue.complete(system, inventory.segment_size);
        let replay = Replay::new(seen, inventory, clock, owners.writer(system), &complete);
        let living = living::living(&timelines);
        let target = living.as_ref().map(|living| living.timeline);
        let candidates = candidate::all(&complete, &timelines, target, &replay);

        let newest = target.map(|living| timelines.route_to_newest(living));
        let newest_route = newest.map(|route| NewestRoute::new(route, &candidates));
        let tip = newest_route.as_ref().and_then(|it| tip(&it.route, &replay, &candidates));
        // The end of the way may be lost itself.
        let stored = tip.zip(newest_route.as_ref());
        let stored = stored.and_then(|(tip, it)| it.route.newest(tip.number, inventory));
        let is_reached = |tip| {
            let mut reaches = candidates.iter().filter_map(Candidate::reach);
            reaches.any(|reach| reach.last == Some(tip) && reach.is_through())
        };
        let is_certain = !timelines.has_undated()
            && newest_route.as_ref().is_none_or(|it| replay.is_tip_certain(&it.route));
        let latest = if tip.is_some_and(is_reached) {
            if is_certain { Latest::Reached } else { Latest::Unknown }
        } else if is_in_doubt(seen, catalogue, &candidates) {
            Latest::Unknown
        } else {
            Latest::NotReached
        };
        let needs = candidate::needs(&replay, &candidates);
        let mut gaps = gaps::find(&replay, &needs, newest_route.as_ref(), accepted_before);
        let obstacles = if latest == Latest::Reached {
            Vec::new()
        } else {
            sought::obstacles(newest_route.as_ref(), &candidates, &replay)
        };
        let sought = sought::all(latest, &gaps, &obstacles, &timelines);
        let search = Search { seen, replay: &replay, timelines: &timelines, living: target };
        let mut windows = search.windows(&candidates);
        let mut predecessors: Vec<OfPredecessor<'_>> = owners
            .predecessors
            .iter()
            .map(|it| OfPredecessor::of(it, (seen, inventory), catalogue, clock, accepted_before))
            .collect();
        for predecessor in &mut predecessors {
            gaps::add(&mut gaps, std::mem::take(&mut predecessor.gaps));
        }
        let of_predecessors: Vec<SegmentId> =
            predecessors.iter().flat_map(|it| it.wanted.iter().copied()).collect();
        windows.windows.extend(predecessors.iter_mut().flat_map(|it| it.windows.drain(..)));
        windows.windows.sort_by(|a, b| (a.first.at, &a.backup_id).cmp(&(b.first.at, &b.backup_id)));
        let border = newest_route.as_ref().and_then(|it| replay.wanted_border(&it.route));
        let duplicates = wanted::duplicates(&replay, &needs);
        let misfits = wanted::misfits(&replay, &needs);
        // What the verdict may depend on comes first, and then the newest moments: of many only
        // some are opened at once.
        let moments = windows.wanted.into_iter().rev();
        let contested = living.iter().flat_map(|living| living.wanted.iter().copied());
        let wanted = contested.chain(border).chain(of_predecessors);
        let wanted = wanted.chain(duplicates).chain(misfits).chain(moments).collect();
        Self {
            living,
            predecessors,
            newest_segment: stored.and_then(|it| newest_segment(it, seen, inventory)),
            timelines,
            replay,
            candidates,
            needs,
            newest_route,
            latest,
            gaps,
            windows: windows.windows,
            wanted,
            sought,
        }
    }
}

/// Recovery of the newest backup that leads to the newest state does not get there by itself.
pub(super) struct Misled {
    /// The timeline that it follows.
    pub(super) followed: TimelineId,
    /// PostgreSQL refuses to start, rather than follow it.
    pub(super) is_refused: bool,
    /// Whether that timeline is this server's.
    pub(super) is_own: bool,
}

impl Recoverability<'_> {
    /// Where it does not get there for want of a history file, or for a bad one, that file is what
    /// is wrong.
    pub(super) fn misled(&self) -> Option<Misled> {
        let (living, timelines) = (self.living.as_ref()?, &self.timelines);
        let leads_there = |it: &&Candidate<'_>| {
            let route = it.route.as_ref().ok().filter(|_| it.reach.is_ok());
            route.is_some_and(|route| route.target == living.timeline)
        };
        let candidates = self.candidates.iter().filter(leads_there);
        let newest = candidates.max_by_key(|it| it.info.ended_at)?;
        let followed = timelines.default_target(newest.wal.end.timeline);
        let history = timelines.seen().histories.get(&followed);
        let is_damaged = matches!(history, Some(Ok(Err(HistoryDamage::Malformed(_)))));
        (living.timeline < followed && !is_damaged).then(|| Misled {
            followed,
            is_refused: timelines.route_for(followed, &newest.wal).is_err(),
            is_own: timelines.listed().any(|it| it == followed),
        })
    }
}

/// The newest segment on the route to the newest state. A backup from behind a hole that may still
/// be filled reaches further than that hole.
fn tip(route: &Route, replay: &Replay<'_>, candidates: &[Candidate<'_>]) -> Option<SegmentId> {
    let reached = candidates.iter().filter_map(|it| it.reach()?.last);
    let reached = reached.filter(|last| route.passes(*last));
    replay.settled_tip(route).into_iter().chain(reached).max_by_key(|it| it.number)
}

/// Whether something that could lead to the newest state was not read.
fn is_in_doubt(
    seen: &Observation,
    catalogue: &Catalogue<'_>,
    candidates: &[Candidate<'_>],
) -> bool {
    let is_unread =
        |it: &BackupState| matches!(it, Err(UnusableReason::Unread(_) | UnusableReason::Snapshot));
    let is_unknown =
        |it: &Candidate<'_>| matches!(it.reach, Err(UnusableReason::NoRoute(NoRoute::Unread(_))));
    catalogue.backups.iter().any(|(_, state)| is_unread(state))
        || candidates.iter().any(is_unknown)
        || seen.histories.values().any(Result::is_err)
}

fn newest_segment(
    tip: SegmentId,
    seen: &Observation,
    inventory: &Inventory,
) -> Option<NewestSegment> {
    let archive = inventory.timeline(tip.timeline)?;
    let range = archive.segments().range_at(tip.number)?;
    // Inside a range, as before what another server left, it is not known: no earlier than what it holds.
    let committed_at = || seen.probes.timeline(tip.timeline)?.newest_commit_at(tip.number);
    let uploaded_at = archive
        .uploaded_at(tip.number)
        .or_else(|| archive.uploaded_at(range.last).max(committed_at()))?;
    let name = tip.number.name(tip.timeline, inventory.segment_size);
    Some(NewestSegment { name, uploaded_at })
}
