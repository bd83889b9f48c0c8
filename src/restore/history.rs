//! Where recovery ended, as it wrote it down itself: the history file of the timeline that it began
//! (`writeTimeLineHistory` in `timeline.c`). Metrics of the server forget it at the next start.

use std::fs;
use std::io;
use std::path::Path;

use crate::domain::lsn::Lsn;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;

/// What the last line of it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Which recovery followed.
    pub followed: TimelineId,
    /// On which the end lies: not always the one that recovery followed.
    pub ended_on: TimelineId,
    pub lsn: Lsn,
    /// Why recovery ended there.
    pub reason: String,
}

impl Written {
    /// Of this timeline, from the data directory.
    pub(super) fn read(data: &Path, timeline: TimelineId) -> io::Result<Self> {
        let name = format!("{:08X}.history", timeline.value());
        let bytes = fs::read(data.join("pg_wal").join(&name))?;
        Self::parse(timeline, &bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{name} has no line"))
        })
    }

    /// Of the timeline that the server goes on with.
    pub fn parse(timeline: TimelineId, bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let last = text.lines().rev().find(|line| !line.trim().is_empty())?;
        let mut words = last.splitn(3, '\t');
        let followed = TimelineId::new(words.next()?.trim().parse().ok()?)?;
        let lsn: Lsn = words.next()?.trim().parse().ok()?;
        let reason = words.next().unwrap_or_default().trim().to_owned();
        // Before the switch to the timeline that it followed, the log is that of an ancestor.
        let history = TimelineHistory::parse(timeline, bytes).ok();
        let ancestors = history.iter().flat_map(TimelineHistory::ancestors);
        let ended_on = ancestors.filter(|it| lsn <= it.switched_at).map(|it| it.timeline).min();
        Some(Self { followed, ended_on: ended_on.unwrap_or(followed), lsn, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(id: u32) -> TimelineId {
        TimelineId::new(id).unwrap()
    }

    #[test]
    fn the_last_line_says_where_and_why() {
        let text = b"1\t0/5000000\tno recovery target specified\n\n\
                     2\t0/7000060\tbefore 2026-11-30 10:00:00.5+00\n";
        let written = Written::parse(timeline(3), text).unwrap();
        assert_eq!((written.ended_on, written.lsn), (timeline(2), "0/7000060".parse().unwrap()));
        assert_eq!(written.reason, "before 2026-11-30 10:00:00.5+00");
        assert_eq!(Written::parse(timeline(3), b"\n"), None);
    }

    #[test]
    fn an_end_before_the_switch_lies_on_the_ancestor() {
        let text = b"1\t0/5000000\tno recovery target specified\n\
                     2\t0/4000028\tbefore 2026-11-30 10:00:00+00\n";
        let written = Written::parse(timeline(3), text).unwrap();
        assert_eq!(written.ended_on, timeline(1));
    }
}
