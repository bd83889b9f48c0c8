//! What a finding says, in one sentence.

use std::fmt;

use chrono::SecondsFormat;

use crate::assessment::GapEffect;
use crate::assessment::finding::Missing;
use crate::assessment::finding::Problem;
use crate::assessment::finding::words::count;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::ids;
use crate::assessment::finding::words::segments;
use crate::assessment::finding::words::span;

const SUPERSEDED: &str = "; a later backup succeeded";

impl fmt::Display for Problem {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each problem; a split would hide the list"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WalGap { gap, .. } => {
                write!(f, "{} of WAL missing: ", segments(gap.count))?;
                write!(f, "{}", span(gap.first, gap.last))?;
                f.write_str(match gap.effect {
                    GapEffect::StopsRecovery => "; nothing after it can be restored",
                    GapEffect::Hole => "; moments inside it cannot be restored",
                    GapEffect::Harmless => "; no backup needs it",
                })
            }
            Self::WalDamaged { segment, damage } => {
                write!(f, "WAL segment {segment} is damaged: {}", damage.detail)
            }
            Self::HistoryMissing { timeline, .. } => write!(
                f,
                "the history file of timeline {timeline} is missing; recovery from an older \
                 timeline does not find its way there"
            ),
            Self::HistoryDamaged { timeline, why } => {
                write!(f, "the history file of timeline {timeline} is damaged: {why}")
            }
            Self::PartialShadowsSegment { segment } => write!(
                f,
                "a leftover {segment}.partial is restored instead of the complete segment"
            ),
            Self::SegmentTwice { first, count } => write!(
                f,
                "{} stored under two compressions, beginning with {first}",
                segments(*count)
            ),
            Self::NoUsableBackup { backups: 0 } => f.write_str("there is no base backup"),
            Self::NoUsableBackup { backups } => {
                write!(f, "none of the {backups} base backups can be restored")
            }
            Self::BackupFailed { backup, error, is_superseded } => {
                write!(f, "backup {backup} failed")?;
                if let Some(error) = error {
                    write!(f, ": {error}")?;
                }
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::BackupIncomplete { backup, missing } => match missing {
                Missing::Objects(names) => {
                    write!(f, "backup {backup} lacks objects: {}", names.join(", "))
                }
                Missing::Wal { first, last, count } => write!(
                    f,
                    "backup {backup} lacks {} of its own WAL: {}",
                    segments(*count),
                    span(*first, *last)
                ),
            },
            Self::BackupInfoUnreadable { backup, why } => {
                write!(f, "backup.info of backup {backup} cannot be understood: {why}")
            }
            Self::BackupStuck { backup, since, is_superseded } => {
                let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
                write!(f, "backup {backup} began at {since} and never ended")?;
                f.write_str(if *is_superseded { SUPERSEDED } else { "" })
            }
            Self::BackupOverdue { newest, age, age_max } => write!(
                f,
                "the newest usable backup, {newest}, is {} old, more than {}",
                duration(*age),
                duration(*age_max)
            ),
            Self::BackupNeverRan { waited, age_max } => write!(
                f,
                "no backup has run in {}, and one was due within {}",
                duration(*waited),
                duration(*age_max)
            ),
            Self::WalStale { newest, age, age_max } => write!(
                f,
                "the newest WAL segment, {newest}, came {} ago, more than {}",
                duration(*age),
                duration(*age_max)
            ),
            Self::WindowShort { reaches_back, retention } => write!(
                f,
                "recovery reaches back {}, less than the promised {}",
                duration(*reaches_back),
                duration(*retention)
            ),
            Self::RetentionNotEnforced { obsolete, retention } => write!(
                f,
                "{} outlived the retention of {} and nothing deletes them: {}",
                count(obsolete.len(), "backup"),
                duration(*retention),
                ids(obsolete)
            ),
            Self::ForeignSystem { expected, found, carrier } => write!(
                f,
                "{carrier} belongs to another PostgreSQL server: its system identifier is \
                 {found}, expected {expected}"
            ),
            Self::ArchiveEmpty { address } => write!(f, "nothing is stored under {address}"),
            Self::StoreUnreachable(unreadable) | Self::StoreDenied(unreadable) => {
                fmt::Display::fmt(unreadable, f)
            }
            Self::Setup(setup) => fmt::Display::fmt(setup, f),
            Self::Duty(duty) => fmt::Display::fmt(duty, f),
        }
    }
}
