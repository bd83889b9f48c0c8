//! Why a recovery ended that did not reach its end.

use chrono::DateTime;
use chrono::Utc;

use crate::domain::drill::DrillClass;
use crate::domain::timeline::TimelineId;
use crate::restore::failed::Failed;
use crate::restore::log::Line;
use crate::restore::trouble::Trouble;

/// What the server's log has told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub(super) is_redo_done: bool,
    pub(super) new_timeline: Option<TimelineId>,
    last_transaction: Option<String>,
    paused: Option<String>,
    fatal: Option<String>,
}

impl Ended {
    pub(super) fn note(&mut self, line: &Line) {
        match line {
            Line::RedoDone | Line::NoRedo => self.is_redo_done = true,
            Line::LastTransactionAt(text) => self.last_transaction = Some(text.clone()),
            Line::NewTimeline(timeline) => self.new_timeline = Some(*timeline),
            Line::Paused(text) => self.paused = Some(text.clone()),
            // The first one is the reason, what follows are its consequences.
            Line::Fatal(text) => self.fatal = self.fatal.take().or_else(|| Some(text.clone())),
            Line::RedoStarts | Line::Consistent | Line::Ready | Line::Other => {}
        }
    }

    /// Printed with an offset of hours alone, as in `+00`.
    pub(super) fn last_transaction_at(&self) -> Option<DateTime<Utc>> {
        let text = self.last_transaction.as_deref()?;
        let parsed = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
        parsed.ok().map(|at| at.with_timezone(&Utc))
    }
}

/// What the server says, and the class of failure that it means. Beginnings, since names and positions
/// follow; from `xlogrecovery.c`, `xlog.c`, `xlogarchive.c` and `tablespace.c`.
const WORDS: [(&str, DrillClass); 15] = [
    ("recovery ended before configured recovery target", DrillClass::TargetNotReached),
    ("requested recovery stop point is before consistent", DrillClass::TargetNotReached),
    ("WAL ends before", DrillClass::WalMissing),
    ("could not locate required checkpoint record", DrillClass::WalMissing),
    ("could not locate a valid checkpoint record", DrillClass::WalMissing),
    ("could not find redo location", DrillClass::WalMissing),
    ("requested timeline", DrillClass::WrongTimeline),
    ("recovery target timeline", DrillClass::WrongTimeline),
    ("recovery aborted because of insufficient parameter", DrillClass::ParametersInsufficient),
    ("maximum number of prepared transactions", DrillClass::ParametersInsufficient),
    ("archive file", DrillClass::WalMissing),
    ("database files are incompatible", DrillClass::Image),
    // A library of the source that is not installed here (`dfmgr.c`).
    ("could not access file", DrillClass::Image),
    ("could not load library", DrillClass::Image),
    (WRONG_SETTINGS, DrillClass::ParametersInsufficient),
];

/// From `guc-file.l`: what is wrong in the file stands in the lines before.
const WRONG_SETTINGS: &str = "configuration file";

/// What is to be said of a recovery that gave up.
pub(super) fn class_of(seen: &Ended, troubles: &[Trouble], last_words: &str) -> Failed {
    if let Some(paused) = &seen.paused {
        return Failed::new(DrillClass::ParametersInsufficient, paused.clone());
    }
    for trouble in troubles {
        match trouble {
            Trouble::Unread(file, error) => {
                return Failed::of_store(error, &format!("read {file}"));
            }
            Trouble::Unwritten(why) => {
                return Failed::new(DrillClass::Storage, format!("write the log: {why}"));
            }
            Trouble::Missing(_) | Trouble::Undecodable(..) => {}
        }
    }
    let Some(fatal) = &seen.fatal else {
        let words = last_words.lines().last().unwrap_or("it said nothing");
        return Failed::new(DrillClass::StoppedEarly, format!("the server ended: {words}"));
    };
    let is_full = fatal.contains("No space left on device");
    let is_of_tablespace =
        fatal.starts_with("directory \"") && last_words.contains("Tablespace/CREATE");
    let known = WORDS.iter().find(|(words, _)| fatal.starts_with(words)).map(|(_, class)| *class);
    let class = match known {
        _ if is_full => DrillClass::Storage,
        _ if is_of_tablespace => DrillClass::TablespaceMissing,
        Some(class) => class,
        None => DrillClass::StoppedEarly,
    };
    let wrong = last_words.lines().filter_map(|line| line.split_once("LOG:  "));
    let wrong = wrong.map(|(_, text)| text).find(|text| text.contains("parameter"));
    if let (true, Some(wrong)) = (fatal.starts_with(WRONG_SETTINGS), wrong) {
        return Failed::new(class, wrong);
    }
    let missing = troubles.iter().find_map(Trouble::lacking).map(|lacking| format!("; {lacking}"));
    let is_lacking = missing.is_some() && class == DrillClass::TargetNotReached;
    let class = if is_lacking { DrillClass::WalMissing } else { class };
    Failed::new(class, format!("{fatal}{}", missing.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use crate::sources::store::error::StoreError;
    use crate::sources::store::error::StoreErrorKind;

    use super::*;

    fn seen(line: &str) -> Ended {
        let mut seen = Ended::default();
        seen.note(&Line::parse(line));
        seen
    }

    #[test]
    fn the_time_of_the_last_transaction_is_read_as_the_server_prints_it() {
        for (text, expected) in [
            ("2026-11-30 10:00:00.5+00", "2026-11-30T10:00:00.500Z"),
            ("2026-11-30 10:00:00+00", "2026-11-30T10:00:00Z"),
            ("2026-11-30 10:00:00.123456+00", "2026-11-30T10:00:00.123456Z"),
        ] {
            let line = format!("LOG:  last completed transaction was at log time {text}");
            let expected: DateTime<Utc> = expected.parse().unwrap();
            assert_eq!(seen(&line).last_transaction_at(), Some(expected));
        }
    }

    #[test]
    fn a_failure_is_told_by_its_cause() {
        let fatal = "FATAL:  recovery ended before configured recovery target was reached";
        let failed = class_of(&seen(fatal), &[], "");
        assert_eq!(failed.class, DrillClass::TargetNotReached);
        let missing = [Trouble::Missing("000000010000000000000004".to_owned())];
        let failed = class_of(&seen(fatal), &missing, "");
        assert_eq!(failed.class, DrillClass::WalMissing);
        assert!(failed.detail.ends_with("; 000000010000000000000004 is missing"), "{failed:?}");
        let unread = |kind| {
            let error = StoreError::new(kind, "on purpose");
            let troubles = [Trouble::Unread("00000002.history".to_owned(), error)];
            class_of(&seen(fatal), &troubles, "").class
        };
        assert_eq!(unread(StoreErrorKind::TimedOut), DrillClass::Network);
        assert_eq!(unread(StoreErrorKind::Denied), DrillClass::Denied);
        let paused = class_of(&seen("LOG:  recovery has paused"), &missing, "");
        assert_eq!(paused.class, DrillClass::ParametersInsufficient);
        let wrong = seen("FATAL:  configuration file \"/d/postgresql.conf\" contains errors");
        let before = "x UTC [1] LOG:  unrecognized configuration parameter \"a\" in file";
        let failed = class_of(&wrong, &[], before);
        assert_eq!(failed.class, DrillClass::ParametersInsufficient);
        assert_eq!(failed.detail, "unrecognized configuration parameter \"a\" in file");
        let absent =
            seen("FATAL:  could not access file \"timescaledb\": No such file or directory");
        assert_eq!(class_of(&absent, &[], "").class, DrillClass::Image);
        let other = class_of(&Ended::default(), &[], "a\nb");
        assert_eq!(
            (other.class, other.detail.as_str()),
            (DrillClass::StoppedEarly, "the server ended: b")
        );
    }
}
