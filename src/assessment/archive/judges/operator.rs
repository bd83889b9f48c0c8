//! Would the operator that runs here restore what can be restored?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::setup::Setup;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let version = case.seen.cluster.as_ref().and_then(|cluster| cluster.operator);
    let Some(version) = version.filter(|version| version.drops_histories()) else {
        return Vec::new();
    };
    let Some(living) = &case.recoverability.living else { return Vec::new() };
    let leads_there = |it: &&Candidate<'_>| {
        let route = it.route.as_ref().ok().filter(|_| it.reach.is_ok());
        route.is_some_and(|route| route.target == living.timeline)
    };
    let candidates = case.recoverability.candidates.iter().filter(leads_there);
    let newest = candidates.max_by_key(|it| it.info.ended_at);
    let begun_on = newest.map(|it| it.wal.begin.timeline).filter(|it| *it != living.timeline);
    let finding = begun_on.map(|ends_on| {
        let goes_on_to = living.timeline;
        Finding::new(Weight::Risk, Setup::OperatorDropsTimelines { version, ends_on, goes_on_to })
    });
    finding.into_iter().collect()
}
