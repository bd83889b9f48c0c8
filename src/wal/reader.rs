//! Steps through the records of consecutive segments, and trusts none of their bytes.
//!
//! Follows `XLogDecodeNextRecord` in `xlogreader.c`, but holds no page and no record: what comes
//! in pieces is summed piece by piece, and only its beginning is kept.

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineId;
use crate::wal::assembly::Assembly;
use crate::wal::assembly::Completed;
use crate::wal::checksum;
use crate::wal::damage::Damage;
use crate::wal::damage::RecordDamage;
use crate::wal::page::CONTINUES_RECORD;
use crate::wal::page::PAGE_BYTES;
use crate::wal::page::PageHeader;
use crate::wal::page::SHORT_HEADER_BYTES;
use crate::wal::page::SegmentHeader;
use crate::wal::page_rules::PageRules;
use crate::wal::page_rules::SegmentIdentity;
use crate::wal::record::Record;
use crate::wal::record::RecordHeader;
use crate::wal::record::check_overwritten;
use crate::wal::record::check_sum;

/// Reads one or several consecutive segments, fed from the first byte of the first one.
#[derive(Clone, Debug)]
pub struct RecordReader {
    rules: PageRules,
    state: State,
    /// The position of the next byte fed.
    at: u64,
    /// Bytes left in the current page; at 0 a page header is due.
    page_left: usize,
    /// The record before, which the next one must link to.
    previous: Option<Lsn>,
    /// A record that a crash cut off, until the record that replaces its rest.
    overwritten: Option<Lsn>,
    /// The page header, as far as it has come in.
    page_header: Vec<u8>,
    /// The record, if it comes in pieces.
    assembly: Assembly,
    /// Where the first record to be read begins, if not with the first page.
    begin: Option<Lsn>,
}

/// What feeding more bytes led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Record(Record<'a>),
    /// All bytes are used up; feed the next ones, if there are any.
    NeedMore,
    /// Zeros instead of a record or a page: nothing was written from here on. Final, like damage.
    End,
}

/// How the log ends if no more bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a record, at the end of a segment.
    Full,
    /// With a switch: the server left the rest of the segment unused.
    Switched,
    /// At the end of a segment, inside a record, which the next segment must continue or, after a
    /// crash, replace. `None` if not even its start was fed.
    InsideRecord(Option<Lsn>),
    /// With zeros, as a `.partial` segment may. A complete segment never does.
    Zeros { at: Lsn, is_inside_record: bool },
    /// Before the end of a segment: bytes are missing here.
    Short(Lsn),
    /// With something that is no log. A `.partial` segment may: behind its last record may stand
    /// what a recycled file held before.
    Damaged(Damage),
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No page was read yet.
    Start,
    BetweenRecords,
    /// The record is in the assembly.
    InRecord,
    /// Inside a record that started before the first byte fed; so many bytes are left.
    Continued(usize),
    /// Before the position where the first record begins.
    Before(u64),
    AfterSwitch,
    Ended(Ending),
    Damaged(Damage),
}

enum Progress<'i> {
    NeedMore,
    End,
    /// With the record's bytes, unless they were assembled.
    Record(Lsn, RecordHeader, Option<&'i [u8]>),
}

impl RecordReader {
    pub fn new(identity: SegmentIdentity) -> Self {
        Self {
            rules: PageRules::new(identity),
            state: State::Start,
            at: identity.start.map_or(0, Lsn::value),
            page_left: 0,
            previous: None,
            overwritten: None,
            page_header: Vec::with_capacity(SegmentHeader::BYTES),
            assembly: Assembly::new(),
            begin: None,
        }
    }

    /// Reads from a record in the first segment on. As PostgreSQL does, it looks at nothing before that but the
    /// headers of the first page and of the record's own (`ReadPageInternal` in `xlogreader.c`).
    #[must_use]
    pub fn beginning_at(self, position: Lsn) -> Self {
        Self { begin: Some(position), ..self }
    }

    /// Announces that the bytes to come are from a file of this timeline.
    pub fn follow(&mut self, timeline: TimelineId) {
        self.rules.identity.timeline = Some(timeline);
    }

    /// Takes bytes off the front of `input` up to the end of the next record. Call it with the
    /// same `input` until it needs more.
    pub fn step<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Step<'s>, Damage> {
        match self.advance(input) {
            Ok(Progress::NeedMore) => Ok(Step::NeedMore),
            Ok(Progress::End) => Ok(Step::End),
            Ok(Progress::Record(start, header, bytes)) => {
                let head = bytes.unwrap_or(self.assembly.head());
                let head = head.get(..Record::HEAD_BYTES_MAX).unwrap_or(head);
                let end = Lsn::new(self.at.wrapping_add(7) & !7);
                Ok(Step::Record(Record { start, end, header, head }))
            }
            Err(damage) => {
                self.state = State::Damaged(damage);
                Err(damage)
            }
        }
    }

    /// The first segment's header, once it has come in.
    pub fn first_header(&self) -> Option<&SegmentHeader> {
        self.rules.first.as_ref()
    }

    /// The timeline of the page read last.
    pub fn timeline(&self) -> Option<TimelineId> {
        self.rules.timeline
    }

    pub fn ending(&self) -> Ending {
        let is_at_boundary = self.left_in_segment() == Some(0);
        match self.state {
            State::Ended(ending) => ending,
            State::Damaged(damage) => Ending::Damaged(damage),
            State::Start | State::Before(_) => Ending::Short(Lsn::new(self.at)),
            _ if !is_at_boundary => Ending::Short(Lsn::new(self.at)),
            State::BetweenRecords => Ending::Full,
            State::AfterSwitch => Ending::Switched,
            State::InRecord => Ending::InsideRecord(Some(self.assembly.start)),
            State::Continued(_) => Ending::InsideRecord(None),
        }
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Progress<'i>, Damage> {
        loop {
            let progress = match self.state {
                State::Ended(_) => return Ok(Progress::End),
                State::Damaged(damage) => return Err(damage),
                State::AfterSwitch => self.skip_segment(input),
                State::Before(begin) => self.skip_to(begin, input)?,
                _ if self.page_left == 0 => self.read_page_header(input)?,
                State::Start | State::BetweenRecords => self.begin_record(input)?,
                State::InRecord => self.assemble_record(input)?,
                State::Continued(left) => self.skip_continued(left, input),
            };
            if let Some(progress) = progress {
                return Ok(progress);
            }
        }
    }

    fn read_page_header<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Progress<'i>>, Damage> {
        let is_segment_start = self.left_in_segment().is_none_or(|left| left == 0);
        let length = if is_segment_start { SegmentHeader::BYTES } else { SHORT_HEADER_BYTES };
        let missing = length.saturating_sub(self.page_header.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        self.page_header.extend_from_slice(taken);
        if taken.len() < missing {
            return Ok(Some(Progress::NeedMore));
        }
        let is_start = matches!(self.state, State::Start);
        if !is_start && self.page_header.iter().all(|byte| *byte == 0) {
            let is_inside_record = !matches!(self.state, State::BetweenRecords);
            let at = Lsn::new(self.at);
            self.state = State::Ended(Ending::Zeros { at, is_inside_record });
            return Ok(None);
        }
        let known = (!is_start).then_some(Lsn::new(self.at)).or(self.rules.identity.start);
        let page = self
            .rules
            .check(&self.page_header, known)
            .map_err(|kind| Damage { at: Lsn::new(self.at), kind: kind.into() })?;
        self.page_header.clear();
        self.at = page.address.value();
        self.enter_page(page)?;
        self.at = self.at.wrapping_add(length as u64);
        self.page_left = PAGE_BYTES - length;
        Ok(None)
    }

    /// Decides what the page begins with: a record, or the rest of one.
    fn enter_page(&mut self, page: PageHeader) -> Result<(), Damage> {
        if let (State::Start, Some(begin)) = (self.state, self.begin.take()) {
            self.state = State::Before(begin.value());
            return Ok(());
        }
        let continues = page.has(CONTINUES_RECORD);
        let overwrites =
            self.rules.first.is_some_and(|first| page.has(first.version.overwrite_flag));
        let remaining = usize::try_from(page.remaining).unwrap_or(usize::MAX);
        match self.state {
            State::Start if continues && remaining > 0 => self.state = State::Continued(remaining),
            State::Start | State::BetweenRecords if continues => {
                return Err(damage(Lsn::new(self.at), RecordDamage::ContinuedAfterEnd));
            }
            State::Start | State::BetweenRecords => self.state = State::BetweenRecords,
            State::InRecord if overwrites => {
                self.overwritten = Some(self.assembly.start);
                self.state = State::BetweenRecords;
            }
            State::Continued(_) if overwrites => self.state = State::BetweenRecords,
            State::InRecord => page
                .check_continued(self.assembly.missing())
                .map_err(|kind| damage(self.assembly.start, kind))?,
            State::Continued(left) => {
                page.check_continued(left).map_err(|kind| damage(Lsn::new(self.at), kind))?;
            }
            State::Before(_) | State::AfterSwitch | State::Ended(_) | State::Damaged(_) => {}
        }
        Ok(())
    }

    /// Takes a record that lies in one page and one chunk as a whole; starts to assemble others.
    #[inline]
    fn begin_record<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Progress<'i>>, Damage> {
        // Records start at multiples of 8 (`MAXALIGN`), and so does every page.
        let padding = self.page_left % 8;
        if padding > 0 {
            let is_complete = self.take(input, padding).len() == padding;
            return Ok((!is_complete).then_some(Progress::NeedMore));
        }
        let start = Lsn::new(self.at);
        let whole = RecordHeader::parse(input).and_then(|header| {
            let length = usize::try_from(header.length).ok().filter(|it| *it <= self.page_left)?;
            Some((header, length, input.get(RecordHeader::BYTES..length)?))
        });
        let Some((header, length, body)) = whole else {
            self.assembly.begin(start);
            self.state = State::InRecord;
            return Ok(None);
        };
        self.check_link(start, &header)?;
        check_sum(input, header.checksum, checksum::append(0, body))
            .map_err(|kind| damage(start, kind))?;
        let bytes = self.take(input, length);
        if let Some(expected) = self.overwritten.take() {
            check_overwritten(&header, bytes, expected).map_err(|kind| damage(start, kind))?;
        }
        self.finish_record(start, &header);
        Ok(Some(Progress::Record(start, header, Some(bytes))))
    }

    fn assemble_record<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Progress<'i>>, Damage> {
        let start = self.assembly.start;
        let piece = self.take(input, self.assembly.wanted());
        if piece.is_empty() {
            return Ok(Some(Progress::NeedMore));
        }
        match self.assembly.push(piece).map_err(|kind| damage(start, kind))? {
            Completed::Nothing => Ok(None),
            Completed::Zeros => {
                let zeros = Ending::Zeros { at: start, is_inside_record: false };
                self.state = State::Ended(zeros);
                Ok(None)
            }
            Completed::Header(header) => {
                self.check_link(start, &header)?;
                Ok(None)
            }
            Completed::Record(header) => {
                self.check_link(start, &header)?;
                self.assembly.check_sum(&header).map_err(|kind| damage(start, kind))?;
                if let Some(expected) = self.overwritten.take() {
                    check_overwritten(&header, self.assembly.head(), expected)
                        .map_err(|kind| damage(start, kind))?;
                }
                self.finish_record(start, &header);
                Ok(Some(Progress::Record(start, header, None)))
            }
        }
    }

    #[inline]
    fn check_link(&self, start: Lsn, header: &RecordHeader) -> Result<(), Damage> {
        let found = header.previous;
        match self.previous {
            Some(expected) if found != expected => {
                Err(damage(start, RecordDamage::Link { found, expected }))
            }
            None if found >= start => Err(damage(start, RecordDamage::LinkForwards(found))),
            Some(_) | None => Ok(()),
        }
    }

    #[inline]
    fn finish_record(&mut self, start: Lsn, header: &RecordHeader) {
        self.previous = Some(start);
        self.state = if header.is_switch() { State::AfterSwitch } else { State::BetweenRecords };
    }

    fn skip_continued<'i>(&mut self, left: usize, input: &mut &'i [u8]) -> Option<Progress<'i>> {
        let skipped = self.take(input, left).len();
        self.state =
            if skipped == left { State::BetweenRecords } else { State::Continued(left - skipped) };
        (skipped == 0).then_some(Progress::NeedMore)
    }

    fn skip_to<'i>(
        &mut self,
        begin: u64,
        input: &mut &'i [u8],
    ) -> Result<Option<Progress<'i>>, Damage> {
        let page = begin - begin % PAGE_BYTES as u64;
        if self.at < page {
            let missing = usize::try_from(page - self.at).unwrap_or(usize::MAX);
            let (skipped, rest) = input.split_at(missing.min(input.len()));
            *input = rest;
            self.at += skipped.len() as u64;
            self.page_left = 0;
            return Ok(skipped.is_empty().then_some(Progress::NeedMore));
        }
        if self.page_left == 0 && self.at == page {
            return self.read_page_header(input);
        }
        let missing = usize::try_from(begin.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let skipped = self.take(input, missing).len();
        if skipped == missing {
            self.state = State::BetweenRecords;
            return Ok(None);
        }
        Ok((skipped == 0).then_some(Progress::NeedMore))
    }

    /// Skips what a switch left unused. It is zero, page headers included (`CopyXLogRecordToWAL`
    /// in `xlog.c`), and PostgreSQL does not look at it either.
    fn skip_segment<'i>(&mut self, input: &mut &'i [u8]) -> Option<Progress<'i>> {
        if input.is_empty() {
            return Some(Progress::NeedMore);
        }
        let left = self.left_in_segment().unwrap_or_default();
        if left == 0 {
            self.state = State::BetweenRecords;
        }
        self.page_left = usize::try_from(left).unwrap_or(usize::MAX);
        self.take(input, self.page_left);
        None
    }

    /// Takes at most `wanted` bytes off the front of `input`, none of them of the next page.
    #[inline]
    fn take<'i>(&mut self, input: &mut &'i [u8], wanted: usize) -> &'i [u8] {
        let (taken, rest) = input.split_at(wanted.min(self.page_left).min(input.len()));
        *input = rest;
        self.at = self.at.wrapping_add(taken.len() as u64);
        self.page_left -= taken.len();
        taken
    }

    fn left_in_segment(&self) -> Option<u64> {
        Some(self.rules.first?.left_in_segment(Lsn::new(self.at)))
    }
}

fn damage(at: Lsn, kind: RecordDamage) -> Damage {
    Damage { at, kind: kind.into() }
}

#[cfg(test)]
mod tests;
