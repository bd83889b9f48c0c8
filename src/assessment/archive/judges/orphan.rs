//! Does it belong to any cluster?

use crate::assessment::Subject;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::orphaned::Orphaned;
use crate::domain::orphan::Orphan;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let orphan = case.seen.orphan.as_ref();
    orphan.map(|orphan| finding(case.subject, orphan)).into_iter().collect()
}

/// What can be restored from it is another matter.
pub(in crate::assessment) fn finding(subject: &Subject, orphan: &Orphan) -> Finding {
    let address = subject.address.as_ref().map(ToString::to_string).unwrap_or_default();
    Finding::new(Weight::Notice, Orphaned { address, orphan: orphan.clone() })
}
