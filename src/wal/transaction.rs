//! When transactions ended: the honest measure of what a restore can reach.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::lsn::Lsn;
use crate::domain::moment::in_calendar;
use crate::wal::fields::LittleEndian;
use crate::wal::record::Record;

/// A commit or an abort that the log holds completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionEnd {
    /// Where its record starts.
    pub lsn: Lsn,
    /// By the server's clock, to the microsecond (`xact_time`).
    pub ended_at: DateTime<Utc>,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Committed,
    Aborted,
}

/// `RM_XACT_ID` in `rmgrlist.h`.
const RM_XACT: u8 = 1;
/// `XLOG_XACT_OPMASK` and the operations in `xact.h`.
const OPERATION_MASK: u8 = 0x70;
const COMMIT: u8 = 0x00;
const ABORT: u8 = 0x20;
const COMMIT_PREPARED: u8 = 0x30;
const ABORT_PREPARED: u8 = 0x40;

impl TransactionEnd {
    /// `None` for every other record. The time is the first field of both `xl_xact_commit` and
    /// `xl_xact_abort` in `xact.h`, prepared or not.
    #[inline]
    pub fn of(record: &Record<'_>) -> Option<Self> {
        if record.header.resource_manager != RM_XACT {
            return None;
        }
        let outcome = match record.header.flags & OPERATION_MASK {
            COMMIT | COMMIT_PREPARED => Outcome::Committed,
            ABORT | ABORT_PREPARED => Outcome::Aborted,
            _ => return None,
        };
        let ended_at = time(LittleEndian(record.main_data()?).i64()?)?;
        Some(Self { lsn: record.start, ended_at, outcome })
    }
}

/// A `TimestampTz`: microseconds since 2000 (`POSTGRES_EPOCH_JDATE` in `timestamp.h`).
fn time(microseconds: i64) -> Option<DateTime<Utc>> {
    const POSTGRES_EPOCH_SECONDS: i64 = 946_684_800;
    DateTime::from_timestamp(POSTGRES_EPOCH_SECONDS, 0)?
        .checked_add_signed(TimeDelta::microseconds(microseconds))
        .and_then(in_calendar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::record::RecordHeader;

    fn end(resource_manager: u8, flags: u8, microseconds: i64) -> Option<(Outcome, String)> {
        let header = RecordHeader {
            length: 34,
            transaction_id: 0,
            previous: Lsn::new(0),
            flags,
            resource_manager,
            checksum: 0,
        };
        let head = [&[0; 24][..], &[255, 8], &microseconds.to_le_bytes()].concat();
        let (start, end) = (Lsn::new(0x28), Lsn::new(0x50));
        let end = TransactionEnd::of(&Record { start, end, header, head: &head })?;
        Some((end.outcome, end.ended_at.to_rfc3339()))
    }

    #[test]
    fn all_four_ends_of_a_transaction_count() {
        let flags = [(0x00, Outcome::Committed), (0x20, Outcome::Aborted)];
        let prepared = [(0x30, Outcome::Committed), (0x40, Outcome::Aborted)];
        for (flags, outcome) in flags.into_iter().chain(prepared) {
            // XLOG_XACT_HAS_INFO may be set as well.
            for flags in [flags, flags | 0x80] {
                let expected = Some((outcome, "2000-01-01T00:00:01.000001+00:00".to_owned()));
                assert_eq!(end(1, flags, 1_000_001), expected);
            }
        }
    }

    #[test]
    fn preparing_ends_no_transaction() {
        for flags in [0x10, 0x50, 0x60, 0x70] {
            assert_eq!(end(1, flags, 0), None);
        }
        assert_eq!(end(0, 0x00, 0), None);
    }

    #[test]
    fn times_beyond_the_calendar_are_no_times() {
        assert_eq!(end(1, 0, i64::MIN), None);
        assert_eq!(end(1, 0, i64::MAX), None);
    }
}
