//! Upload times of a few segments, in as little memory as they need.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::segment::SegmentNumber;

/// A small map that mostly grows at its end: a listing shows segments in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EdgeUploads {
    /// Invariant: in ascending order of segments, each once.
    entries: Vec<(SegmentNumber, DateTime<Utc>)>,
}

impl EdgeUploads {
    pub(super) fn get(&self, number: SegmentNumber) -> Option<DateTime<Utc>> {
        let at = self.position(number).ok()?;
        self.entries.get(at).map(|(_, uploaded_at)| *uploaded_at)
    }

    pub(super) fn insert(&mut self, number: SegmentNumber, uploaded_at: DateTime<Utc>) {
        match self.position(number) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = uploaded_at;
                }
            }
            Err(at) => self.entries.insert(at, (number, uploaded_at)),
        }
    }

    pub(super) fn remove(&mut self, number: SegmentNumber) {
        if let Ok(at) = self.position(number) {
            self.entries.remove(at);
        }
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(SegmentNumber) -> bool) {
        self.entries.retain(|(number, _)| is_kept(*number));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SegmentNumber, DateTime<Utc>)> {
        self.entries.iter().copied()
    }

    /// Where a segment is, or where it belongs.
    fn position(&self, number: SegmentNumber) -> Result<usize, usize> {
        if self.entries.last().is_none_or(|(last, _)| *last < number) {
            return Err(self.entries.len());
        }
        self.entries.binary_search_by_key(&number, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_map(steps in proptest::collection::vec((0_u64..32, 0_i64..3), 0..100)) {
            let (mut uploads, mut plain) = (EdgeUploads::default(), BTreeMap::new());
            for (number, seconds) in steps {
                let number = SegmentNumber::new(number);
                if seconds == 0 {
                    uploads.remove(number);
                    plain.remove(&number);
                } else {
                    let uploaded_at = DateTime::from_timestamp(seconds, 0).unwrap();
                    uploads.insert(number, uploaded_at);
                    plain.insert(number, uploaded_at);
                }
                prop_assert_eq!(uploads.get(number), plain.get(&number).copied());
            }
            prop_assert!(uploads.iter().eq(plain));
        }
    }
}
