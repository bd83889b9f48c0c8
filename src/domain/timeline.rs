//! Timelines and the history files that tie them together.

use std::fmt;

use crate::domain::lsn::Lsn;

/// PostgreSQL's `TimeLineID`, never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimelineId(u32);

/// The ancestors of one timeline, as its `.history` file lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineHistory {
    pub timeline: TimelineId,
    /// Invariant: oldest first, timelines strictly increasing and below `timeline`.
    ancestors: Vec<Ancestor>,
}

/// One line of a history file: the log follows `timeline` up to `switched_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    pub timeline: TimelineId,
    pub switched_at: Lsn,
}

/// Why PostgreSQL would refuse to start with this file (`readTimeLineHistory` in `timeline.c`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the history file of timeline {0} is empty")]
    NoAncestor(TimelineId),
    #[error("line {line} of the history file is {text:?}, expected a timeline and a switch point")]
    Syntax { line: usize, text: String },
    #[error("line {line} of the history file names timeline {timeline} out of order")]
    OutOfOrder { line: usize, timeline: TimelineId },
}

impl TimelineId {
    pub const FIRST: Self = Self(1);

    pub const fn new(id: u32) -> Option<Self> {
        if id == 0 { None } else { Some(Self(id)) }
    }

    pub const fn value(self) -> u32 {
        self.0
    }

    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TimelineHistory {
    /// A timeline without a file: what PostgreSQL assumes for timeline 1, and for a newer one
    /// whose file it cannot find.
    pub const fn without_ancestors(timeline: TimelineId) -> Self {
        Self { timeline, ancestors: Vec::new() }
    }

    /// Reads a `.history` file by the rules of `readTimeLineHistory`: comments and blank lines
    /// are skipped, what follows the switch point is a remark: bytes, since it may hold the name of a
    /// restore point as the client sent it.
    pub fn parse(timeline: TimelineId, bytes: &[u8]) -> Result<Self, HistoryError> {
        let mut ancestors: Vec<Ancestor> = Vec::new();
        for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let content = text.trim_ascii_start();
            if content.is_empty() || content.starts_with(b"#") {
                continue;
            }
            let ancestor = Ancestor::parse(content).ok_or_else(|| HistoryError::Syntax {
                line,
                text: String::from_utf8_lossy(text).trim_end().to_owned(),
            })?;
            let is_in_order = ancestors.last().is_none_or(|last| last.timeline < ancestor.timeline)
                && ancestor.timeline < timeline;
            if !is_in_order {
                return Err(HistoryError::OutOfOrder { line, timeline: ancestor.timeline });
            }
            ancestors.push(ancestor);
        }
        if ancestors.is_empty() {
            return Err(HistoryError::NoAncestor(timeline));
        }
        Ok(Self { timeline, ancestors })
    }

    /// Oldest first.
    pub fn ancestors(&self) -> &[Ancestor] {
        &self.ancestors
    }

    /// Where the log left `timeline`: `None` if it is not an ancestor.
    pub fn switched_at(&self, timeline: TimelineId) -> Option<Lsn> {
        let at = self.ancestors.binary_search_by_key(&timeline, |ancestor| ancestor.timeline);
        self.ancestors.get(at.ok()?).map(|ancestor| ancestor.switched_at)
    }

    /// Whether a position lies on the way to this timeline, on that part of it.
    pub fn has(&self, timeline: TimelineId, lsn: Lsn) -> bool {
        let at = self.ancestors.partition_point(|ancestor| ancestor.timeline < timeline);
        let begin = at.checked_sub(1).and_then(|at| self.ancestors.get(at));
        let is_begun = begin.is_none_or(|before| before.switched_at <= lsn);
        let end = self.switched_at(timeline);
        is_begun && (timeline == self.timeline || end.is_some_and(|end| lsn <= end))
    }

    /// Whether this history is that of the other one's timeline, and goes on from there.
    pub fn continues(&self, other: &Self) -> bool {
        let behind = self.ancestors.get(other.ancestors.len());
        behind.is_some_and(|it| it.timeline == other.timeline)
            && self.ancestors.starts_with(&other.ancestors)
    }

    /// The first ancestor of both that they left at different points, as each says it.
    pub fn disagreement(&self, other: &Self) -> Option<(Ancestor, Ancestor)> {
        let pairs = self.ancestors.iter().zip(&other.ancestors);
        // Mostly one history repeats the other, and goes on.
        let same = pairs.take_while(|(ours, theirs)| ours == theirs).count();
        self.ancestors.iter().skip(same).find_map(|&ours| {
            let switched_at = other.switched_at(ours.timeline)?;
            let theirs = Ancestor { switched_at, ..ours };
            (ours != theirs).then_some((ours, theirs))
        })
    }
}

impl Ancestor {
    fn parse(line: &[u8]) -> Option<Self> {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut words = words.map(|word| std::str::from_utf8(word).ok());
        let timeline = TimelineId::new(words.next()??.parse().ok()?)?;
        let switched_at = words.next()??.parse().ok()?;
        Some(Self { timeline, switched_at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(id: u32) -> TimelineId {
        TimelineId::new(id).unwrap()
    }

    fn parse(id: u32, text: &str) -> Result<TimelineHistory, HistoryError> {
        TimelineHistory::parse(timeline(id), text.as_bytes())
    }

    #[test]
    fn a_cumulative_history_lists_every_ancestor() {
        let text = "1\t0/100000A0\tno recovery target specified\n\n# a remark\n2\t0/12000000\tx\n";
        let history = parse(3, text).unwrap();
        assert_eq!(history.switched_at(timeline(1)), Some(Lsn::new(0x1000_00A0)));
        assert_eq!(history.switched_at(timeline(2)), Some(Lsn::new(0x1200_0000)));
        assert_eq!(history.switched_at(timeline(3)), None);
    }

    #[test]
    fn histories_that_left_an_ancestor_at_different_points_disagree() {
        let switches = |id, text| {
            let older = parse(3, "1\t0/10\tx\n2\t0/20\tx\n").unwrap();
            let found = parse(id, text).unwrap().disagreement(&older);
            found.map(|(ours, theirs)| (ours.switched_at, theirs.switched_at))
        };
        assert_eq!(switches(4, "1\t0/10\tx\n2\t0/20\tx\n3\t0/30\tx\n"), None);
        assert_eq!(switches(4, "2\t0/20\tx\n"), None);
        let other = Some((Lsn::new(0x21), Lsn::new(0x20)));
        assert_eq!(switches(4, "1\t0/10\tx\n2\t0/21\tx\n"), other);
        assert_eq!(switches(4, "2\t0/21\tx\n"), other);
    }

    #[test]
    fn a_history_continues_that_of_its_ancestors_only() {
        let first = TimelineHistory::without_ancestors(TimelineId::FIRST);
        let second = parse(2, "1\t0/10\tx\n").unwrap();
        let third = parse(3, "1\t0/10\tx\n2\t0/20\tx\n").unwrap();
        let other = parse(3, "1\t0/11\tx\n2\t0/20\tx\n").unwrap();
        let beside = parse(3, "1\t0/10\tx\n").unwrap();
        assert!(second.continues(&first) && third.continues(&first) && third.continues(&second));
        assert!(!other.continues(&second) && !beside.continues(&second));
        assert!(!second.continues(&third) && !third.continues(&third));
    }

    #[test]
    fn what_postgresql_refuses_is_refused() {
        assert_eq!(parse(2, "\n"), Err(HistoryError::NoAncestor(timeline(2))));
        for text in ["garbage", "1", "x\t0/1\ty", "1\t0-1\ty", "0\t0/1\ty"] {
            assert!(matches!(parse(2, text), Err(HistoryError::Syntax { line: 1, .. })), "{text}");
        }
        for text in ["2\t0/1\tx", "3\t0/1\tx", "1\t0/1\tx\n1\t0/2\tx"] {
            assert!(matches!(parse(2, text), Err(HistoryError::OutOfOrder { .. })), "{text}");
        }
    }

    #[test]
    fn the_remark_is_bytes_and_the_rest_is_not() {
        let latin1 = b"1\t0/1000000\tat restore point \"vor \xE4nderung\"\n";
        let parsed = TimelineHistory::parse(timeline(2), latin1).unwrap();
        assert_eq!(parsed.switched_at(timeline(1)), Some(Lsn::new(0x0100_0000)));
        let parsed = TimelineHistory::parse(timeline(2), &[0xFF, 0xFE, 0]);
        assert!(matches!(parsed, Err(HistoryError::Syntax { line: 1, .. })), "{parsed:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>, id in 1_u32..) {
            let _: Result<TimelineHistory, HistoryError> =
                TimelineHistory::parse(timeline(id), &bytes);
        }
    }
}
