//! What the server's log tells of a recovery. It is asked for in English.

use crate::domain::timeline::TimelineId;

/// A line that says how far recovery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
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
    pub(super) fn parse(line: &str) -> Self {
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
}
