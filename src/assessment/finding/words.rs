//! Counts, spans and durations as sentences use them.

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;

/// A duration for people: its two largest units.
pub fn duration(duration: TimeDelta) -> String {
    let seconds = u64::try_from(duration.num_seconds()).unwrap_or_default();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let is_too_large = |(size, _): &&(u64, &str)| *size != 1 && seconds < *size;
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units.iter().skip_while(is_too_large).take(2) {
        let count = rest.checked_div(*size).unwrap_or_default();
        if 0 < count || parts.is_empty() {
            parts.push(format!("{count} {unit}"));
        }
        rest = rest.checked_rem(*size).unwrap_or_default();
    }
    parts.join(" ")
}

pub(super) fn segments(number: u64) -> String {
    if number == 1 { "1 segment".to_owned() } else { format!("{number} segments") }
}

pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

pub(super) const SUPERSEDED: &str = "; a later backup succeeded";

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn span(first: SegmentName, last: SegmentName) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// The first few by name, and how many more.
pub(super) fn ids(ids: &[BackupId]) -> String {
    let named = ids.iter().take(IDS_NAMED_MAX).map(BackupId::as_str).collect::<Vec<_>>();
    let mut text = named.join(", ");
    let rest = ids.len().saturating_sub(IDS_NAMED_MAX);
    if rest != 0 {
        text += &format!(" and {rest} more");
    }
    text
}

/// A month of daily backups; a thousand of them would fill pages with what nobody reads.
const IDS_NAMED_MAX: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_backups_a_month_is_named() {
        let all: Vec<BackupId> = (0..40)
            .map(|minute| BackupId::parse(&format!("20260110T00{minute:02}00")).unwrap())
            .collect();
        assert_eq!(ids(&all[..2]), "20260110T000000, 20260110T000100");
        assert!(ids(&all[..31]).ends_with(", 20260110T003000"));
        assert!(ids(&all).ends_with(", 20260110T003000 and 9 more"));
    }

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_700, "1 h 1 min"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(duration(TimeDelta::seconds(seconds)), text);
        }
    }
}
