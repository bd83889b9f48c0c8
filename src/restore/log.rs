//! What the server's log tells of a recovery. It is asked for in English.

use crate::domain::timeline::TimelineId;

/// Cuts what a server writes into lines.
#[derive(Debug, Default)]
pub struct Lines {
    /// Of the line that has not ended. Bytes: names in it are in the encoding of their database.
    begun: Vec<u8>,
}

/// A longer line of the log is none of those that are looked for; the statement of a client may fill a
/// gigabyte.
const LINE_BYTES_MAX: usize = 4 << 10;

impl Lines {
    /// Takes up to the end of a line from the piece, and returns the line if it has ended.
    pub fn step(&mut self, piece: &mut &[u8]) -> Option<String> {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (line, rest) = piece.split_at(end.unwrap_or(piece.len()));
        let room = LINE_BYTES_MAX.saturating_sub(self.begun.len()).min(line.len());
        self.begun.extend_from_slice(line.get(..room).unwrap_or_default());
        *piece = rest.get(1..).unwrap_or_default();
        end.map(|_| self.take())
    }

    /// What was written after the last end of a line.
    pub fn rest(&mut self) -> Option<String> {
        (!self.begun.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.begun).into_owned();
        self.begun.clear();
        line
    }
}

/// A line that says how far recovery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first record is about to be replayed.
    RedoStarts,
    Consistent,
    /// The last record was replayed.
    RedoDone,
    NoRedo,
    /// As the server prints it.
    LastTransactionAt(String),
    NewTimeline(TimelineId),
    /// It takes connections.
    Ready,
    /// It waits for somebody to raise a parameter, or to go on.
    Paused(String),
    /// It gives up.
    Fatal(String),
    Other,
}

impl Line {
    pub fn parse(line: &str) -> Self {
        for severity in ["FATAL:  ", "PANIC:  "] {
            if let Some((_, text)) = line.split_once(severity) {
                return Self::Fatal(text.trim().to_owned());
            }
        }
        let text = ["LOG:  ", "WARNING:  "].iter().find_map(|it| line.split_once(it));
        let Some((_, text)) = text else { return Self::Other };
        let text = text.trim();
        if text.starts_with("redo starts at") {
            Self::RedoStarts
        } else if text.starts_with("consistent recovery state reached") {
            Self::Consistent
        } else if text.starts_with("redo done at") {
            Self::RedoDone
        } else if text == "redo is not required" {
            Self::NoRedo
        } else if let Some(time) = text.strip_prefix("last completed transaction was at log time ")
        {
            Self::LastTransactionAt(time.to_owned())
        } else if let Some(id) = text.strip_prefix("selected new timeline ID: ") {
            id.parse().ok().and_then(TimelineId::new).map_or(Self::Other, Self::NewTimeline)
        } else if text == "database system is ready to accept connections" {
            Self::Ready
        } else if text.starts_with("recovery has paused") || text.starts_with("pausing at the end")
        {
            Self::Paused(text.to_owned())
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let parse = |text: &str| Line::parse(&format!("2026-11-30 10:00:00.123 UTC [42] {text}"));
        assert_eq!(parse("LOG:  redo starts at 0/2000028"), Line::RedoStarts);
        assert_eq!(parse("LOG:  consistent recovery state reached at 0/2000138"), Line::Consistent);
        assert_eq!(
            parse("LOG:  redo done at 0/6000060 system usage: CPU: user: 0.00 s"),
            Line::RedoDone
        );
        assert_eq!(
            parse("LOG:  last completed transaction was at log time 2026-11-30 10:00:00.5+00"),
            Line::LastTransactionAt("2026-11-30 10:00:00.5+00".to_owned())
        );
        let second = TimelineId::new(2).unwrap();
        assert_eq!(parse("LOG:  selected new timeline ID: 2"), Line::NewTimeline(second));
        assert_eq!(parse("LOG:  database system is ready to accept connections"), Line::Ready);
        assert_eq!(
            parse("FATAL:  recovery ended before configured recovery target was reached"),
            Line::Fatal("recovery ended before configured recovery target was reached".to_owned())
        );
        assert!(matches!(parse("LOG:  recovery has paused"), Line::Paused(_)));
        assert_eq!(parse("LOG:  starting archive recovery"), Line::Other);
        assert_eq!(Line::parse("no line of a server"), Line::Other);
    }

    #[test]
    fn a_line_is_kept_as_far_as_it_is_of_use() {
        let mut lines = Lines::default();
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        let mut piece = long.as_slice();
        assert_eq!((lines.step(&mut piece), piece.len()), (None, 0));
        let mut piece: &[u8] = b"x\nsp\xe4t\n\nbegun";
        let cut = lines.step(&mut piece).map(|line| line.len());
        assert_eq!(cut, Some(LINE_BYTES_MAX));
        assert_eq!(lines.step(&mut piece).as_deref(), Some("sp\u{fffd}t"));
        assert_eq!(lines.step(&mut piece).as_deref(), Some(""));
        assert_eq!((lines.step(&mut piece), lines.rest().as_deref()), (None, Some("begun")));
        assert_eq!(lines.rest(), None);
    }
}
