//! What the logs of a recovery tell: when it passed what, and what went wrong.
//!
//! CloudNativePG's instance manager and the plugin write a JSON object in each line, PostgreSQL's own
//! records in `record` (`pkg/management/postgres/logpipe`). What is no JSON is taken as text.

use std::collections::VecDeque;

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;

/// When recovery passed what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Milestones {
    pub base_restored_at: Option<DateTime<Utc>>,
    pub replayed_at: Option<DateTime<Utc>>,
}

/// What was read of the logs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryLog {
    pub milestones: Milestones,
    /// Lines that speak of trouble, the newest last; of very many the newest.
    pub trouble: VecDeque<String>,
    pub is_paused: bool,
    /// The time of the newest line; what is not newer was read before.
    read_until: Option<DateTime<Utc>>,
}

/// What a file of the log says.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    error: String,
    record: Option<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default)]
    error_severity: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: String,
}

/// What is asked last is why it ended; PostgreSQL and Barman tell that in fewer.
const TROUBLE_MAX: usize = 50;

/// A line of a log has a sentence or two; what goes on longer is a stack trace.
const LINE_CHARS_MAX: usize = 500;

/// The plugin, when the base backup lies on disk (`internal/cnpgi/restore/restore.go`).
const BASE_RESTORED: &str = "Restore completed";

/// PostgreSQL, behind the last record (`PerformWalRecovery` in `xlogrecovery.c`).
const REPLAYED: [&str; 2] = ["redo done", "redo is not required"];

/// PostgreSQL, where a setting is too low for what the log says (`RecoveryRequiresIntParameter` in
/// `xlogrecovery.c`): it waits for somebody who never comes.
const PAUSED: &str = "recovery has paused";

const TROUBLE_LEVELS: [&str; 6] = ["error", "fatal", "panic", "ERROR", "FATAL", "PANIC"];

/// Told by PostgreSQL at a lower level, and worth as much.
const TROUBLE_WORDS: [&str; 2] = ["insufficient parameter settings", "is a lower setting than"];

impl RecoveryLog {
    /// Takes lines, each behind the time that the kubelet has put before it.
    pub fn feed(&mut self, lines: &str) {
        let mut newest = self.read_until;
        for line in lines.lines() {
            let (time, text) = line.split_once(' ').unwrap_or((line, ""));
            let Ok(at) = DateTime::parse_from_rfc3339(time) else { continue };
            let at = at.to_utc();
            if self.read_until.is_some_and(|until| at <= until) {
                continue;
            }
            newest = newest.max(Some(at));
            self.note(at, text);
        }
        self.read_until = newest;
    }

    /// Whether nothing was read.
    pub const fn is_empty(&self) -> bool {
        self.read_until.is_none()
    }

    /// With another one, of a container that began no earlier: what it passed counts.
    #[must_use]
    pub fn followed_by(mut self, later: &Self) -> Self {
        let (of, later_of) = (&mut self.milestones, &later.milestones);
        of.base_restored_at = later_of.base_restored_at.or(of.base_restored_at);
        of.replayed_at = later_of.replayed_at.or(of.replayed_at);
        self.is_paused |= later.is_paused;
        self.read_until = self.read_until.max(later.read_until);
        later.trouble.iter().for_each(|line| self.trouble(line));
        self
    }

    fn note(&mut self, at: DateTime<Utc>, text: &str) {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            // Barman's own words, where they are not wrapped.
            let is_trouble = ["ERROR", "CRITICAL", "Exception"].iter().any(|it| text.contains(it));
            if is_trouble {
                self.trouble(text);
            }
            return;
        };
        let said = [line.msg.as_str(), line.record.as_ref().map_or("", |it| &it.message)];
        let says = |words: &str| said.iter().any(|it| it.contains(words));
        let milestones = &mut self.milestones;
        if says(BASE_RESTORED) {
            milestones.base_restored_at.get_or_insert(at);
        }
        if REPLAYED.iter().any(|it| says(it)) {
            milestones.replayed_at.get_or_insert(at);
        }
        self.is_paused |= says(PAUSED);
        let severity = line.record.as_ref().map_or("", |it| &it.error_severity);
        let is_trouble = TROUBLE_LEVELS.contains(&line.level.as_str())
            || TROUBLE_LEVELS.contains(&severity)
            || text.contains("CRITICAL")
            || TROUBLE_WORDS.iter().any(|it| text.contains(it));
        if is_trouble {
            let detail = line.record.as_ref().map_or("", |it| it.detail.as_str());
            let parts = [said[0], &line.error, said[1], detail];
            let parts = parts.into_iter().filter(|it| !it.is_empty() && *it != "record");
            let parts: Vec<&str> = parts.collect();
            self.trouble(&parts.join(": "));
        }
    }

    fn trouble(&mut self, text: &str) {
        if self.trouble.len() == TROUBLE_MAX {
            self.trouble.pop_front();
        }
        let text: String =
            text.chars().filter(|it| !it.is_control()).take(LINE_CHARS_MAX).collect();
        self.trouble.push_back(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"
2026-01-10T12:00:01.5Z {"level":"info","msg":"Restore completed","logger":"barman"}
2026-01-10T12:00:02Z {"level":"info","msg":"record","record":{"error_severity":"LOG","message":"starting point-in-time recovery"}}
2026-01-10T12:00:09Z {"level":"info","msg":"record","record":{"error_severity":"LOG","message":"redo done at 0/5000028 system usage: CPU"}}
2026-01-10T12:00:10Z {"level":"error","msg":"Error while restoring a backup","error":"exit status 1"}
2026-01-10T12:00:11Z {"level":"info","msg":"record","record":{"error_severity":"FATAL","message":"recovery ended","detail":"why"}}
2026-01-10T12:00:12Z 2026-01-10 12:00:12,1 [7] ERROR: Barman cloud restore exception
no time, no line
"#;

    fn at(text: &str) -> Option<DateTime<Utc>> {
        text.parse().ok()
    }

    #[test]
    fn milestones_and_trouble_are_kept() {
        let mut log = RecoveryLog::default();
        log.feed(LINES);
        assert_eq!(log.milestones.base_restored_at, at("2026-01-10T12:00:01.5Z"));
        assert_eq!(log.milestones.replayed_at, at("2026-01-10T12:00:09Z"));
        let trouble: Vec<&str> = log.trouble.iter().map(String::as_str).collect();
        let told = [
            "Error while restoring a backup: exit status 1",
            "recovery ended: why",
            "2026-01-10 12:00:12,1 [7] ERROR: Barman cloud restore exception",
        ];
        assert_eq!(trouble, told);
        let before = log.clone();
        log.feed(LINES);
        assert_eq!(log, before);
    }

    #[test]
    fn a_pause_is_seen_with_what_is_too_low() {
        let mut log = RecoveryLog::default();
        let record = r#"{"msg":"record","record":{"error_severity":"WARNING","message":"hot standby is not possible because of insufficient parameter settings","detail":"max_connections = 20 is a lower setting than on the primary server, where its value was 50."}}"#;
        log.feed(&format!("2026-01-10T12:00:00Z {record}\n"));
        assert!(!log.is_paused && log.trouble[0].contains("max_connections = 20"), "{log:?}");
        let record =
            r#"{"msg":"record","record":{"error_severity":"LOG","message":"recovery has paused"}}"#;
        log.feed(&format!("2026-01-10T12:00:01Z {record}\n"));
        assert!(log.is_paused);
    }

    #[test]
    fn of_much_trouble_the_newest_is_kept() {
        let mut log = RecoveryLog::default();
        for second in 0..TROUBLE_MAX + 7 {
            let time = format!("2026-01-10T12:{:02}:{:02}Z", second / 60, second % 60);
            log.feed(&format!("{time} {{\"level\":\"error\",\"msg\":\"{second}\"}}\n"));
        }
        assert_eq!((log.trouble.len(), log.trouble[0].as_str()), (TROUBLE_MAX, "7"));
    }
}
