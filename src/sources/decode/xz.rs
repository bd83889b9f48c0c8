//! The streams of an xz file, one after another.

use std::io;
use std::io::BufRead;
use std::io::Read;

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use crate::sources::decode::trailing::Trailing;
use crate::sources::limits::XZ_MEMORY_BYTES_MAX;

/// The first byte of every stream.
const MAGIC: u8 = 0xfd;

/// Of a file of lzip, which newer versions of liblzma tell by it (`auto_decode` in `auto_decoder.c`).
const LZIP: u8 = b'L';

pub(super) struct Streams<R> {
    stored: Option<R>,
    decoder: Option<XzDecoder<R>>,
}

impl<R: BufRead> Streams<R> {
    pub(super) const fn of(stored: R) -> Self {
        Self { stored: Some(stored), decoder: None }
    }
}

impl<R: BufRead> Read for Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(stored) = self.stored.take() {
                let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, 0)?;
                self.decoder = Some(XzDecoder::new_stream(stored, stream));
            }
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let next = decoder.get_mut().fill_buf()?.first().copied();
            let ended = self.decoder.take();
            match next {
                Some(MAGIC) => self.stored = ended.map(XzDecoder::into_inner),
                Some(other) if may_begin(other) => return Err(io::Error::other(Trailing)),
                // Python passes over what its decoder refuses at once (`DecompressReader` in `_compression.py`).
                Some(_) | None => {}
            }
        }
    }
}

/// Whether Python takes this for the beginning of a file in another format, and fails on what follows: of the old
/// one the first byte holds three numbers (`lzma_lzma_lclppb_decode` in `lzma_decoder.c`).
const fn may_begin(byte: u8) -> bool {
    const BYTE_MAX: u8 = (4 * 5 + 4) * 9 + 8;
    const BITS_MAX: u8 = 4;
    let (literal_context, literal_position) = (byte % 9, byte / 9 % 5);
    byte == LZIP || byte <= BYTE_MAX && literal_context.saturating_add(literal_position) <= BITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_begin_a_file_of_the_old_format_is_told_by_its_first_byte() {
        // The usual one, for 3, 0 and 2 bits.
        assert!(may_begin(0x5d) && may_begin(0) && may_begin(b'L'));
        assert!(
            !may_begin(b'x')
                && !may_begin(b'<')
                && !may_begin(b'B')
                && !may_begin(0xff)
                && !may_begin(225)
        );
    }
}
