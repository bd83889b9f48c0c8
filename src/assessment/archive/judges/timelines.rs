//! Are the history files there that lead from one timeline to the next?

use std::collections::BTreeSet;

use crate::assessment::Latest;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::Recoverability;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::finding::Finding;
use crate::assessment::finding::HistoryFault;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::assessment::unusable::NoRoute;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let weight = match case.recoverability.latest {
        Latest::Reached => Weight::Risk,
        Latest::NotReached | Latest::Unknown => Weight::Fatal,
    };
    let mut findings = missing(&case.recoverability, weight);
    findings.extend(damaged(&case.recoverability, weight));
    findings
}

/// Timelines that left segments or descendants but no history file.
fn missing(recoverability: &Recoverability<'_>, weight: Weight) -> Vec<Finding> {
    let Recoverability { timelines, candidates, living, .. } = recoverability;
    // A newer one that a copy left leads nobody anywhere without its history file.
    let leads_on = |timeline: &TimelineId| {
        let is_newer = living.as_ref().is_some_and(|living| living.timeline < *timeline);
        !is_newer || timelines.is_stray(*timeline)
    };
    let mut missed: BTreeSet<TimelineId> = timelines.with_wal().filter(leads_on).collect();
    // A listed history of a later timeline implies the ones between, since PostgreSQL counts up;
    // the first that is missing is where it stops looking.
    if let Some(newest) = timelines.listed().max() {
        let next = |it: &Candidate<'_>| timelines.default_target(it.wal.end.timeline).next();
        missed.extend(candidates.iter().map(next).filter(|next| *next < newest));
    }
    missed.extend(candidates.iter().filter_map(lacks_own_history));
    missed
        .into_iter()
        .filter(|timeline| TimelineId::FIRST < *timeline)
        .filter(|timeline| !timelines.inventory().histories.contains_key(timeline))
        .filter_map(|timeline| {
            let stranded = stranded_by(timeline, timelines, candidates);
            // Whoever begins on the timeline itself does not need its history.
            let is_missed = !stranded.is_empty();
            is_missed.then(|| {
                // The newest state does not lie there.
                let weight = if timelines.is_stray(timeline) { Weight::Risk } else { weight };
                Finding::new(weight, WalDefect::HistoryMissing { timeline, stranded })
            })
        })
        .collect()
}

fn damaged(recoverability: &Recoverability<'_>, weight: Weight) -> Vec<Finding> {
    let Recoverability { timelines, candidates, .. } = recoverability;
    // What a backup aims for by itself, and what leads it to the newest state.
    let living = recoverability.living.as_ref().map(|living| living.timeline);
    let aims = |candidate: &Candidate<'_>| {
        let default = timelines.default_target(candidate.wal.end.timeline);
        living.filter(|it| *it != default).into_iter().chain([default])
    };
    let refusals = candidates.iter().flat_map(|candidate| {
        aims(candidate).filter_map(|aim| timelines.route_for(aim, &candidate.wal).err())
    });
    let refused: BTreeSet<TimelineId> = refusals
        .filter_map(|no_route| match no_route {
            NoRoute::Damaged(timeline) => Some(timeline),
            NoRoute::Unread(_) | NoRoute::NotAChild(_) | NoRoute::Untold(_) => None,
        })
        .collect();
    let mut findings = Vec::new();
    for (&timeline, history) in &timelines.seen().histories {
        // One that recovery never reads costs nothing.
        let mut weight = weight;
        let fault = match history {
            Err(_) => continue,
            Ok(Err(damage @ HistoryDamage::Malformed(_))) if !refused.contains(&timeline) => {
                weight = Weight::Notice;
                HistoryFault::Damaged(damage.clone())
            }
            Ok(Err(damage)) => HistoryFault::Damaged(damage.clone()),
            Ok(Ok(history)) => match contradiction(timelines, history) {
                Some(fault) => fault,
                None if refused.contains(&timeline) => HistoryFault::OtherSwitchPoint,
                None => continue,
            },
        };
        findings.push(Finding::new(weight, WalDefect::HistoryDamaged { timeline, fault }));
    }
    findings
}

/// The timeline that a backup ended on, if it cannot be restored without that history file.
fn lacks_own_history(candidate: &Candidate<'_>) -> Option<TimelineId> {
    let own = candidate.wal.end.timeline;
    match candidate.route {
        Err(NoRoute::Untold(timeline) | NoRoute::NotAChild(timeline)) => {
            (timeline == own).then_some(own)
        }
        Ok(_) | Err(NoRoute::Damaged(_) | NoRoute::Unread(_)) => None,
    }
}

/// Backups on older timelines whose recovery stops looking before this timeline, and those that
/// need its history file for themselves.
fn stranded_by(
    timeline: TimelineId,
    timelines: &Timelines<'_>,
    candidates: &[Candidate<'_>],
) -> Vec<BackupId> {
    candidates
        .iter()
        .filter(|candidate| {
            let own = candidate.wal.end.timeline;
            let stops_before = own < timeline && timelines.default_target(own) < timeline;
            stops_before || lacks_own_history(candidate) == Some(timeline)
        })
        .map(|candidate| candidate.backup.id.clone())
        .collect()
}

/// Two history files that disagree on where a common ancestor was left, or one whose switch
/// lies after segments that the new timeline already has.
fn contradiction(timelines: &Timelines<'_>, history: &TimelineHistory) -> Option<HistoryFault> {
    // Each history repeats that of its nearest ancestor, so a disagreement with an older one shows
    // there or between those two.
    let parents = history.ancestors().iter().rev();
    let mut known = parents.filter_map(|it| match timelines.seen().histories.get(&it.timeline) {
        Some(Ok(Ok(parent))) => Some(parent),
        Some(Err(_) | Ok(Err(_))) | None => None,
    });
    if let Some(parent) = known.next()
        && let Some((ours, theirs)) = history.disagreement(parent)
    {
        let (parent, theirs) = (parent.timeline, theirs.switched_at);
        return Some(HistoryFault::Disagrees { ours, parent, theirs });
    }
    let last = history.ancestors().last()?;
    let size = timelines.inventory().segment_size;
    let begins = SegmentNumber::containing(last.switched_at, size);
    let oldest = timelines.oldest_own(history.timeline)?;
    (oldest < begins).then(|| HistoryFault::BeginsTooLate {
        switched_at: last.switched_at,
        older: oldest.name(history.timeline, size),
    })
}
