//! How verdicts, times and sizes read to people, everywhere the same.

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::SubsecRound;
use chrono::Utc;

use crate::assessment::finding::duration;
use crate::assessment::standing::LastCheck;
use crate::assessment::standing::Standing;
use crate::assessment::verdict::Verdict;

pub(crate) const fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Recoverable => "RECOVERABLE",
        Verdict::AtRisk => "AT RISK",
        Verdict::Unknown => "UNKNOWN",
        Verdict::Unrecoverable => "UNRECOVERABLE",
    }
}

const fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Recoverable => "The newest archived state can be restored.",
        Verdict::AtRisk => "The newest archived state can be restored, but something is wrong.",
        Verdict::Unknown => {
            "It could not be read well enough to say whether the newest state can be restored."
        }
        Verdict::Unrecoverable => {
            "The newest archived state can NOT be restored from any base backup."
        }
    }
}

/// What the verdict means; of one that has outlived its time, what it was.
pub(crate) fn stands(standing: &Standing, now: DateTime<Utc>) -> String {
    match standing.last_check {
        LastCheck::Read | LastCheck::Unread => sentence(standing.verdict).to_owned(),
        LastCheck::Stale { was, at } => format!(
            "It was {} {}, and has not been checked since: the daemon is behind with its checks.",
            title(was).to_lowercase(),
            ago(at, now)
        ),
    }
}

/// `2026-01-10 12:00:00 UTC`
pub(crate) fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What scripts read: UTC with `Z`, a fraction only where there is one. Microseconds are what
/// PostgreSQL knows of a commit.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// How long before `now` something was. Clocks differ, so it may also lie ahead.
pub(crate) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at <= now {
        format!("{} ago", duration(now - at))
    } else {
        format!("in {}", duration(at - now))
    }
}

/// `3.4 GiB`
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    // In tenths, rounded down, so that nothing looks larger than it is.
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "B";
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1_024;
        unit = larger;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        for (size, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (3_650_722_202, "3.4 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn a_time_keeps_the_fraction_that_it_has() {
        let whole = DateTime::UNIX_EPOCH;
        assert_eq!(rfc3339(whole), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(whole + TimeDelta::nanoseconds(1_500)), "1970-01-01T00:00:00.000001Z");
        assert_eq!(rfc3339(whole + TimeDelta::milliseconds(20)), "1970-01-01T00:00:00.020Z");
    }

    #[test]
    fn a_moment_ahead_of_our_clock_is_not_ago() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(ago(now - TimeDelta::minutes(5), now), "5 min ago");
        assert_eq!(ago(now + TimeDelta::seconds(3), now), "in 3 s");
    }
}
