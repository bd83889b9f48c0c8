//! The log that recovery replays, in its order, and where that ends.

use crate::assessment::plan::Restore;
use crate::assessment::plan::Stop;
use crate::domain::backup_info::BackupWal;
use crate::domain::drill::RecoveryEnd;
use crate::domain::segment::SegmentName;
use crate::domain::segment::SegmentNumber;
use crate::restore::delivery::Delivery;
use crate::restore::delivery::Source;
use crate::restore::log_file::LogFile;
use crate::sources::decode::object::Fed;
use crate::sources::store::error::StoreError;
use crate::wal::Demands;
use crate::wal::Replay;
use crate::wal::ReplayEnd;
use crate::wal::StopAt;

impl Fed for Replay {
    fn feed(&mut self, piece: &[u8]) {
        Self::feed(self, piece);
    }
}

/// Every segment that the plan leads over.
pub(super) fn way(plan: &Restore) -> Vec<SegmentName> {
    let size = plan.window.segment_size;
    let mut way = Vec::new();
    for stretch in &plan.window.path {
        let ends = [stretch.first, stretch.last].map(|name| name.number(size).ok());
        let [Some(first), Some(last)] = ends else { continue };
        let timeline = stretch.first.timeline;
        let numbers = (first.value()..=last.value()).map(SegmentNumber::new);
        way.extend(numbers.map(|number| number.name(timeline, size)));
    }
    way
}

/// What recovery will replay of it, and up to where.
pub(super) fn replay(plan: &Restore, wal: &BackupWal) -> Replay {
    let stop = match &plan.stop {
        Stop::Never => StopAt::Never,
        Stop::At(at) => StopAt::Time(*at),
        Stop::Lsn(lsn) => StopAt::Position(*lsn),
        Stop::RestorePoint(name) => StopAt::RestorePoint(name.as_bytes().into()),
        Stop::Consistent => StopAt::Consistent(wal.end_lsn),
    };
    Replay::new(wal.begin_lsn, wal.segment_size, stop)
}

/// What the log says of a recovery that is still to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foretold {
    /// `None` if nothing of the log is replayed, or the target was not found in it.
    pub end: Option<RecoveryEnd>,
    /// What the server that replays it must be set to.
    pub demands: Demands,
}

/// Reads the log that a restore elsewhere will replay.
pub async fn foretell(
    source: Source,
    plan: &Restore,
    wal: &BackupWal,
) -> Result<Foretold, StoreError> {
    let delivery = Delivery::new(source, "".as_ref(), wal.segment_size);
    let mut replay = replay(plan, wal);
    for name in way(plan) {
        if replay.is_over() {
            break;
        }
        replay.follow(name.timeline);
        replay = delivery.read(LogFile::Segment(name), replay).await?;
    }
    let end = replay.end().filter(|end| end.is_stopped || plan.stop == Stop::Never);
    Ok(Foretold { end: end.map(|end| told(&end)), demands: replay.demands().clone() })
}

pub(super) fn told(end: &ReplayEnd) -> RecoveryEnd {
    RecoveryEnd {
        system_identifier: end.system_identifier,
        timeline: end.timeline.value(),
        lsn: end.lsn,
        last_transaction_at: end.last_transaction_at,
    }
}
