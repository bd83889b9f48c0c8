//! Is the store's clock one that ages can be told by?

use crate::assessment::archive::ArchiveCase;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::observation::store_clock::CLOCK_TOLERANCE;

/// One that is off together with its uploads is only told of: ages are right by it.
pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let unreliable = case.doubt.map(|doubt| {
        let problem = StoreDefect::ClockUnreliable(doubt);
        Finding::new(Weight::Risk, problem)
    });
    let is_off = case.seen.store_clock.ahead.filter(|ahead| CLOCK_TOLERANCE < ahead.abs());
    let skewed = || is_off.map(|it| Finding::new(Weight::Notice, StoreDefect::ClockSkew(it)));
    unreliable.or_else(skewed).into_iter().collect()
}
