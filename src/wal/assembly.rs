//! Puts a record together that comes in pieces, without keeping more than its beginning.

use crate::domain::lsn::Lsn;
use crate::wal::checksum;
use crate::wal::damage::RecordDamage;
use crate::wal::fields::LittleEndian;
use crate::wal::record::Record;
use crate::wal::record::RecordHeader;
use crate::wal::record::check_length;
use crate::wal::record::check_sum;

/// A record of which some bytes have come in: its length first, then the rest of its header,
/// then its body.
#[derive(Clone, Debug)]
pub(super) struct Assembly {
    pub(super) start: Lsn,
    /// 0 until known.
    length: usize,
    received: usize,
    body_sum: u32,
    /// Invariant: the first bytes received, at most [`Record::HEAD_BYTES_MAX`].
    head: Vec<u8>,
}

/// What a piece completed.
pub(super) enum Completed {
    Nothing,
    /// The length, which is zero: there is no record.
    Zeros,
    Header(RecordHeader),
    /// All of it; its checksum was not compared yet.
    Record(RecordHeader),
}

/// `xl_tot_len`, which never crosses a page because records are aligned.
const LENGTH_BYTES: usize = size_of::<u32>();

impl Assembly {
    pub(super) fn new() -> Self {
        let head = Vec::with_capacity(Record::HEAD_BYTES_MAX);
        Self { start: Lsn::new(0), length: 0, received: 0, body_sum: 0, head }
    }

    pub(super) fn begin(&mut self, start: Lsn) {
        (self.start, self.length, self.received, self.body_sum) = (start, 0, 0, 0);
        self.head.clear();
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// How many bytes the next piece may have: up to the end of the length, the header, the body.
    pub(super) fn wanted(&self) -> usize {
        match self.received {
            ..LENGTH_BYTES => LENGTH_BYTES - self.received,
            LENGTH_BYTES..RecordHeader::BYTES => RecordHeader::BYTES - self.received,
            RecordHeader::BYTES.. => self.missing(),
        }
    }

    /// How many bytes of the record have not come in, once its length is known.
    pub(super) fn missing(&self) -> usize {
        self.length.saturating_sub(self.received)
    }

    /// Takes the next piece, of at most as many bytes as are [`wanted`](Self::wanted).
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Completed, RecordDamage> {
        let room = Record::HEAD_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend_from_slice(piece.get(..room).unwrap_or(piece));
        if self.received >= RecordHeader::BYTES {
            self.body_sum = checksum::append(self.body_sum, piece);
        }
        self.received += piece.len();
        if self.received == LENGTH_BYTES {
            return self.complete_length();
        }
        let Some(header) = RecordHeader::parse(&self.head) else { return Ok(Completed::Nothing) };
        if self.missing() == 0 {
            return Ok(Completed::Record(header));
        }
        let is_header = self.received == RecordHeader::BYTES;
        Ok(if is_header { Completed::Header(header) } else { Completed::Nothing })
    }

    /// Compares the checksum of a complete record.
    pub(super) fn check_sum(&self, header: &RecordHeader) -> Result<(), RecordDamage> {
        check_sum(&self.head, header.checksum, self.body_sum)
    }

    fn complete_length(&mut self) -> Result<Completed, RecordDamage> {
        let length = LittleEndian(&self.head).u32().unwrap_or_default();
        if length == 0 {
            return Ok(Completed::Zeros);
        }
        check_length(length)?;
        self.length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Completed::Nothing)
    }
}
