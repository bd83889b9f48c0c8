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
const WORDS: [(&str, DrillClass); 16] = [
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
    // What the store did not give is known by then: the program that asks for it could not be run.
    ("could not restore file", DrillClass::Storage),
    ("database files are incompatible", DrillClass::Image),
    // A library of the source that is not installed here (`dfmgr.c`).
    ("could not access file", DrillClass::Image),
    ("could not load library", DrillClass::Image),
    (WRONG_SETTINGS, DrillClass::ParametersInsufficient),
];

/// What this machine refuses, wherever it stands in a line: the system's own words (`strerror`), and
/// what `md.c` and `fd.c` say of a write that was cut short.
const OF_MACHINE: [(&str, DrillClass); 11] = [
    ("No space left on device", DrillClass::Storage),
    ("Disk quota exceeded", DrillClass::Storage),
    ("File too large", DrillClass::Storage),
    ("Read-only file system", DrillClass::Storage),
    ("Input/output error", DrillClass::Storage),
    (": wrote only ", DrillClass::Storage),
    ("Cannot allocate memory", DrillClass::Oom),
    ("out of memory", DrillClass::Oom),
    // For want of locks (`lock.c`).
    ("out of shared memory", DrillClass::ParametersInsufficient),
    // By the kernel, which says so nowhere else: a child in the server's words, the server in ours.
    ("terminated by signal 9", DrillClass::Oom),
    ("terminated by signal: 9", DrillClass::Oom),
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
    if let Some((class, words)) = lacking_machine(seen.fatal.as_deref(), last_words) {
        return Failed::new(class, words);
    }
    let Some(fatal) = &seen.fatal else { return of_death(last_words) };
    let is_of_tablespace =
        fatal.starts_with("directory \"") && last_words.contains("Tablespace/CREATE");
    let known = WORDS.iter().find(|(words, _)| fatal.starts_with(words)).map(|(_, class)| *class);
    let class = match known {
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

/// What is to be said of a server that ended without a word of its own about it.
pub(super) fn of_death(last_words: &str) -> Failed {
    if let Some((class, words)) = lacking_machine(None, last_words) {
        return Failed::new(class, format!("the server ended: {words}"));
    }
    let words = last_words.lines().last().unwrap_or("it said nothing");
    Failed::new(DrillClass::StoppedEarly, format!("the server ended: {words}"))
}

/// What the machine had too little of, which says nothing of the archive. What the server gave up with
/// counts; where it gave up without a word, its last lines do.
pub(super) fn lacking_machine(
    fatal: Option<&str>,
    last_words: &str,
) -> Option<(DrillClass, String)> {
    let class_of = |text: &str| {
        OF_MACHINE.iter().find(|(words, _)| text.contains(words)).map(|(_, class)| *class)
    };
    if let Some(fatal) = fatal {
        return class_of(fatal).map(|class| (class, fatal.to_owned()));
    }
    let (line, class) = last_words.lines().find_map(|line| Some((line, class_of(line)?)))?;
    let text = line.split_once(":  ").map_or(line, |(_, text)| text);
    Some((class, text.trim().to_owned()))
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

    #[test]
    fn what_this_machine_lacks_is_not_blamed_on_the_archive() {
        for (line, class) in [
            ("could not write to file \"pg_wal/xlogtemp.7\": No space left on device", "storage"),
            (
                "could not extend file \"base/5/1\": wrote only 4096 of 8192 bytes at block 7",
                "storage",
            ),
            ("could not extend file \"base/5/1\": Disk quota exceeded", "storage"),
            ("could not fsync file \"base/5/1\": Input/output error", "storage"),
            ("could not map anonymous shared memory: Cannot allocate memory", "oom"),
            ("out of memory", "oom"),
            ("could not restore file \"1\" from archive: command not executable", "storage"),
            ("invalid page in block 7 of relation base/5/1", "stopped_early"),
        ] {
            for severity in ["FATAL", "PANIC"] {
                let failed = class_of(&seen(&format!("x UTC [1] {severity}:  {line}")), &[], "");
                assert_eq!((failed.class.code(), failed.detail.as_str()), (class, line));
            }
        }
        // What a client's session had too little of before is not why the server gave up.
        let before = "x UTC [1] ERROR:  out of memory";
        let failed = class_of(&seen("FATAL:  WAL ends before end of online backup"), &[], before);
        assert_eq!(failed.class, DrillClass::WalMissing);
    }

    #[test]
    fn a_server_that_was_killed_says_nothing_of_the_archive() {
        for words in [
            "x UTC [1] LOG:  startup process (PID 7) was terminated by signal 9: Killed\n\
             x UTC [1] LOG:  aborting startup due to startup process failure",
            "x UTC [1] LOG:  redo starts at 0/2000028\n\
             the server was terminated by signal: 9 (SIGKILL)",
        ] {
            let failed = class_of(&Ended::default(), &[], words);
            assert_eq!(failed.class, DrillClass::Oom, "{failed:?}");
        }
        let crash = "x UTC [1] LOG:  startup process (PID 7) was terminated by signal 11: Segmentation fault";
        assert_eq!(of_death(crash).class, DrillClass::StoppedEarly);
    }
}
