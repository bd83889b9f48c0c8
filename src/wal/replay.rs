//! Tells from the log itself where recovery will end.
//!
//! Follows `recoveryStopsBefore`, `recoveryStopsAfter` and `FinishWalRecovery` in `xlogrecovery.c`: the
//! end is behind the last record that is replayed, and that position stands in the last line of the
//! history file that recovery writes.

use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::lsn::Lsn;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::wal::demands::Demands;
use crate::wal::page_rules::SegmentIdentity;
use crate::wal::reader::RecordReader;
use crate::wal::reader::Step;
use crate::wal::record::Record;
use crate::wal::restore_point::RestorePoint;
use crate::wal::transaction::TransactionEnd;

/// What recovery is told to stop at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAt {
    /// Nothing: it ends with the log.
    Never,
    /// Before the first transaction that ended later.
    Time(DateTime<Utc>),
    /// Behind the first record that starts here or later.
    Position(Lsn),
    /// Behind the first restore point of this name.
    RestorePoint(Arc<[u8]>),
    /// As soon as everything before this position is replayed.
    Consistent(Lsn),
}

/// Where recovery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayEnd {
    pub system_identifier: Option<u64>,
    /// Of the file that holds the last record.
    pub timeline: TimelineId,
    /// Behind the last record.
    pub lsn: Lsn,
    /// When the last transaction ended: not the newest, if clocks differ.
    pub last_transaction_at: Option<DateTime<Utc>>,
    /// What it was told to stop at was there.
    pub is_stopped: bool,
}

/// Is fed the segments that recovery reads, one after the other, each from its first byte.
#[derive(Clone, Debug)]
pub struct Replay {
    reader: RecordReader,
    segment_size: SegmentSize,
    /// Where the base backup says that replay begins.
    begin: Lsn,
    stop: StopAt,
    /// Of the file that is being fed.
    timeline: TimelineId,
    end: Option<ReplayEnd>,
    demands: Demands,
    is_over: bool,
}

impl Replay {
    pub fn new(begin: Lsn, segment_size: SegmentSize, stop: StopAt) -> Self {
        Self {
            reader: RecordReader::new(SegmentIdentity::default()),
            segment_size,
            begin,
            stop,
            timeline: TimelineId::FIRST,
            end: None,
            demands: Demands::default(),
            is_over: false,
        }
    }

    /// Announces that the bytes to come are from a file of this timeline.
    pub fn follow(&mut self, timeline: TimelineId) {
        self.timeline = timeline;
        self.reader.follow(timeline);
    }

    pub fn feed(&mut self, mut piece: &[u8]) {
        while !self.is_over {
            match self.reader.step(&mut piece) {
                Ok(Step::Record(record)) if record.start < self.begin => {}
                Ok(Step::Record(record)) => {
                    let seen = Seen::of(&record, self.segment_size);
                    self.demands.note(&record);
                    self.replay(seen);
                }
                Ok(Step::NeedMore) => return,
                Ok(Step::End) | Err(_) => self.is_over = true,
            }
        }
    }

    /// Whether nothing that follows is replayed.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// As far as the log was fed; `None` if nothing of it is replayed.
    pub fn end(&self) -> Option<ReplayEnd> {
        let header = self.reader.first_header();
        let system_identifier = header.map(|header| header.system_identifier);
        self.end.map(|end| ReplayEnd { system_identifier, ..end })
    }

    /// What the log that was fed asks of a server that replays it.
    pub const fn demands(&self) -> &Demands {
        &self.demands
    }

    fn replay(&mut self, seen: Seen) {
        if self.stops_before(&seen) {
            self.is_over = true;
            if let Some(end) = &mut self.end {
                end.is_stopped = true;
            }
            return;
        }
        let before = self.end.and_then(|end| end.last_transaction_at);
        let is_stopped = self.stops_after(&seen);
        self.is_over = is_stopped;
        self.end = Some(ReplayEnd {
            system_identifier: None,
            timeline: self.timeline,
            lsn: seen.end,
            last_transaction_at: seen.transaction_ended_at.or(before),
            is_stopped,
        });
    }

    fn stops_before(&self, seen: &Seen) -> bool {
        match self.stop {
            StopAt::Time(at) => seen.transaction_ended_at.is_some_and(|ended_at| at < ended_at),
            StopAt::Consistent(lsn) => lsn <= seen.start,
            StopAt::Never | StopAt::Position(_) | StopAt::RestorePoint(_) => false,
        }
    }

    fn stops_after(&self, seen: &Seen) -> bool {
        match &self.stop {
            StopAt::Position(lsn) => *lsn <= seen.start,
            StopAt::RestorePoint(name) => seen.restore_point.as_ref() == Some(name),
            StopAt::Never | StopAt::Time(_) | StopAt::Consistent(_) => false,
        }
    }
}

/// What of a record decides.
struct Seen {
    start: Lsn,
    end: Lsn,
    transaction_ended_at: Option<DateTime<Utc>>,
    restore_point: Option<Arc<[u8]>>,
}

impl Seen {
    fn of(record: &Record<'_>, segment_size: SegmentSize) -> Self {
        // A switch reaches to the end of its segment (`XLogDecodeNextRecord` in `xlogreader.c`).
        let end = if record.header.is_switch() {
            SegmentNumber::containing(record.start, segment_size).end(segment_size)
        } else {
            record.end
        };
        Self {
            start: record.start,
            end,
            transaction_ended_at: TransactionEnd::of(record).map(|end| end.ended_at),
            restore_point: RestorePoint::of(record).map(|point| point.name.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::wal::generator::Generator;

    use super::*;

    /// Of the generator's segments.
    fn size() -> SegmentSize {
        SegmentSize::new(1 << 20).unwrap()
    }

    /// Microseconds since 2000, as a commit holds them.
    fn commit(log: &mut Generator, microseconds: i64) -> Lsn {
        log.record(1, 0, &microseconds.to_le_bytes())
    }

    fn at(microseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(946_684_800_000_000 + microseconds).unwrap()
    }

    fn end(log: &[u8], stop: StopAt) -> ReplayEnd {
        let mut replay = Replay::new(Generator::START, size(), stop);
        log.chunks(1000).for_each(|piece| replay.feed(piece));
        replay.end().unwrap()
    }

    #[test]
    fn without_a_target_it_ends_with_the_last_record() {
        let mut log = Generator::new();
        log.filler(100);
        commit(&mut log, 5);
        let switch = log.switch();
        let found = end(&log.clone().bytes(), StopAt::Never);
        assert_eq!(found.lsn, Lsn::new(0x0040_0000), "{switch}");
        assert_eq!((found.last_transaction_at, found.is_stopped), (Some(at(5)), false));
        assert_eq!(found.system_identifier, Some(Generator::SYSTEM_IDENTIFIER));
        let last = log.filler(40);
        let found = end(&log.finish(), StopAt::Never);
        assert_eq!(found.lsn, Lsn::new((last.value() + 24 + 5 + 40).next_multiple_of(8)));
    }

    #[test]
    fn what_is_replayed_is_asked_for_and_nothing_behind_its_end() {
        let raised = |log: &mut Generator, connections: u32| {
            let data: Vec<u8> = [connections, 8, 10, 0, 64].map(u32::to_le_bytes).concat();
            log.record(0, 0x60, &data)
        };
        let mut log = Generator::new();
        raised(&mut log, 200);
        let second = commit(&mut log, 20);
        raised(&mut log, 300);
        let log = log.finish();
        for (stop, expected) in [(StopAt::Never, 300), (StopAt::Position(second), 200)] {
            let mut replay = Replay::new(Generator::START, size(), stop);
            replay.feed(&log);
            assert_eq!(replay.demands().parameters.unwrap().max_connections, expected);
        }
    }

    #[test]
    fn a_time_stops_before_the_first_later_transaction() {
        let mut log = Generator::new();
        let first = commit(&mut log, 10);
        let second = commit(&mut log, 20);
        let third = commit(&mut log, 20);
        let fourth = commit(&mut log, 30);
        let log = log.finish();
        for (target, lsn, last) in
            [(10, second, 10), (19, second, 10), (20, fourth, 20), (29, fourth, 20)]
        {
            let found = end(&log, StopAt::Time(at(target)));
            assert_eq!((found.lsn, found.is_stopped), (lsn, true), "{target}");
            assert_eq!(found.last_transaction_at, Some(at(last)), "{target}");
        }
        assert!(first < second && second < third);
        assert!(!end(&log, StopAt::Time(at(30))).is_stopped);
    }

    #[test]
    fn a_position_stops_behind_the_record_that_starts_there() {
        let mut log = Generator::new();
        let [first, second, third] = [100, 200, 300].map(|length| log.filler(length));
        let log = log.finish();
        for (target, lsn) in
            [(first.value(), second), (first.value() + 8, third), (second.value(), third)]
        {
            let found = end(&log, StopAt::Position(Lsn::new(target)));
            assert_eq!((found.lsn, found.is_stopped), (lsn, true), "{target:X}");
        }
        let found = end(&log, StopAt::Consistent(second));
        assert_eq!((found.lsn, found.is_stopped), (second, true));
    }

    #[test]
    fn a_name_stops_behind_its_first_restore_point() {
        let mut log = Generator::new();
        let point = |log: &mut Generator, name: &str| {
            let mut data = [0; 72];
            data[8..8 + name.len()].copy_from_slice(name.as_bytes());
            log.record(0, 0x70, &data)
        };
        point(&mut log, "other");
        point(&mut log, "before-migration");
        let after = log.filler(10);
        point(&mut log, "before-migration");
        let stop = StopAt::RestorePoint(b"before-migration"[..].into());
        assert_eq!(end(&log.finish(), stop).lsn, after);
    }

    #[test]
    fn what_lies_before_the_backup_is_not_replayed_and_damage_ends_it() {
        let mut log = Generator::new();
        commit(&mut log, 50);
        let begin = log.filler(10);
        let next = log.filler(10);
        let damaged = log.filler(100);
        let mut bytes = log.clone().finish();
        bytes[log.offset(damaged) + 60] ^= 1;
        let mut replay = Replay::new(begin, size(), StopAt::Time(at(1)));
        replay.feed(&bytes);
        let found = replay.end().unwrap();
        assert!(replay.is_over() && next < damaged);
        assert_eq!((found.lsn, found.last_transaction_at), (damaged, None));
        assert!(!found.is_stopped);
    }
}
