//! How long a base backup may run. One answer for all that ask, whoever told them of the backups.

use chrono::TimeDelta;

/// A backup that runs longer than this is dead, unless earlier ones took as long. A first backup
/// of some hundred gigabytes is done by then; killed sidecars leave `STARTED` for ever.
const RUN_MAX: TimeDelta = TimeDelta::hours(3);

/// How much longer than the longest finished one a backup may run.
const RUN_FACTOR: i32 = 3;

pub(super) fn run_max(finished: impl Iterator<Item = TimeDelta>) -> TimeDelta {
    let scaled = finished.max().and_then(|longest| longest.checked_mul(RUN_FACTOR));
    scaled.map_or(RUN_MAX, |scaled| scaled.max(RUN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_may_run_three_times_as_long_as_the_longest_and_never_less_than_three_hours() {
        let of = |hours: &[i64]| run_max(hours.iter().copied().map(TimeDelta::hours));
        assert_eq!(of(&[]), TimeDelta::hours(3));
        assert_eq!(of(&[0]), TimeDelta::hours(3));
        assert_eq!(of(&[2, 5, 1]), TimeDelta::hours(15));
    }
}
