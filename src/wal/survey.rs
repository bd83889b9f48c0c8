//! Walks through segments and keeps what is worth knowing about them: how far the log reaches
//! and when its last transactions ended.

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;
use crate::wal::demands::Demands;
use crate::wal::page::SegmentHeader;
use crate::wal::page_rules::SegmentIdentity;
use crate::wal::reader::Ending;
use crate::wal::reader::RecordReader;
use crate::wal::reader::Step;
use crate::wal::transaction::TransactionEnd;

/// What one or several consecutive segments hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The first segment's header; `None` if it is damaged or missing.
    pub header: Option<SegmentHeader>,
    /// The timeline of the last page read.
    pub last_timeline: Option<TimelineId>,
    /// Complete records with the right checksum.
    pub records: u64,
    pub first_record: Option<FirstRecord>,
    /// Where the last complete record ends.
    pub valid_end: Option<Lsn>,
    /// Of the transactions whose end is completely here, the one with the latest time.
    pub newest_transaction_end: Option<TransactionEnd>,
    /// The same of those before each of the positions that were asked for.
    pub before: Vec<(Lsn, Option<TransactionEnd>)>,
    pub demands: Demands,
    pub ending: Ending,
}

/// The first record that starts here, and the one before it, which is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstRecord {
    pub start: Lsn,
    pub previous: Lsn,
}

/// Makes a [`Survey`] from bytes as they come in.
#[derive(Clone, Debug)]
pub struct Surveyor {
    reader: RecordReader,
    records: u64,
    first_record: Option<FirstRecord>,
    valid_end: Option<Lsn>,
    newest_transaction_end: Option<TransactionEnd>,
    before: Vec<(Lsn, Option<TransactionEnd>)>,
    demands: Demands,
}

impl Surveyor {
    pub fn new(identity: SegmentIdentity) -> Self {
        Self {
            reader: RecordReader::new(identity),
            records: 0,
            first_record: None,
            valid_end: None,
            newest_transaction_end: None,
            before: Vec::new(),
            demands: Demands::default(),
        }
    }

    /// Asks for the newest transaction before each of these positions as well.
    #[must_use]
    pub fn asked_before(mut self, positions: impl IntoIterator<Item = Lsn>) -> Self {
        self.before = positions.into_iter().map(|lsn| (lsn, None)).collect();
        self
    }

    /// Looks at nothing before this position in the first segment, where a record begins.
    #[must_use]
    pub fn beginning_at(self, position: Lsn) -> Self {
        Self { reader: self.reader.beginning_at(position), ..self }
    }

    /// Announces that the bytes to come are from a file of this timeline.
    pub fn follow(&mut self, timeline: TimelineId) {
        self.reader.follow(timeline);
    }

    /// Goes on with another segment, of which alone transactions and demands are told from now on.
    #[must_use]
    pub fn in_next_segment(self) -> Self {
        let (before, demands) = (Vec::new(), Demands::default());
        Self { newest_transaction_end: None, before, demands, ..self }
    }

    /// Takes the bytes that follow those fed before. After the end of the log it ignores them.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Ok(Step::Record(record)) = self.reader.step(&mut bytes) {
            self.records += 1;
            self.valid_end = Some(record.end);
            if self.first_record.is_none() {
                let previous = record.header.previous;
                self.first_record = Some(FirstRecord { start: record.start, previous });
            }
            self.demands.note(&record);
            if let Some(end) = TransactionEnd::of(&record) {
                keep_newest(&mut self.newest_transaction_end, end);
                let later = self.before.iter_mut().filter(|(lsn, _)| end.lsn < *lsn);
                later.for_each(|(_, newest)| keep_newest(newest, end));
            }
        }
    }

    /// What the bytes fed so far hold.
    pub fn survey(&self) -> Survey {
        Survey {
            header: self.reader.first_header().copied(),
            last_timeline: self.reader.timeline(),
            records: self.records,
            first_record: self.first_record,
            valid_end: self.valid_end,
            newest_transaction_end: self.newest_transaction_end,
            before: self.before.clone(),
            demands: self.demands.clone(),
            ending: self.reader.ending(),
        }
    }
}

fn keep_newest(newest: &mut Option<TransactionEnd>, end: TransactionEnd) {
    let newest = newest.get_or_insert(end);
    if newest.ended_at <= end.ended_at {
        *newest = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::generator::Generator;

    fn commit(log: &mut Generator, microseconds: i64) -> Lsn {
        log.record(1, 0, &microseconds.to_le_bytes())
    }

    fn survey(bytes: &[u8]) -> Survey {
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        surveyor.feed(bytes);
        surveyor.survey()
    }

    #[test]
    fn the_newest_end_is_the_one_with_the_latest_time() {
        let mut log = Generator::new();
        commit(&mut log, 1);
        let newest = commit(&mut log, 3);
        commit(&mut log, 2);
        let end = survey(&log.clone().finish()).newest_transaction_end;
        assert_eq!(end.map(|end| end.lsn), Some(newest));
        let as_new = commit(&mut log, 3);
        let end = survey(&log.finish()).newest_transaction_end;
        assert_eq!(end.map(|end| end.lsn), Some(as_new));
    }

    #[test]
    fn the_newest_before_a_position_is_told_for_each() {
        let mut log = Generator::new();
        let first = commit(&mut log, 1);
        let second = commit(&mut log, 3);
        let third = commit(&mut log, 2);
        let asked = [first, second, third, Lsn::new(u64::MAX)];
        let mut surveyor = Surveyor::new(SegmentIdentity::default()).asked_before(asked);
        surveyor.feed(&log.finish());
        let told = surveyor.survey().before;
        let told: Vec<Option<Lsn>> = told.iter().map(|(_, end)| Some((*end)?.lsn)).collect();
        assert_eq!(told, [None, Some(first), Some(second), Some(second)]);
    }

    #[test]
    fn a_commit_counts_once_it_is_complete() {
        const SEGMENT: usize = 1 << 20;
        let mut log = Generator::new();
        log.filler(SEGMENT - 127 * 24 - 40 - 29 - 32);
        let late = commit(&mut log, 5);
        assert_eq!(log.offset(late), SEGMENT - 32);
        let bytes = log.finish();
        let mut surveyor = Surveyor::new(SegmentIdentity::default());
        surveyor.feed(&bytes[..SEGMENT]);
        let first = surveyor.survey();
        assert_eq!(first.newest_transaction_end, None);
        assert_eq!(first.ending, Ending::InsideRecord(Some(late)));
        surveyor.feed(&bytes[SEGMENT..]);
        assert_eq!(surveyor.survey().newest_transaction_end.map(|end| end.lsn), Some(late));
        assert_eq!(survey(&bytes[SEGMENT..]).newest_transaction_end, None);
    }

    #[test]
    fn nothing_is_known_of_no_bytes() {
        let nothing = survey(&[]);
        assert_eq!((nothing.header, nothing.records), (None, 0));
        assert_eq!(nothing.ending, Ending::Short(Lsn::new(0)));
    }
}
