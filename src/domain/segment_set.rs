//! Many segments of one timeline, kept as ranges.

use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;

/// A set of segments whose memory grows with its holes, not with its segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentSet {
    /// Invariant: in order, with at least one missing segment between neighbours.
    ranges: Vec<SegmentRange>,
}

impl SegmentSet {
    /// Adds a segment; cheapest in ascending order, which is how a listing arrives.
    pub fn insert(&mut self, number: SegmentNumber) {
        let at = self.ranges.partition_point(|range| range.last < number);
        let touches_previous = at
            .checked_sub(1)
            .and_then(|before| self.ranges.get(before))
            .is_some_and(|range| range.last.next() == number);
        let touches_next = self.ranges.get(at).is_some_and(|range| range.first <= number.next());
        match (touches_previous, touches_next) {
            (false, false) => self.ranges.insert(at, SegmentRange::only(number)),
            (true, false) => {
                if let Some(previous) = self.ranges.get_mut(at - 1) {
                    previous.last = number;
                }
            }
            (false, true) => {
                if let Some(next) = self.ranges.get_mut(at) {
                    next.first = next.first.min(number);
                }
            }
            (true, true) => {
                let next = self.ranges.remove(at);
                if let Some(previous) = self.ranges.get_mut(at - 1) {
                    previous.last = next.last;
                }
            }
        }
    }

    pub fn remove(&mut self, number: SegmentNumber) {
        let at = self.ranges.partition_point(|range| range.last < number);
        let Some(range) = self.ranges.get(at).copied().filter(|range| range.contains(number))
        else {
            return;
        };
        let before = number
            .previous()
            .filter(|_| range.first < number)
            .and_then(|last| SegmentRange::new(range.first, last));
        let after = SegmentRange::new(number.next(), range.last).filter(|_| number < range.last);
        self.ranges.splice(at..=at, before.into_iter().chain(after));
    }

    pub fn insert_range(&mut self, range: SegmentRange) {
        let touches = |other: &SegmentRange| {
            other.first <= range.last.next() && range.first <= other.last.next()
        };
        let start =
            self.ranges.partition_point(|other| !touches(other) && other.last < range.first);
        let end = start + self.ranges.iter().skip(start).take_while(|other| touches(other)).count();
        let first = self.ranges.get(start).map_or(range.first, |it| it.first.min(range.first));
        let joined = self.ranges.get(start..end).and_then(<[SegmentRange]>::last);
        let whole = match joined {
            Some(last) => SegmentRange { first, last: last.last.max(range.last) },
            None => range,
        };
        self.ranges.splice(start..end, [whole]);
    }

    pub fn remove_range(&mut self, range: SegmentRange) {
        let kept = self.ranges.iter().flat_map(|present| {
            let before = range
                .first
                .previous()
                .and_then(|last| SegmentRange::new(present.first, last.min(present.last)));
            let after = (range.last < present.last)
                .then(|| SegmentRange { first: range.last.next().max(present.first), ..*present });
            before.into_iter().chain(after)
        });
        self.ranges = kept.collect();
    }

    pub fn contains(&self, number: SegmentNumber) -> bool {
        self.range_at(number).is_some()
    }

    /// The range that holds a segment.
    pub fn range_at(&self, number: SegmentNumber) -> Option<SegmentRange> {
        let at = self.ranges.partition_point(|range| range.last < number);
        self.ranges.get(at).copied().filter(|range| range.contains(number))
    }

    /// What is missing between two segments, in order.
    pub fn gaps(&self, within: SegmentRange) -> Vec<SegmentRange> {
        let mut gaps = Vec::new();
        let mut next_expected = Some(within.first);
        for range in self.overlapping(within) {
            let Some(expected) = next_expected else { break };
            let before = range.first.previous().filter(|_| expected < range.first);
            gaps.extend(before.and_then(|last| SegmentRange::new(expected, last)));
            next_expected = (range.last < within.last).then(|| range.last.next());
        }
        gaps.extend(next_expected.and_then(|first| SegmentRange::new(first, within.last)));
        gaps
    }

    /// The first of [`Self::gaps`] begins here.
    pub fn first_missing(&self, within: SegmentRange) -> Option<SegmentNumber> {
        match self.range_at(within.first) {
            None => Some(within.first),
            Some(range) => (range.last < within.last).then(|| range.last.next()),
        }
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let kept = self.ranges.iter().flat_map(|range| other.gaps(*range));
        Self { ranges: kept.collect() }
    }

    /// The present ranges that share a segment with `within`, in order, uncut.
    pub fn overlapping(&self, within: SegmentRange) -> impl Iterator<Item = SegmentRange> + '_ {
        let start = self.ranges.partition_point(|range| range.last < within.first);
        self.ranges.iter().skip(start).take_while(move |range| range.first <= within.last).copied()
    }

    /// The highest present segment within a range.
    pub fn newest_within(&self, within: SegmentRange) -> Option<SegmentNumber> {
        let after = self.ranges.partition_point(|range| range.first <= within.last);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (within.first <= range.last).then(|| range.last.min(within.last))
    }

    pub fn ranges(&self) -> &[SegmentRange] {
        &self.ranges
    }

    pub fn first(&self) -> Option<SegmentNumber> {
        self.ranges.first().map(|range| range.first)
    }

    pub fn last(&self) -> Option<SegmentNumber> {
        self.ranges.last().map(|range| range.last)
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn count(&self) -> u64 {
        self.ranges.iter().map(SegmentRange::count).sum()
    }
}

impl FromIterator<SegmentNumber> for SegmentSet {
    fn from_iter<I: IntoIterator<Item = SegmentNumber>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn number(value: u64) -> SegmentNumber {
        SegmentNumber::new(value)
    }

    fn range(first: u64, last: u64) -> SegmentRange {
        SegmentRange::new(number(first), number(last)).unwrap()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(u64),
        InsertRange(u64, u64),
        RemoveRange(u64, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bounds =
            || (0_u64..64, 0_u64..8).prop_map(|(first, more)| (first, (first + more).min(63)));
        let step = prop_oneof![
            (0_u64..64).prop_map(Step::Insert),
            (0_u64..64).prop_map(Step::Remove),
            bounds().prop_map(|(first, last)| Step::InsertRange(first, last)),
            bounds().prop_map(|(first, last)| Step::RemoveRange(first, last)),
        ];
        proptest::collection::vec(step, 0..200)
    }

    fn play(steps: Vec<Step>) -> (SegmentSet, BTreeSet<u64>) {
        let (mut set, mut plain) = (SegmentSet::default(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Insert(value) => {
                    set.insert(number(value));
                    plain.insert(value);
                }
                Step::Remove(value) => {
                    set.remove(number(value));
                    plain.remove(&value);
                }
                Step::InsertRange(first, last) => {
                    set.insert_range(range(first, last));
                    plain.extend(first..=last);
                }
                Step::RemoveRange(first, last) => {
                    set.remove_range(range(first, last));
                    plain.retain(|value| !(first..=last).contains(value));
                }
            }
        }
        (set, plain)
    }

    #[test]
    fn a_gap_free_archive_is_one_range() {
        let set: SegmentSet = (0..1_000_000).map(number).collect();
        assert_eq!(set.ranges(), [range(0, 999_999)]);
    }

    #[test]
    fn the_ends_of_the_number_space_hold() {
        let set: SegmentSet = [0, u64::MAX].map(number).into_iter().collect();
        assert_eq!(set.gaps(range(0, u64::MAX)), [range(1, u64::MAX - 1)]);
    }

    proptest! {
        #[test]
        fn what_the_other_has_is_taken_away(steps in steps(), others in steps()) {
            let ((set, plain), (other, plain_other)) = (play(steps), play(others));
            let left: SegmentSet = plain.difference(&plain_other).copied().map(number).collect();
            prop_assert_eq!(set.without(&other), left);
        }

        #[test]
        fn the_set_agrees_with_a_plain_one(steps in steps()) {
            let (set, plain) = play(steps);
            for value in 0..64 {
                prop_assert_eq!(set.contains(number(value)), plain.contains(&value));
            }
            prop_assert_eq!(set.count(), u64::try_from(plain.len()).unwrap());
            prop_assert_eq!(set.first(), plain.first().copied().map(number));
            prop_assert_eq!(set.last(), plain.last().copied().map(number));
            let is_apart = |pair: &[SegmentRange]| pair[0].last.next() < pair[1].first;
            prop_assert!(set.ranges().windows(2).all(is_apart));
        }

        #[test]
        fn present_and_missing_make_the_whole(steps in steps(), first in 0_u64..64, count in 0_u64..64) {
            let (set, plain) = play(steps);
            let within = range(first, first + count);
            let gaps = set.gaps(within);
            prop_assert_eq!(set.first_missing(within), gaps.first().map(|gap| gap.first));
            for value in first..=first + count {
                let is_missing = gaps.iter().any(|gap| gap.contains(number(value)));
                prop_assert_eq!(is_missing, !plain.contains(&value));
            }
            let missing: u64 = gaps.iter().map(SegmentRange::count).sum();
            let newest = plain.range(first..=first + count).next_back().copied().map(number);
            prop_assert_eq!(set.newest_within(within), newest);
            let present = plain.range(first..=first + count).count();
            prop_assert_eq!(missing + u64::try_from(present).unwrap(), count + 1);
        }
    }
}
