//! How an archive stands when the page is looked at.
//!
//! A verdict holds for the time when it was given. When nobody has looked for long, since the
//! daemon hangs say, a good one has become an unknown one.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::verdict::Verdict;
use crate::publication::snapshot::Snapshot;
use crate::publication::snapshot::WatchedArchive;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) verdict: Verdict,
    /// What it was when somebody looked last, and how long ago that is, where that is too long.
    pub(super) was: Option<(Verdict, TimeDelta)>,
}

/// An archive with its standing.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverviewEntry<'a> {
    pub(super) assessment: &'a Assessment,
    pub(super) standing: Standing,
}

impl Standing {
    fn new(assessment: &Assessment, now: DateTime<Utc>) -> Self {
        let age = now - assessment.checked_at;
        let check_interval = assessment.promises.check_interval.unwrap_or(CHECK_INTERVAL_DEFAULT);
        let age_max = check_interval.checked_mul(MISSED_CHECKS_MAX).unwrap_or(TimeDelta::MAX);
        if age <= age_max.max(AGE_MIN) {
            return Self { verdict: assessment.verdict, was: None };
        }
        let verdict = assessment.verdict.max(Verdict::Unknown);
        Self { verdict, was: Some((assessment.verdict, age)) }
    }
}

impl<'a> OverviewEntry<'a> {
    pub(super) fn new(assessment: &'a Assessment, now: DateTime<Utc>) -> Self {
        Self { assessment, standing: Standing::new(assessment, now) }
    }

    /// Whether what is told of the archive may have changed since without being seen.
    pub(super) fn is_old(&self) -> bool {
        self.standing.was.is_some() || self.assessment.unreadable.is_some()
    }
}

/// All archives, the ones to look at first before the others.
pub(super) fn worst_first(snapshot: &Snapshot, now: DateTime<Utc>) -> Vec<OverviewEntry<'_>> {
    sorted(snapshot.archives.iter(), now)
}

pub(super) fn sorted<'a>(
    archives: impl Iterator<Item = &'a WatchedArchive>,
    now: DateTime<Utc>,
) -> Vec<OverviewEntry<'a>> {
    let mut entries: Vec<OverviewEntry<'a>> =
        archives.map(|archive| OverviewEntry::new(&archive.assessment, now)).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.standing.verdict));
    entries
}

/// One slow answer of a store is no reason to doubt; five missed checks are.
const MISSED_CHECKS_MAX: i32 = 5;

/// For daemons that check every few seconds.
const AGE_MIN: TimeDelta = TimeDelta::minutes(5);

/// For a snapshot of a single pass, which promises no next one.
const CHECK_INTERVAL_DEFAULT: TimeDelta = TimeDelta::minutes(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    /// The verdict now, and the one before where it is in doubt.
    #[track_caller]
    fn check(kind: usize, age: TimeDelta, verdict: Verdict, was: Option<Verdict>) {
        let snapshot = samples::only(kind);
        let entries = worst_first(&snapshot, snapshot.generated_at + age);
        let standing = entries[0].standing;
        assert_eq!((standing.verdict, standing.was.map(|(was, _)| was)), (verdict, was));
    }

    #[test]
    fn a_good_verdict_does_not_outlive_five_checks() {
        let (good, risky) = (Verdict::Recoverable, Verdict::AtRisk);
        check(samples::HEALTHY, TimeDelta::minutes(4), good, None);
        check(samples::HEALTHY, TimeDelta::minutes(6), Verdict::Unknown, Some(good));
        check(samples::AT_RISK, TimeDelta::minutes(6), Verdict::Unknown, Some(risky));
    }

    #[test]
    fn a_bad_verdict_stays_until_somebody_has_looked() {
        let bad = Verdict::Unrecoverable;
        check(samples::UNRECOVERABLE, TimeDelta::days(3), bad, Some(bad));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_old() {
        check(samples::HEALTHY, TimeDelta::hours(-2), Verdict::Recoverable, None);
    }
}
