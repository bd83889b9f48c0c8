//! What the flags of a restore must look like.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::duration_between;
use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;

pub(super) const POSITION: Format<Lsn> = Format {
    expected: "a position in the log such as 0/3000060",
    parse: |text| text.parse().map_err(|_| Flaw::Mismatch),
};

/// `MAXFNAMELEN` of `xlog_internal.h`, without the zero at the end.
const RESTORE_POINT_BYTES_MAX: usize = 63;

pub(super) const RESTORE_POINT: Format<Arc<str>> = Format {
    expected: "the name of a restore point, of at most 63 bytes",
    parse: |text| match text.len() {
        1..=RESTORE_POINT_BYTES_MAX => Ok(text.into()),
        _ => Err(Flaw::Mismatch),
    },
};

pub(super) const TIMELINE: Format<TimelineId> = Format {
    expected: "the number of a timeline, from 1 on",
    parse: |text| text.parse().ok().and_then(TimelineId::new).ok_or(Flaw::Mismatch),
};

/// Six times as long as a recovery may take: what is not done by then hangs.
pub(super) const TIMEOUT_USUAL: Duration = Duration::from_hours(12);

pub(super) const TIMEOUT: Format<Duration> = Format {
    expected: "a duration from 10s to 7d, such as 6h",
    parse: |text| duration_between(text, Duration::from_secs(10), Duration::from_hours(7 * 24)),
};

pub(super) const SEED: Format<u64> =
    Format { expected: "a whole number", parse: |text| text.parse().map_err(|_| Flaw::Mismatch) };

pub(super) const TABLESPACE: Format<(String, PathBuf)> = Format {
    expected: "a tablespace and its directory, such as fast=/srv/fast",
    parse: |text| match text.split_once('=') {
        Some((name, to)) if !name.is_empty() && !to.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(to)))
        }
        _ => Err(Flaw::Mismatch),
    },
};

/// What a drill sets itself: with these a restored database would reach out, or go on archiving.
const OWN_SETTINGS: [&str; 4] =
    ["archive_mode", "archive_command", "archive_library", "max_logical_replication_workers"];

pub(super) const SETTING: Format<(String, String)> = Format {
    expected: "a parameter of PostgreSQL and its value, such as work_mem=64MB, but none of \
               archive_mode, archive_command, archive_library, max_logical_replication_workers",
    parse: |text| {
        let is_name = |name: &str| {
            let mut chars = name.chars();
            chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && chars.all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '.'))
        };
        let parts = text.split_once('=').map(|(name, value)| (name.to_ascii_lowercase(), value));
        parts
            .filter(|(name, value)| is_name(name) && !value.contains(['\n', '\r', '\0']))
            .filter(|(name, _)| !OWN_SETTINGS.contains(&name.as_str()))
            .map(|(name, value)| (name, value.to_owned()))
            .ok_or(Flaw::Mismatch)
    },
};
