//! Memory for the pieces of one file, used again once nobody holds what was read into it before.
//!
//! Fresh memory of this size comes from the kernel, page by page, which takes longer than to read into it.

use std::collections::VecDeque;

use bytes::Buf;
use bytes::Bytes;

use crate::sources::limits::CHUNKS_WAITING_MAX;

/// One that is being read, those that wait for the decoder, and the one that it works on.
const PIECES_MAX: usize = CHUNKS_WAITING_MAX.saturating_add(2);

#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The oldest first.
    handed_out: VecDeque<Bytes>,
}

impl Pieces {
    /// An empty buffer with room for so many bytes.
    pub(super) fn room(&mut self, bytes: usize) -> Vec<u8> {
        if let Some(index) = self.handed_out.iter().rposition(Bytes::is_unique)
            && let Some(mut piece) = self.handed_out.remove(index)
        {
            // Nothing of it is to be moved to the front.
            piece.advance(piece.len());
            let mut room = Vec::from(piece);
            room.reserve(bytes);
            return room;
        }
        if PIECES_MAX <= self.handed_out.len() {
            self.handed_out.pop_front();
        }
        Vec::with_capacity(bytes)
    }

    pub(super) fn hand_out(&mut self, content: Vec<u8>) -> Bytes {
        let piece = Bytes::from(content);
        self.handed_out.push_back(piece.clone());
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pieces: &mut Pieces, byte: u8) -> Bytes {
        let mut room = pieces.room(1000);
        assert!(room.is_empty() && room.capacity() >= 1000);
        room.resize(1000, byte);
        pieces.hand_out(room)
    }

    #[test]
    fn what_nobody_holds_any_more_is_used_again() {
        let mut pieces = Pieces::default();
        let places: Vec<*const u8> = (0..10).map(|byte| next(&mut pieces, byte).as_ptr()).collect();
        assert_eq!(places, [places[0]; 10]);
    }

    #[test]
    fn what_somebody_holds_stays_as_it_is() {
        let mut pieces = Pieces::default();
        let held: Vec<Bytes> = (0..10).map(|byte| next(&mut pieces, byte)).collect();
        for (byte, piece) in (0..10).zip(&held) {
            assert_eq!(piece, &vec![byte; 1000]);
        }
    }
}
