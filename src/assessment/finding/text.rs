//! What a finding says to people: the sentence, the hint, the evidence.

use std::fmt;

use chrono::SecondsFormat;
use chrono::TimeDelta;

use crate::assessment::GapEffect;
use crate::assessment::finding::Missing;
use crate::assessment::finding::Problem;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;

const TAKE_A_BACKUP: &str = "take a base backup now: kubectl cnpg backup -n NAMESPACE CLUSTER \
    --method=plugin --plugin-name=barman-cloud.cloudnative-pg.io";

impl fmt::Display for Problem {
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
                superseded(f, *is_superseded)
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
                superseded(f, *is_superseded)
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
        }
    }
}

impl Problem {
    /// The next thing to do.
    pub fn hint(&self) -> String {
        match self {
            Self::WalGap { gap, parent_has_segment, .. } => match gap.effect {
                GapEffect::StopsRecovery if *parent_has_segment => format!(
                    "do not restore the latest state: recovery would replay the old timeline's \
                     segment and bring back abandoned transactions; {TAKE_A_BACKUP}"
                ),
                GapEffect::StopsRecovery => format!(
                    "if the segments are still in pg_wal, repair archiving and let it catch up; \
                     else {TAKE_A_BACKUP}"
                ),
                GapEffect::Hole => "if the loss is known and accepted, set \
                    acknowledge_gap_before; it disappears when retention passes it"
                    .to_owned(),
                GapEffect::Harmless => "nothing to do".to_owned(),
            },
            Self::WalDamaged { .. } => {
                format!("if the segment is still in pg_wal, upload it again; else {TAKE_A_BACKUP}")
            }
            Self::HistoryMissing { timeline, .. } => format!(
                "upload {:08X}.history again from pg_wal of the primary, or {TAKE_A_BACKUP}",
                timeline.value()
            ),
            Self::HistoryDamaged { timeline, .. } => format!(
                "replace {:08X}.history by the copy in pg_wal of the primary; until then \
                 PostgreSQL may refuse to start recovery",
                timeline.value()
            ),
            Self::PartialShadowsSegment { .. } => "delete the .partial object, or restore with \
                --no-partial among restoreAdditionalCommandArgs"
                .to_owned(),
            Self::SegmentTwice { .. } => "nothing to do after a change of the compression; \
                otherwise find out who else writes here"
                .to_owned(),
            Self::NoUsableBackup { .. } | Self::BackupNeverRan { .. } => {
                format!("look at the ScheduledBackup and its last Backup, then {TAKE_A_BACKUP}")
            }
            Self::BackupFailed { is_superseded: true, backup, .. }
            | Self::BackupStuck { is_superseded: true, backup, .. } => format!(
                "nothing cleans up after it: delete the folder base/{backup} by hand when you \
                 have seen why it failed"
            ),
            Self::BackupFailed { .. } | Self::BackupStuck { .. } => {
                format!("read the log of the plugin's sidecar in the primary, then {TAKE_A_BACKUP}")
            }
            Self::BackupIncomplete { missing: Missing::Objects(_), .. } => format!(
                "look for lifecycle rules or people that delete objects, then {TAKE_A_BACKUP}"
            ),
            Self::BackupIncomplete { missing: Missing::Wal { .. }, .. } => format!(
                "if its last segment never came, switch WAL on the primary \
                 (SELECT pg_switch_wal()); else {TAKE_A_BACKUP}"
            ),
            Self::BackupInfoUnreadable { .. } => "barman refuses to delete any old backup while \
                one backup.info is unreadable: restore the object or delete the backup's folder"
                .to_owned(),
            Self::BackupOverdue { .. } => {
                "look at the ScheduledBackup: is it suspended, or blocked by a Backup that never \
                 ended?"
                    .to_owned()
            }
            Self::WalStale { .. } => "if the database is idle this is normal; else look at \
                pg_stat_archiver and the plugin's log"
                .to_owned(),
            Self::WindowShort { .. } => "older backups are missing or unusable; the window grows \
                again by itself from the next good backups on"
                .to_owned(),
            Self::RetentionNotEnforced { .. } => "look at the plugin's log for \
                RetentionPolicyFailed; it runs on the primary only"
                .to_owned(),
            Self::ForeignSystem { .. } => "give the new cluster a server name of its own; two \
                servers in one archive overwrite each other's WAL"
                .to_owned(),
            Self::ArchiveEmpty { .. } => "check bucket, path and server name; a new cluster has \
                an empty archive until its first segment is archived"
                .to_owned(),
            Self::StoreUnreachable(_) => "check the endpoint, the bucket's name and the network \
                from this pod"
                .to_owned(),
            Self::StoreDenied(_) => "check that the token exists, is not expired and may list \
                and read this bucket"
                .to_owned(),
        }
    }

    /// Names and values for scripts.
    pub fn evidence(&self) -> Vec<(&'static str, String)> {
        let wal = |first: &SegmentName, last: &SegmentName, count: u64| {
            vec![
                ("first", first.to_string()),
                ("last", last.to_string()),
                ("count", count.to_string()),
            ]
        };
        match self {
            Self::WalGap { gap, stranded, parent_has_segment } => {
                let mut evidence = wal(&gap.first, &gap.last, gap.count);
                evidence.push(("effect", gap.effect.code().to_owned()));
                if !stranded.is_empty() {
                    evidence.push(("stranded", ids(stranded)));
                }
                if *parent_has_segment {
                    evidence.push(("parent_has_segment", "true".to_owned()));
                }
                evidence
            }
            Self::WalDamaged { segment, damage } => {
                vec![("segment", segment.to_string()), ("kind", damage.kind.code().to_owned())]
            }
            Self::HistoryMissing { timeline, stranded } => {
                vec![("timeline", timeline.to_string()), ("stranded", ids(stranded))]
            }
            Self::HistoryDamaged { timeline, .. } => vec![("timeline", timeline.to_string())],
            Self::PartialShadowsSegment { segment } => vec![("segment", segment.to_string())],
            Self::SegmentTwice { first, count } => {
                vec![("first", first.to_string()), ("count", count.to_string())]
            }
            Self::NoUsableBackup { backups } => vec![("backups", backups.to_string())],
            Self::BackupFailed { backup, .. }
            | Self::BackupInfoUnreadable { backup, .. }
            | Self::BackupStuck { backup, .. } => vec![("backup_id", backup.to_string())],
            Self::BackupIncomplete { backup, missing } => {
                let mut evidence = vec![("backup_id", backup.to_string())];
                match missing {
                    Missing::Objects(names) => {
                        evidence.push(("missing", "objects".to_owned()));
                        evidence.push(("objects", names.join(", ")));
                    }
                    Missing::Wal { first, last, count } => {
                        evidence.push(("missing", "wal".to_owned()));
                        evidence.extend(wal(first, last, *count));
                    }
                }
                evidence
            }
            Self::BackupOverdue { newest, age, age_max } => vec![
                ("backup_id", newest.to_string()),
                ("age_seconds", age.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::BackupNeverRan { waited, age_max } => vec![
                ("waited_seconds", waited.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::WalStale { newest, age, age_max } => vec![
                ("segment", newest.to_string()),
                ("age_seconds", age.num_seconds().to_string()),
                ("age_max_seconds", age_max.num_seconds().to_string()),
            ],
            Self::WindowShort { reaches_back, retention } => vec![
                ("window_seconds", reaches_back.num_seconds().to_string()),
                ("retention_seconds", retention.num_seconds().to_string()),
            ],
            Self::RetentionNotEnforced { obsolete, retention } => vec![
                ("backup_ids", ids(obsolete)),
                ("retention_seconds", retention.num_seconds().to_string()),
            ],
            Self::ForeignSystem { expected, found, carrier } => vec![
                ("expected", expected.to_string()),
                ("found", found.to_string()),
                ("carrier", carrier.clone()),
            ],
            Self::ArchiveEmpty { address } => vec![("address", address.clone())],
            Self::StoreUnreachable(unreadable) | Self::StoreDenied(unreadable) => vec![
                ("what", unreadable.what.clone()),
                ("reason", unreadable.reason.code().to_owned()),
            ],
        }
    }
}

/// A duration for people: its two largest units.
pub fn duration(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let start = units.iter().position(|(size, _)| *size <= seconds).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units.iter().skip(start).take(2) {
        if 0 < rest / size || parts.is_empty() {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

fn superseded(f: &mut fmt::Formatter<'_>, is_superseded: bool) -> fmt::Result {
    if is_superseded { f.write_str("; a later backup succeeded") } else { Ok(()) }
}

fn segments(number: u64) -> String {
    if number == 1 { "1 segment".to_owned() } else { format!("{number} segments") }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn span(first: SegmentName, last: SegmentName) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

fn ids(ids: &[BackupId]) -> String {
    ids.iter().map(BackupId::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_700, "1 h 1 min"),
            (86_400, "1 d"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(duration(TimeDelta::seconds(seconds)), text);
        }
    }
}
