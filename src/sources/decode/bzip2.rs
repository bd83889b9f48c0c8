//! The streams of a bzip2 file, one after another, as the reference decoder sees them.

use std::io;
use std::io::BufRead;
use std::io::Read;

use bzip2::bufread::BzDecoder;

/// To begin a stream takes this decoder a tenth of a millisecond, and one without content takes 14
/// bytes: a megabyte of them would keep a core busy for ten seconds. Nobody writes two in a row.
const EMPTY_STREAMS_MAX: u32 = 1_000;

/// The first byte of every stream. What begins like one and is none may be passed over or not, by where it lies.
const MAGIC: u8 = b'B';

pub(super) struct Streams<R> {
    /// `None` behind the last one.
    decoder: Option<BzDecoder<R>>,
    has_content: bool,
    empty: u32,
}

impl<R: BufRead> Streams<R> {
    pub(super) fn of(stored: R) -> Self {
        Self { decoder: Some(BzDecoder::new(stored)), has_content: false, empty: 0 }
    }
}

impl<R: BufRead> Read for Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.has_content = true;
                return Ok(count);
            }
            self.empty = self.empty.saturating_add(u32::from(!self.has_content));
            if EMPTY_STREAMS_MAX < self.empty {
                return Err(io::Error::other("too many bzip2 streams without content"));
            }
            self.has_content = false;
            // Python passes over what does not begin as a stream (`DecompressReader` in `_compression.py`).
            let has_next = decoder.get_mut().fill_buf()?.first() == Some(&MAGIC);
            let next = self.decoder.take().filter(|_| has_next);
            self.decoder = next.map(|ended| BzDecoder::new(ended.into_inner()));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0";

    #[test]
    fn a_file_of_streams_without_content_is_given_up() {
        let mut content = Vec::new();
        Streams::of(&EMPTY.repeat(1_000)[..]).read_to_end(&mut content).unwrap();
        assert_eq!(content, b"");
        let error = Streams::of(&EMPTY.repeat(1_001)[..]).read_to_end(&mut content).unwrap_err();
        assert_eq!(error.to_string(), "too many bzip2 streams without content");
    }
}
