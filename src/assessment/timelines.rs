//! Are the history files there that lead from one timeline to the next?

use std::collections::BTreeSet;

use crate::assessment::GapEffect;
use crate::assessment::candidate::Candidate;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::route::NoRoute;
use crate::assessment::route::Timelines;
use crate::domain::backup::BackupId;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::observation::HistoryDamage;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;

/// `reached` says whether some backup reaches the newest state in spite of it all.
pub(super) fn judge(
    timelines: &Timelines<'_>,
    candidates: &[Candidate<'_>],
    reached: GapEffect,
) -> Vec<Finding> {
    let mut findings = missing(timelines, candidates, reached);
    findings.extend(damaged(timelines, candidates, reached));
    findings
}

/// Timelines that left segments or descendants but no history file.
fn missing(
    timelines: &Timelines<'_>,
    candidates: &[Candidate<'_>],
    reached: GapEffect,
) -> Vec<Finding> {
    let mut left_traces: BTreeSet<TimelineId> = timelines.with_segments().collect();
    // A listed history of a later timeline implies the ones between: PostgreSQL counts up.
    let oldest = candidates.iter().map(|candidate| candidate.wal.begin.timeline).min();
    if let (Some(oldest), Some(newest)) = (oldest, timelines.listed().max()) {
        let implied = (oldest.value() + 1..newest.value()).take(TIMELINES_MAX);
        left_traces.extend(implied.filter_map(TimelineId::new));
    }
    left_traces
        .into_iter()
        .filter(|timeline| TimelineId::FIRST < *timeline)
        .filter(|timeline| !timelines.inventory().histories.contains_key(timeline))
        .filter_map(|timeline| {
            let stranded = stranded_before(timeline, timelines, candidates);
            // Whoever begins on the timeline itself does not need its history.
            let is_missed = !stranded.is_empty();
            is_missed.then(|| weigh(Problem::HistoryMissing { timeline, stranded }, reached))
        })
        .collect()
}

/// More timelines than this in one archive are a damaged name, not promotions.
const TIMELINES_MAX: usize = 10_000;

fn damaged(
    timelines: &Timelines<'_>,
    candidates: &[Candidate<'_>],
    reached: GapEffect,
) -> Vec<Finding> {
    let (seen, inventory) = (timelines.seen(), timelines.inventory());
    let refused: BTreeSet<TimelineId> = candidates
        .iter()
        .filter_map(|candidate| match candidate.route {
            Err(NoRoute::Damaged(timeline)) => Some(timeline),
            Ok(_) | Err(NoRoute::Unread(_) | NoRoute::NotAChild(_)) => None,
        })
        .collect();
    let mut findings = Vec::new();
    for (&timeline, history) in &seen.histories {
        let why = match history {
            Err(_) => continue,
            Ok(Err(damage @ (HistoryDamage::Malformed(_) | HistoryDamage::Undecodable(_)))) => {
                damage.to_string()
            }
            Ok(Ok(history)) => match contradiction(seen, inventory, history) {
                Some(why) => why,
                None if refused.contains(&timeline) => {
                    "it names another switch point than the archive shows".to_owned()
                }
                None => continue,
            },
        };
        findings.push(weigh(Problem::HistoryDamaged { timeline, why }, reached));
    }
    findings
}

fn weigh(problem: Problem, reached: GapEffect) -> Finding {
    match reached {
        GapEffect::StopsRecovery => Finding::fatal(problem),
        GapEffect::Hole | GapEffect::Harmless => Finding::risk(problem),
    }
}

/// Backups on older timelines whose recovery stops looking before this timeline.
fn stranded_before(
    timeline: TimelineId,
    timelines: &Timelines<'_>,
    candidates: &[Candidate<'_>],
) -> Vec<BackupId> {
    candidates
        .iter()
        .filter(|candidate| {
            let own = candidate.wal.end.timeline;
            own < timeline && timelines.default_target(own) < timeline
        })
        .map(|candidate| candidate.backup.id.clone())
        .collect()
}

/// Two history files that disagree on where a common ancestor was left, or one whose switch
/// lies after segments that the new timeline already has.
fn contradiction(
    seen: &Observation,
    inventory: &Inventory,
    history: &TimelineHistory,
) -> Option<String> {
    for ancestor in history.ancestors() {
        let Some(Ok(Ok(other))) = seen.histories.get(&ancestor.timeline) else { continue };
        for shared in other.ancestors() {
            let switched_at = history.switched_at(shared.timeline);
            if switched_at.is_some_and(|switched_at| switched_at != shared.switched_at) {
                return Some(format!(
                    "it says that timeline {} was left at {}, and the history of timeline {} \
                     says at {}",
                    shared.timeline,
                    switched_at.unwrap_or(shared.switched_at),
                    ancestor.timeline,
                    shared.switched_at
                ));
            }
        }
    }
    let last = history.ancestors().last()?;
    let size = inventory.segment_size;
    let begins = crate::domain::segment::SegmentNumber::containing(last.switched_at, size);
    let oldest = inventory.timeline(history.timeline)?.segments().first()?;
    (oldest < begins).then(|| {
        format!(
            "it says that the timeline began at {}, and segment {} is older",
            last.switched_at,
            oldest.name(history.timeline, size)
        )
    })
}
