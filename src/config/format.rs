//! What the texts of the configuration must look like.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

use crate::config::key_file::open_key_file;
use crate::domain::codec::Bzip2;
use crate::domain::format::DAY;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::SECOND;
use crate::domain::format::delta;
use crate::domain::format::duration_between;
use crate::domain::format::name;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::schedule::Schedule;

pub(super) const LISTEN: Format<SocketAddr> = Format {
    expected: "an address and a port, such as 0.0.0.0:8080",
    parse: |text| text.parse().map_err(|_| Flaw::Mismatch),
};

/// Each look costs at least two billed requests per archive; more than one a second serves
/// nobody. Beyond a day a backup is due before the last one was looked at.
pub(super) const POLL_INTERVAL: Format<Duration> = Format {
    expected: "a duration with its unit from 1s to 1d, such as 60s",
    parse: |text| duration_between(text, SECOND, DAY),
};

/// What is deleted later is seen by a full listing only; beyond 30 days the usual retention
/// has removed what could have been saved.
pub(super) const FULL_LISTING_INTERVAL: Format<Duration> = Format {
    expected: "a duration with its unit from 1s to 30d, such as 6h",
    parse: |text| duration_between(text, SECOND, DAY * 30),
};

/// A grace of more than a day would hide a gap for longer than most backups are apart.
pub(super) const GRACE: Format<TimeDelta> = Format {
    expected: "a duration with its unit from 0s to 1d, such as 10m",
    parse: |text| delta(duration_between(text, Duration::ZERO, DAY)?),
};

pub(super) const BZIP2_DECODER: Format<Bzip2> = Format {
    expected: "fast or reference",
    parse: |text| Bzip2::ALL.into_iter().find(|it| it.code() == text).ok_or(Flaw::Mismatch),
};

/// One is opened at a time, so very many at each look would only make looks late.
pub(super) const SEGMENTS_PER_LOOK: Format<usize> = Format {
    expected: "a number from 1 to 100000",
    parse: |text| {
        let number = text.parse().ok().filter(|it| (1..=100_000).contains(it));
        number.ok_or(Flaw::Mismatch)
    },
};

pub(super) const RETENTION: Format<RetentionPolicy> = Format {
    expected: "a count of days, weeks or months of at most a hundred years, such as 30d, 4w or 6m",
    parse: |text| RetentionPolicy::parse(text).ok_or(Flaw::Mismatch),
};

pub(super) const SCHEDULE: Format<Schedule> = Format {
    expected: "a schedule with six fields as in a ScheduledBackup, such as \"0 0 0 * * *\"",
    parse: |text| Schedule::parse_due(text).map_err(|error| Flaw::Because(error.to_string())),
};

/// Namespaces and clusters: they become parts of addresses and labels.
pub(super) const NAME: Format<String> = Format {
    expected: "a name of letters, digits, dots, dashes and underscores",
    parse: |text| name(text, 253, |c| c.is_ascii_alphanumeric() || "._-".contains(c)),
};

pub(super) const SERVER_NAME: Format<String> = Format {
    expected: "the name of one folder",
    parse: |text| name(text, 253, |c| c != '/' && !c.is_control()),
};

/// The path is only shown where it cannot be the credential itself, put there by mistake.
pub(super) const CREDENTIAL_FILE: Format<PathBuf> = Format {
    expected: "the absolute path of a readable file",
    parse: |text| {
        let path = absolute(text).map_err(|_| {
            Flaw::Because("something else, not shown as it may be a credential".to_owned())
        })?;
        match open_key_file(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(Flaw::Because(format!("{text:?}: {error}"))),
        }
    },
};

pub(super) fn absolute(text: &str) -> Result<PathBuf, Flaw> {
    let path = Path::new(text);
    path.is_absolute().then(|| path.to_owned()).ok_or(Flaw::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::format::AGE_MAX;

    fn reads<T>(format: &Format<T>, text: &str) -> Option<T> {
        (format.parse)(text).ok()
    }

    #[test]
    fn durations_carry_their_unit_and_have_bounds() {
        let minutes = |text: &str| reads(&AGE_MAX, text).map(|age| age.num_minutes());
        for (text, expected) in
            [("60s", 1), ("15m", 15), ("1h30m", 90), ("6h", 360), ("30d", 43200)]
        {
            assert_eq!(minutes(text), Some(expected), "{text}");
        }
        for wrong in ["", "0", "60", "0s", "-1s", "1x", "s", "1.5", "99999d", "999999999999999y"] {
            assert_eq!(minutes(wrong), None, "{wrong:?}");
        }
        assert_eq!(reads(&GRACE, "0s"), Some(TimeDelta::zero()));
        assert_eq!(reads(&POLL_INTERVAL, "500ms"), None);
        assert_eq!(reads(&POLL_INTERVAL, "1h30m"), Some(Duration::from_mins(90)));
    }

    #[test]
    fn a_folder_is_one_part_of_a_path() {
        assert_eq!(reads(&SERVER_NAME, "postgres main").as_deref(), Some("postgres main"));
        for wrong in ["", ".", "..", "a/b", "a\nb"] {
            assert_eq!(reads(&SERVER_NAME, wrong), None, "{wrong:?}");
        }
    }
}
