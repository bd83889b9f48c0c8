//! Which moments and positions a window holds.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::RecoveryWindow;
use crate::assessment::TimeSource;
use crate::assessment::WalStretch;
use crate::domain::lsn::Lsn;
use crate::domain::moment::before;
use crate::domain::segment::SegmentNumber;
use crate::domain::timeline::TimelineId;

/// PostgreSQL counts transaction times in microseconds.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

impl RecoveryWindow {
    /// The last moment that recovery is known to stop at: it needs a later transaction to know that
    /// the moment has passed (`recoveryStopsBefore` in `xlogrecovery.c`).
    pub(in crate::assessment) fn last_target(&self) -> Option<DateTime<Utc>> {
        let last = before(self.last.at, MOMENT);
        (self.last.source == TimeSource::Commit && self.first.at <= last).then_some(last)
    }

    pub(super) fn contains(&self, at: DateTime<Utc>) -> bool {
        self.first.at <= at && at < self.last.at
    }

    /// Whether its state of a moment is that of the living timeline.
    pub(super) fn is_of_living(&self, at: DateTime<Utc>) -> bool {
        self.apart_from.is_none_or(|apart| at <= apart)
    }

    /// On which timeline recovery to its end reads this position.
    pub(super) fn timeline_at(&self, lsn: Lsn) -> Option<TimelineId> {
        let number = SegmentNumber::containing(lsn, self.segment_size);
        let holds = |stretch: &&WalStretch| {
            let [first, last] =
                [stretch.first, stretch.last].map(|it| it.number(self.segment_size));
            first.is_ok_and(|first| first <= number) && last.is_ok_and(|last| number <= last)
        };
        self.path.iter().find(holds).map(|stretch| stretch.first.timeline)
    }

    pub(super) fn begins_last_segment_after(&self, lsn: Lsn) -> bool {
        let count: u64 = self.path.iter().map(|stretch| stretch.count).sum();
        1 < count && lsn.value() < self.last.lsn.value().saturating_sub(self.segment_size.bytes())
    }
}
