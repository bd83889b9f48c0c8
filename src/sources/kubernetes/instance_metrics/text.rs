//! Prometheus' text format, as far as it tells of the archiver.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::moment::in_calendar;
use crate::observation::cluster::WalArchiving;

/// Picks the few series of interest; absent ones stay unknown
/// (`config/manager/default-monitoring.yaml`, `pg_collector.go`).
pub(super) fn parse(pod: &str, text: &str) -> WalArchiving {
    let mut read = WalArchiving {
        pod: pod.to_owned(),
        ready_segments: None,
        last_archived: None,
        last_archived_at: None,
        last_failed_at: None,
    };
    for line in text.lines() {
        let Some((name, labels, value)) = sample(line) else { continue };
        match name {
            "cnpg_collector_pg_wal_archive_status" if labels.contains("value=\"ready\"") => {
                read.ready_segments = whole(value);
            }
            "cnpg_pg_stat_archiver_last_archived_wal_start_lsn" => {
                read.last_archived = whole(value).filter(|number| !may_be_history(*number));
            }
            "cnpg_pg_stat_archiver_last_archived_time" => read.last_archived_at = moment(value),
            "cnpg_pg_stat_archiver_last_failed_time" => read.last_failed_at = moment(value),
            _ => {}
        }
    }
    read
}

/// `name{labels} value [timestamp]`; a comment is none.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (series, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = rest.rsplit_once('}')?;
            ((name, labels), rest)
        }
        None => {
            let (name, rest) = line.split_once(' ')?;
            ((name, ""), rest)
        }
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((series.0, series.1, value))
}

/// The name of a history file fills the upper half with its timeline and leaves the lower one
/// empty, as does every segment 0 of a log file. Neither can be told from the other.
fn may_be_history(number: u64) -> bool {
    number & u64::from(u32::MAX) == 0
}

/// Numbers up to 2^53 are written exactly; -1 is never.
fn whole(value: f64) -> Option<u64> {
    (value.fract() == 0.0).then(|| format!("{value:.0}").parse().ok()).flatten()
}

/// Seconds since 1970; -1 is never.
fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    let milliseconds = format!("{:.0}", seconds * 1000.0).parse().ok().filter(|it| 0 < *it)?;
    DateTime::from_timestamp_millis(milliseconds).and_then(in_calendar)
}
