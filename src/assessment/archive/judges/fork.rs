//! Does recovery that is told no timeline end where the archive goes on?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::observation::HistoryDamage;

/// Judged by the newest backup that leads to the living timeline. Where it does not get there for
/// want of a history file, or for a bad one, that file is the finding.
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let recoverability = &case.recoverability;
    let (Some(living), timelines) = (&recoverability.living, &recoverability.timelines) else {
        return Vec::new();
    };
    let leads_there = |it: &&Candidate<'_>| {
        let route = it.route.as_ref().ok().filter(|_| it.reach.is_ok());
        route.is_some_and(|route| route.target == living.timeline)
    };
    let candidates = recoverability.candidates.iter().filter(leads_there);
    let Some(newest) = candidates.max_by_key(|it| it.info.ended_at) else { return Vec::new() };
    let followed = timelines.default_target(newest.wal.end.timeline);
    let history = timelines.seen().histories.get(&followed);
    let is_damaged = matches!(history, Some(Ok(Err(HistoryDamage::Malformed(_)))));
    if followed <= living.timeline || is_damaged {
        return Vec::new();
    }
    let problem = WalDefect::TimelineFork {
        living: living.timeline,
        followed,
        is_refused: timelines.route_for(followed, &newest.wal).is_err(),
        signs: living.signs.clone(),
        against: living.against.clone(),
    };
    vec![Finding::new(Weight::Risk, problem)]
}
