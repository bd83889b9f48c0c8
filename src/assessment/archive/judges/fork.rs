//! Does recovery that is told no timeline end where the archive goes on?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::WalDefect;

/// A timeline that another server left here is that server's finding.
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let living = case.recoverability.living.as_ref();
    let misled = case.recoverability.misled().filter(|it| it.is_own);
    let fork = living.zip(misled).map(|(living, misled)| WalDefect::TimelineFork {
        living: living.timeline,
        followed: misled.followed,
        is_refused: misled.is_refused,
        signs: living.signs.clone(),
        against: living.against.clone(),
    });
    fork.map(|fork| Finding::new(Weight::Risk, fork)).into_iter().collect()
}
