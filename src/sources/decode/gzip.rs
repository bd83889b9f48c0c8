//! The members of a gzip file, one after another.

use std::io;
use std::io::BufRead;
use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::sources::decode::trailing::Trailing;

/// The first byte of every member.
const MAGIC: u8 = 0x1f;

/// Zeros between the members and after them are padding (`_GzipReader` in Python's `gzip.py`).
pub(super) struct Members<R> {
    /// `None` behind the last one.
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn of(stored: R) -> Self {
        Self { decoder: Some(GzDecoder::new(stored)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let has_next = skip_zeros(decoder.get_mut())?;
            let next = self.decoder.take().filter(|_| has_next);
            self.decoder = next.map(|ended| GzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

/// Tells whether another member follows them.
fn skip_zeros(stored: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = stored.fill_buf()?;
        let zeros = bytes.iter().take_while(|it| **it == 0).count();
        let next = bytes.get(zeros).copied();
        let is_over = bytes.is_empty();
        stored.consume(zeros);
        match next {
            Some(MAGIC) => return Ok(true),
            Some(_) => return Err(io::Error::other(Trailing)),
            None if is_over => return Ok(false),
            None => {}
        }
    }
}
