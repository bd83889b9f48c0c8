//! How the server is told to recover, and to keep to itself.

use std::fmt::Write;
use std::path::Path;

use chrono::SecondsFormat;

use crate::assessment::plan::Stop;
use crate::domain::segment::SegmentSize;
use crate::domain::timeline::TimelineId;
use crate::restore::place::Durability;

/// What recovery needs to be told.
#[derive(Clone, Debug)]
pub(super) struct Instructions<'a> {
    pub(super) stop: &'a Stop,
    pub(super) target_timeline: Option<TimelineId>,
    pub(super) needs_prefetch_off: bool,
    /// The command without its arguments, and where it asks.
    pub(super) program: &'a Path,
    pub(super) socket: &'a Path,
    pub(super) sockets: &'a Path,
    pub(super) segment_size: SegmentSize,
    /// The most that the server of the backup prepared at once, as far as that is known.
    pub(super) max_prepared_transactions: u32,
    pub(super) durability: Durability,
    /// Asked for by the caller; they win.
    pub(super) further: &'a [(String, String)],
    pub(super) major: u32,
}

/// The log may hold more prepared transactions than the backup knew of, if the setting was raised after it:
/// recovery fails where there is no room for one. So many take some megabytes.
const PREPARED_MIN: u32 = 1_000;

/// A port without a listener: it only names the socket.
pub(super) const PORT: u16 = 5432;

/// Nobody but who restores may come in: the sockets lie in a directory of its own.
pub(super) const HBA: &str = "local all all trust\n";

impl Instructions<'_> {
    /// `postgresql.conf` for the time of the recovery.
    pub(super) fn text(&self) -> String {
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
        for (name, value) in KEPT_TO_ITSELF {
            set(name, (*value).to_owned());
        }
        set("port", PORT.to_string());
        set("unix_socket_directories", self.sockets.display().to_string());
        set("restore_command", self.restore_command());
        set("recovery_target_action", "promote".to_owned());
        let prepared = self.max_prepared_transactions.max(PREPARED_MIN);
        set("max_prepared_transactions", prepared.to_string());
        // Two segments are the least that PostgreSQL takes.
        let mebibytes = self.segment_size.bytes() >> 20;
        set("min_wal_size", format!("{}MB", mebibytes.saturating_mul(2)));
        set("max_wal_size", format!("{}MB", mebibytes.saturating_mul(64).max(1024)));
        match self.stop {
            Stop::Never => {}
            Stop::At(at) => {
                // Zones have no names yet while the configuration is read, not even `Z`.
                let at = at.to_rfc3339_opts(SecondsFormat::Micros, false);
                set("recovery_target_time", at);
            }
            Stop::Lsn(lsn) => set("recovery_target_lsn", lsn.to_string()),
            Stop::RestorePoint(name) => set("recovery_target_name", name.to_string()),
            Stop::Consistent => set("recovery_target", "immediate".to_owned()),
        }
        if let Some(timeline) = self.target_timeline {
            set("recovery_target_timeline", timeline.to_string());
        }
        if self.needs_prefetch_off {
            set("recovery_prefetch", "off".to_owned());
        }
        if self.durability == Durability::Throwaway {
            set("fsync", "off".to_owned());
            set("full_page_writes", "off".to_owned());
        }
        // It came with this version.
        if 17 <= self.major {
            set("event_triggers", "off".to_owned());
        }
        let further = self.further.iter().cloned();
        let mut text = "# Written for the time of a recovery.\n".to_owned();
        for (name, value) in settings.into_iter().chain(further) {
            // A String takes everything.
            let _ = writeln!(text, "{name} = '{}'", escaped(&value));
        }
        text
    }

    fn restore_command(&self) -> String {
        let words = [self.program, self.socket].map(|path| {
            // `%` begins a placeholder in the command.
            let path = path.display().to_string().replace('%', "%%");
            format!("'{}'", path.replace('\'', r"'\''"))
        });
        let [program, socket] = words;
        format!("{program} wal-restore {socket} %f %p")
    }
}

/// Settings with which a copy of a database does nothing to the world: it takes no connections from
/// outside, archives nothing, and applies no subscription, which would take rows from the subscriber
/// whose copy it is. No library of the source is loaded.
const KEPT_TO_ITSELF: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("archive_mode", "off"),
    ("max_logical_replication_workers", "0"),
    ("max_wal_senders", "0"),
    ("max_replication_slots", "0"),
    ("wal_level", "replica"),
    // Without it, the source's limits on connections do not matter to recovery.
    ("hot_standby", "off"),
    ("shared_preload_libraries", ""),
    ("session_preload_libraries", ""),
    ("autovacuum", "off"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_line_prefix", "%m [%p] "),
    ("log_min_messages", "warning"),
    ("lc_messages", "C"),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    ("datestyle", "ISO"),
    ("ssl", "off"),
];

/// As `DeescapeQuotedString` in `guc-file.l` reads it.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('\'', "''").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instructions<'a>(stop: &'a Stop, further: &'a [(String, String)]) -> Instructions<'a> {
        Instructions {
            stop,
            target_timeline: TimelineId::new(2),
            needs_prefetch_off: true,
            program: Path::new("/opt/it's 100%/verifier"),
            socket: Path::new("/tmp/x/wal"),
            sockets: Path::new("/tmp/x"),
            segment_size: SegmentSize::new(1 << 30).unwrap(),
            max_prepared_transactions: 1007,
            durability: Durability::Throwaway,
            further,
            major: 17,
        }
    }

    #[test]
    fn recovery_is_told_all_of_the_plan() {
        let at = "2026-11-30T10:00:00.5Z".parse().unwrap();
        let further = [("work_mem".to_owned(), "64MB".to_owned())];
        let text = instructions(&Stop::At(at), &further).text();
        for line in [
            "recovery_target_time = '2026-11-30T10:00:00.500000+00:00'",
            "recovery_target_timeline = '2'",
            "recovery_prefetch = 'off'",
            "max_prepared_transactions = '1007'",
            "max_logical_replication_workers = '0'",
            "min_wal_size = '2048MB'",
            "fsync = 'off'",
            "event_triggers = 'off'",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
        }
        assert!(text.ends_with("work_mem = '64MB'\n"), "{text}");
    }

    #[test]
    fn the_command_survives_the_shell_and_the_configuration() {
        let text = instructions(&Stop::Never, &[]).text();
        let line = text.lines().find(|it| it.starts_with("restore_command")).unwrap();
        // Within single quotes of the file, each of them doubled and each backslash too.
        let expected = r"restore_command = '''/opt/it''\\''''s 100%%/verifier'' wal-restore ''/tmp/x/wal'' %f %p'";
        assert_eq!(line, expected);
    }
}
