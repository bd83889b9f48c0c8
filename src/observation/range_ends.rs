//! When transactions ended at the ends of ranges of segments that were read: a window ends there.
//!
//! A commit time of each segment would be too much to keep of an archive with a million of them.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::segment_set::SegmentSet;

/// Segments that follow each other, all of one server, and in none but the first a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeEnd {
    pub first: SegmentNumber,
    /// In the first segment; `None` if there is none either.
    pub newest_commit_at: Option<DateTime<Utc>>,
    pub system_identifier: u64,
}

/// Those of one timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeEnds {
    /// By the last segment of each.
    by_last: BTreeMap<SegmentNumber, RangeEnd>,
}

impl RangeEnds {
    /// Takes over what these segments show, up to the last of them.
    pub fn note(&mut self, mut end: RangeEnd, last: SegmentNumber) {
        self.forget(SegmentRange { first: end.first, last });
        let before = end.first.previous().and_then(|it| Some((it, *self.by_last.get(&it)?)));
        if let Some((number, before)) = before
            && before.system_identifier == end.system_identifier
        {
            self.by_last.remove(&number);
            if end.newest_commit_at.is_none() {
                end = before;
            }
        }
        let goes_on = |it: &RangeEnd| {
            it.first == last.next()
                && it.newest_commit_at.is_none()
                && it.system_identifier == end.system_identifier
        };
        match self.by_last.range_mut(last..).next() {
            Some((_, next)) if goes_on(next) => *next = end,
            _ => drop(self.by_last.insert(last, end)),
        }
    }

    /// Keeps those that end where a range of these segments does, or where another server's begin.
    pub fn keep_ends_of(&mut self, whole: &SegmentSet) {
        // What is behind the newest commit of a server alone is told of it, so the next one may begin later.
        let systems = self.by_last.values().map(|end| end.system_identifier);
        let next: BTreeMap<SegmentNumber, (SegmentNumber, u64)> = self
            .by_last
            .keys()
            .zip(self.by_last.keys().zip(systems).skip(1))
            .map(|(last, (next, system))| (*last, (*next, system)))
            .collect();
        self.by_last.retain(|last, end| {
            let range = whole.range_at(*last).filter(|range| range.first <= end.first);
            range.is_some_and(|range| {
                let is_other = |(next, system): &(SegmentNumber, u64)| {
                    *next <= range.last && *system != end.system_identifier
                };
                range.last == *last || next.get(last).is_some_and(is_other)
            })
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = (SegmentRange, RangeEnd)> {
        self.by_last
            .iter()
            .map(|(last, end)| (SegmentRange { first: end.first, last: *last }, *end))
    }

    /// What was known of any of these segments holds no more.
    fn forget(&mut self, segments: SegmentRange) {
        while let Some((&last, end)) = self.by_last.range(segments.first..).next()
            && end.first <= segments.last
        {
            self.by_last.remove(&last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn number(value: u64) -> SegmentNumber {
        SegmentNumber::new(value)
    }

    fn at(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(seconds, 0)
    }

    /// Notes these segments in this order; those of a negative second without a commit.
    fn noted(segments: &[(u64, i64)]) -> RangeEnds {
        let mut ends = RangeEnds::default();
        for &(value, seconds) in segments {
            let newest_commit_at = at(seconds).filter(|_| 0 <= seconds);
            let end = RangeEnd { first: number(value), newest_commit_at, system_identifier: 7 };
            ends.note(end, number(value));
        }
        ends
    }

    fn told(ends: &RangeEnds) -> Vec<(u64, u64, Option<i64>)> {
        let seconds = |end: RangeEnd| end.newest_commit_at.map(|it| it.timestamp());
        ends.iter().map(|(it, end)| (it.first.value(), it.last.value(), seconds(end))).collect()
    }

    #[test]
    fn the_newest_commit_of_a_range_is_kept_in_whatever_order_it_is_read() {
        let segments = [(1, 10), (2, -1), (3, 30), (4, -1), (5, -1)];
        let mut orders = vec![segments, segments];
        orders[1].reverse();
        orders.push([(3, 30), (5, -1), (1, 10), (4, -1), (2, -1)]);
        for order in orders {
            let mut ends = noted(&order);
            let mut whole = SegmentSet::default();
            whole.insert_range(SegmentRange { first: number(1), last: number(5) });
            ends.keep_ends_of(&whole);
            assert_eq!(told(&ends), [(3, 5, Some(30))], "{order:?}");
        }
    }

    #[test]
    fn quiet_segments_say_that_there_is_no_commit() {
        assert_eq!(told(&noted(&[(2, -1), (1, -1)])), [(1, 2, None)]);
    }

    #[test]
    fn what_is_read_again_is_known_anew() {
        let mut ends = noted(&[(1, 10), (2, -1), (3, -1)]);
        let end = RangeEnd { first: number(2), newest_commit_at: at(20), system_identifier: 7 };
        ends.note(end, number(2));
        assert_eq!(told(&ends), [(2, 2, Some(20))]);
    }

    #[test]
    fn what_is_not_whole_any_more_is_not_told() {
        let mut ends = noted(&[(1, 10), (2, -1), (3, -1)]);
        let mut whole = SegmentSet::default();
        whole.insert_range(SegmentRange { first: number(2), last: number(3) });
        ends.keep_ends_of(&whole);
        assert_eq!(told(&ends), []);
    }

    #[test]
    fn another_server_begins_anew() {
        let mut ends = noted(&[(1, 10), (2, -1)]);
        let other = RangeEnd { first: number(3), newest_commit_at: None, system_identifier: 8 };
        ends.note(other, number(3));
        let mut whole = SegmentSet::default();
        whole.insert_range(SegmentRange { first: number(1), last: number(3) });
        ends.keep_ends_of(&whole);
        assert_eq!(told(&ends), [(1, 2, Some(10)), (3, 3, None)]);
    }

    #[test]
    fn a_segment_of_another_server_among_ours_is_not_forgotten() {
        let mut ends = noted(&[(1, 10), (2, -1)]);
        let other = RangeEnd { first: number(3), newest_commit_at: None, system_identifier: 8 };
        ends.note(other, number(3));
        let mut whole = SegmentSet::default();
        whole.insert_range(SegmentRange { first: number(1), last: number(3) });
        for (value, seconds) in [(4, 20), (5, 30), (6, -1)] {
            let newest_commit_at = at(seconds).filter(|_| 0 <= seconds);
            let end = RangeEnd { first: number(value), newest_commit_at, system_identifier: 7 };
            ends.note(end, number(value));
            whole.insert(number(value));
            ends.keep_ends_of(&whole);
        }
        assert_eq!(told(&ends), [(1, 2, Some(10)), (3, 3, None), (5, 6, Some(30))]);
    }
}
