//! What is read to its last byte, how often, and how fast.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::config::format::absolute;
use crate::config::jobs::JobsConfig;
use crate::config::jobs::RUN_AS;
use crate::config::reader::Section;
use crate::domain::format::DAY;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::IS_TRUE;
use crate::domain::format::duration_between;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentConfig {
    /// Every segment, once.
    pub wal: bool,
    /// The newest base backup and an older one, each time this has passed; `None` reads none.
    pub base_backups_every: Option<Duration>,
    /// Base backups in storage classes of which each read is billed as well.
    pub reads_infrequent_backups: bool,
    /// Each base backup is read by a Job, if it says how; `None` where the process reads them.
    pub jobs: Option<JobsConfig>,
    /// Of what is stored, from all archives together.
    pub bytes_per_second_max: u64,
    /// The same in each month of the calendar; `None` is as much as there is.
    pub bytes_per_month_max: Option<u64>,
    /// Where what was read is remembered over a restart; `None` is nowhere.
    pub ledger: Option<PathBuf>,
}

impl ContentConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let (base_backups, run_as) = section.section("base_backups", |section| {
            (section.text("cadence", &CADENCE), section.text("run_as", &RUN_AS))
        });
        let run_as = run_as.unwrap_or_default();
        let jobs = section.section("jobs", |section| JobsConfig::read(section, run_as));
        let default = Self::default();
        let wal = section.word("wal", &IS_TRUE);
        let rate = section.text("bytes_per_second_max", &BYTES_PER_SECOND);
        Self {
            wal: wal.unwrap_or(default.wal),
            base_backups_every: base_backups.unwrap_or(default.base_backups_every),
            // Who asks for it has thought of what it costs.
            reads_infrequent_backups: base_backups.is_some(),
            jobs,
            bytes_per_second_max: rate.unwrap_or(default.bytes_per_second_max),
            bytes_per_month_max: section.text("bytes_per_month_max", &BYTES_PER_MONTH),
            ledger: section.text("ledger", &LEDGER),
        }
    }

    /// Whether anything is read.
    pub const fn is_on(&self) -> bool {
        self.wal || self.base_backups_every.is_some()
    }
}

impl Default for ContentConfig {
    fn default() -> Self {
        Self {
            wal: true,
            base_backups_every: Some(DAY * 7),
            reads_infrequent_backups: false,
            jobs: None,
            bytes_per_second_max: 50_000_000,
            bytes_per_month_max: None,
            ledger: None,
        }
    }
}

const CADENCE: Format<Option<Duration>> = Format {
    expected: "daily, weekly, monthly, never, or a duration with its unit from 1h to 365d",
    parse: |text| {
        let days = match text {
            "never" => return Ok(None),
            "daily" => 1,
            "weekly" => 7,
            "monthly" => 30,
            _ => return duration_between(text, Duration::from_hours(1), DAY * 365).map(Some),
        };
        Ok(Some(DAY * days))
    },
};

/// A store gives up on who reads more slowly, and a segment takes a minute at least then.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

const BYTES_PER_SECOND: Format<u64> = Format {
    expected: "an amount of at least 1 MiB with its unit, such as 32MiB",
    parse: |text| amount(text).filter(|it| BYTES_PER_SECOND_MIN <= *it).ok_or(Flaw::Mismatch),
};

const BYTES_PER_MONTH: Format<u64> = Format {
    expected: "an amount with its unit, such as 500GB",
    parse: |text| amount(text).filter(|it| 0 < *it).ok_or(Flaw::Mismatch),
};

fn amount(text: &str) -> Option<u64> {
    let is_bare = text.ends_with(|c: char| c.is_ascii_digit());
    text.parse::<ByteSize>().ok().filter(|_| !is_bare).map(|it| it.as_u64())
}

const LEDGER: Format<PathBuf> = Format {
    expected: "the absolute path of a file",
    parse: |text| absolute(text).map_err(|_| Flaw::Mismatch),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_unit_and_is_no_trickle() {
        let reads = |text| (BYTES_PER_SECOND.parse)(text).ok();
        assert_eq!(reads("32MiB"), Some(32 << 20));
        assert_eq!(reads("20 MB"), Some(20_000_000));
        assert_eq!(reads("1GiB"), Some(1 << 30));
        for wrong in ["32", "33554432", "1kB", "-1MiB", "fast", "1 MiB/s"] {
            assert_eq!(reads(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cadence_is_a_word_or_a_duration() {
        let reads = |text| (CADENCE.parse)(text).ok();
        assert_eq!(reads("weekly"), Some(Some(DAY * 7)));
        assert_eq!(reads("never"), Some(None));
        assert_eq!(reads("36h"), Some(Some(Duration::from_hours(36))));
        for wrong in ["7", "1m", "2y", "sometimes"] {
            assert_eq!(reads(wrong), None, "{wrong}");
        }
    }
}
