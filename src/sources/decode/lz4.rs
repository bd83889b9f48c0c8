//! The frames of an lz4 file, one after another.

use std::io;
use std::io::BufRead;
use std::io::Read;

use lz4_flex::frame::FrameDecoder;

use crate::sources::decode::trailing::Trailing;

/// The first byte of every frame; that of one to be skipped has a range.
const MAGIC: u8 = 0x04;

pub(super) struct Frames<R: BufRead>(FrameDecoder<Input<R>>);

/// The decoder takes an end of input between two blocks for the end of the frame, so it gets an
/// error that it knows nothing about.
struct Input<R>(R);

impl<R: BufRead> Frames<R> {
    pub(super) fn of(stored: R) -> Self {
        Self(FrameDecoder::new(Input(stored)))
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                // The decoder ends with every frame, and begins the next one if it is asked again.
                Ok(0) if !buffer.is_empty() => match self.0.get_mut().0.fill_buf()?.first() {
                    None => return Ok(0),
                    Some(&MAGIC | 0x50..=0x5f) => {}
                    Some(_) => return Err(io::Error::other(Trailing)),
                },
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                other => return other,
            }
        }
    }
}

impl<R: BufRead> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.fill_buf()?.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.read(buffer)
    }
}
