//! The chunks of a snappy stream, as far as they are whole: python-snappy keeps the beginning of another one for
//! later, and says nothing where later never comes (`StreamDecompressor` in `snappy.py`).

use std::io;
use std::io::BufRead;
use std::io::Read;

const HEADER_BYTES: u64 = 4;

pub(super) struct Chunks<R> {
    stored: R,
    /// With its header; its length is a number of three bytes.
    chunk: Vec<u8>,
    taken: usize,
    is_cut: bool,
}

impl<R: BufRead> Chunks<R> {
    pub(super) const fn of(stored: R) -> Self {
        Self { stored, chunk: Vec::new(), taken: 0, is_cut: false }
    }

    /// Whether the stream ends inside of a chunk.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Tells whether there is another one.
    fn next(&mut self) -> io::Result<bool> {
        self.chunk.clear();
        self.taken = 0;
        let stored = &mut self.stored;
        stored.take(HEADER_BYTES).read_to_end(&mut self.chunk)?;
        if self.chunk.is_empty() {
            return Ok(false);
        }
        let is_whole = match *self.chunk.as_slice() {
            [_, low, middle, high] => {
                let length = u64::from(u32::from_le_bytes([low, middle, high, 0]));
                let found = stored.take(length).read_to_end(&mut self.chunk)?;
                u64::try_from(found) == Ok(length)
            }
            _ => false,
        };
        self.is_cut = !is_whole;
        Ok(is_whole)
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_used_up = self.chunk.len() == self.taken;
        if self.is_cut || is_used_up && !self.next()? {
            return Ok(0);
        }
        let mut left = self.chunk.get(self.taken..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.taken = self.taken.saturating_add(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_chunks_are_shown() {
        let bytes = b"\xff\x02\0\0ab\0\x03\0\0cde";
        for (end, shown, is_cut) in [(13, 13, false), (12, 6, true), (8, 6, true), (6, 6, false)] {
            let mut chunks = Chunks::of(&bytes[..end]);
            let mut found = Vec::new();
            chunks.read_to_end(&mut found).unwrap();
            assert_eq!((found.as_slice(), chunks.is_cut()), (&bytes[..shown], is_cut), "{end}");
        }
    }
}
