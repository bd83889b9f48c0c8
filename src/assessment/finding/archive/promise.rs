//! Promises that an archive does not keep.

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::count;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::ids;
use crate::assessment::finding::words::time;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentName;
use crate::domain::timeline::TimelineId;
use crate::observation::content::StuckCause;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokenPromise {
    BackupOverdue {
        newest: BackupId,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    BackupNeverRan {
        waited: TimeDelta,
        age_max: TimeDelta,
    },
    WalStale {
        newest: SegmentName,
        age: TimeDelta,
        age_max: TimeDelta,
        primary: PrimaryMetrics,
    },
    WindowShort {
        reaches_back: TimeDelta,
        retention: TimeDelta,
    },
    RetentionNotEnforced {
        obsolete: Vec<BackupId>,
        retention: TimeDelta,
    },
    /// What a restore needs was not read to its last byte for so long.
    ContentUnverified {
        kind: ContentKind,
        since: DateTime<Utc>,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    /// A base backup is to be read in a Job, and is not.
    VerificationStuck {
        backup: BackupId,
        cause: StuckCause,
    },
    /// Base backups and history files that retention still keeps are not there any more.
    DeletedEarly {
        backups: Vec<BackupId>,
        histories: Vec<TimelineId>,
        last_seen_at: DateTime<Utc>,
        retention: TimeDelta,
    },
    /// Rules of the bucket that delete what retention still keeps, each with its days.
    LifecycleRuleConflict {
        rules: Vec<(String, u32)>,
        retention: TimeDelta,
    },
}

/// What the primary could say of an archive to which nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimaryMetrics {
    /// Kubernetes tells of the cluster, and nobody has heard the primary.
    NotHeard,
    /// They were heard or cannot be read, or no Kubernetes is there that knows of a primary.
    NoHelp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    BaseBackups,
    Wal,
}

impl ContentKind {
    pub const fn code(self) -> &'static str {
        match self {
            Self::BaseBackups => "base",
            Self::Wal => "wal",
        }
    }
}

impl Family for BrokenPromise {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::BackupOverdue { newest, .. } => {
                (FindingCode::BackupOverdue, Topic::Backup(newest))
            }
            Self::BackupNeverRan { .. } => (FindingCode::BackupNeverRan, Topic::Whole),
            Self::WalStale { newest, .. } => (FindingCode::WalStale, Topic::Segment(*newest)),
            Self::WindowShort { .. } => (FindingCode::WindowShort, Topic::Whole),
            Self::RetentionNotEnforced { .. } => (FindingCode::RetentionNotEnforced, Topic::Whole),
            Self::ContentUnverified { .. } => (FindingCode::ContentUnverified, Topic::Whole),
            Self::VerificationStuck { backup, .. } => {
                (FindingCode::ContentVerificationStuck, Topic::Backup(backup))
            }
            Self::DeletedEarly { .. } => (FindingCode::DeletedEarly, Topic::Whole),
            Self::LifecycleRuleConflict { .. } => {
                (FindingCode::LifecycleRuleConflict, Topic::Whole)
            }
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::BackupOverdue { .. } => {
                "look at the ScheduledBackup: is it suspended, or blocked by a Backup that never \
                 ended?"
            }
            Self::BackupNeverRan { .. } => {
                "look at the ScheduledBackup and its last Backup, then TAKE_A_BACKUP"
            }
            Self::WalStale { primary: PrimaryMetrics::NotHeard, .. } => {
                "if the database is idle this is normal (kubernetes.instance_metrics would tell, \
                 and silence this); otherwise look at pg_stat_archiver and the plugin's log"
            }
            Self::WalStale { primary: PrimaryMetrics::NoHelp, .. } => {
                "if the database is idle this is normal; otherwise look at pg_stat_archiver and \
                 the plugin's log"
            }
            Self::WindowShort { .. } => {
                "older backups are missing or unusable; with the next good backups the window \
                 grows again by itself"
            }
            Self::RetentionNotEnforced { .. } => {
                "look for RetentionPolicyFailed in the log of the plugin's sidecar in the primary: \
                 only that one enforces retention"
            }
            Self::ContentUnverified { .. } => {
                "read the log of the backup verifier, and check content.bytes_per_second_max and \
                 content.bytes_per_month_max: reading may be too slow, or an object cannot be read"
            }
            Self::VerificationStuck { cause: StuckCause::Pending { .. }, .. } => {
                "look at the Job's pod: there may be no room for it, or a quota or a queue may \
                 hold it back"
            }
            Self::VerificationStuck { cause: StuckCause::Failing { .. }, .. } => {
                "read the log of the Job's pod and that of the backup verifier: the pod's \
                 credentials, its network or its node may be the cause"
            }
            Self::VerificationStuck { cause: StuckCause::OutOfMemory { .. }, .. } => {
                "set content.base_backups.run_as to process, and report this: a Job should never \
                 need more memory than it has"
            }
            Self::VerificationStuck { cause: StuckCause::Refused { .. }, .. } => {
                "allow the backup verifier to create Jobs, raise the namespace's quota for them, \
                 or set content.base_backups.run_as to process"
            }
            Self::DeletedEarly { .. } => {
                "find out what deletes objects: a lifecycle rule, a person, a tool, or a second \
                 cluster with a shorter retention; then TAKE_A_BACKUP"
            }
            Self::LifecycleRuleConflict { .. } => {
                "exclude the archive from the rule, or make the rule longer than the retention: \
                 only the plugin's own retention knows what a restore needs"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        let seconds = |duration: &TimeDelta| duration.num_seconds().to_string();
        match self {
            Self::BackupOverdue { age, age_max, .. } | Self::WalStale { age, age_max, .. } => {
                vec![("age_seconds", seconds(age)), ("age_max_seconds", seconds(age_max))]
            }
            Self::BackupNeverRan { waited, age_max } => {
                vec![("waited_seconds", seconds(waited)), ("age_max_seconds", seconds(age_max))]
            }
            Self::WindowShort { reaches_back, retention } => vec![
                ("window_seconds", seconds(reaches_back)),
                ("retention_seconds", seconds(retention)),
            ],
            Self::RetentionNotEnforced { obsolete, retention } => {
                vec![("backup_ids", ids(obsolete)), ("retention_seconds", seconds(retention))]
            }
            Self::ContentUnverified { kind, since, age_max, .. } => vec![
                ("kind", kind.code().to_owned()),
                ("since", time(*since)),
                ("age_max_seconds", seconds(age_max)),
            ],
            Self::VerificationStuck { cause, .. } => stuck_evidence(cause),
            Self::DeletedEarly { backups, histories, last_seen_at, retention } => {
                let mut evidence = vec![
                    ("last_seen", time(*last_seen_at)),
                    ("retention_seconds", seconds(retention)),
                ];
                if !backups.is_empty() {
                    evidence.push(("backup_ids", ids(backups)));
                }
                if !histories.is_empty() {
                    evidence.push(("histories", history_names(histories)));
                }
                evidence
            }
            Self::LifecycleRuleConflict { rules, retention } => {
                vec![("rules", rule_names(rules)), ("retention_seconds", seconds(retention))]
            }
        }
    }
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupOverdue { newest, age, age_max } => write!(
                f,
                "the newest usable backup, {newest}, is {} old, more than {}",
                duration(*age),
                duration(*age_max)
            ),
            Self::BackupNeverRan { waited, age_max } => write!(
                f,
                "no backup has run for {}, and one was due within {}",
                duration(*waited),
                duration(*age_max)
            ),
            Self::WalStale { newest, age, age_max, .. } => write!(
                f,
                "the newest WAL segment, {newest}, arrived {} ago, more than {}",
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
                "{} should have been deleted by the retention of {}, but nothing deletes: {}",
                count(obsolete.len(), "backup"),
                duration(*retention),
                ids(obsolete)
            ),
            Self::ContentUnverified { kind, since, age, age_max } => {
                write_unverified(f, *kind, *since, [*age, *age_max])
            }
            Self::VerificationStuck { backup, cause } => write_stuck(f, backup, cause),
            Self::DeletedEarly { backups, histories, last_seen_at, retention } => {
                let backups = (!backups.is_empty())
                    .then(|| format!("{}: {}", count(backups.len(), "base backup"), ids(backups)));
                let histories = (!histories.is_empty()).then(|| history_names(histories));
                let lost: Vec<String> = [backups, histories].into_iter().flatten().collect();
                write!(
                    f,
                    "deleted although the retention of {} still keeps it: {}; last seen {}",
                    duration(*retention),
                    lost.join("; "),
                    time(*last_seen_at)
                )
            }
            Self::LifecycleRuleConflict { rules, retention } => write!(
                f,
                "the bucket's {} deletes what the retention of {} still keeps",
                rule_names(rules),
                duration(*retention)
            ),
        }
    }
}

fn write_unverified(
    f: &mut fmt::Formatter<'_>,
    kind: ContentKind,
    since: DateTime<Utc>,
    [age, age_max]: [TimeDelta; 2],
) -> fmt::Result {
    let (since, age, age_max) = (time(since), duration(age), duration(age_max));
    match kind {
        ContentKind::BaseBackups => write!(
            f,
            "no usable base backup has been read to its last byte since {since}, {age} ago, more \
             than {age_max}"
        ),
        ContentKind::Wal => write!(
            f,
            "a restore to now needs WAL from after {since} that has not been read to its last byte: \
             {age} old, more than {age_max}"
        ),
    }
}

fn stuck_evidence(cause: &StuckCause) -> Evidence {
    let mut evidence = vec![("cause", cause.code().to_owned())];
    match cause {
        StuckCause::Pending { since } => evidence.push(("since", time(*since))),
        StuckCause::Failing { attempts, why } => {
            evidence.extend([("attempts", attempts.to_string()), ("why", why.clone())]);
        }
        StuckCause::OutOfMemory { attempts } => evidence.push(("attempts", attempts.to_string())),
        StuckCause::Refused { why } => evidence.push(("why", why.clone())),
    }
    evidence
}

fn write_stuck(f: &mut fmt::Formatter<'_>, backup: &BackupId, cause: &StuckCause) -> fmt::Result {
    match cause {
        StuckCause::Pending { since } => write!(
            f,
            "the Job that reads base backup {backup} to its last byte has had no running pod since \
             {}",
            time(*since)
        ),
        StuckCause::Failing { attempts, why } => write!(
            f,
            "{} in a day did not finish reading base backup {backup} to its last byte; the last \
             one: {why}",
            count(*attempts, "Job")
        ),
        StuckCause::OutOfMemory { attempts } => write!(
            f,
            "{} in a day did not finish reading base backup {backup} to its last byte; the last \
             one ran out of memory",
            count(*attempts, "Job")
        ),
        StuckCause::Refused { why } => write!(
            f,
            "Kubernetes refuses the Job that would read base backup {backup} to its last byte, so \
             the daemon reads it itself: {why}"
        ),
    }
}

fn history_names(timelines: &[TimelineId]) -> String {
    let names = timelines.iter().take(NAMED_MAX);
    names.map(|it| format!("{:08X}.history", it.value())).collect::<Vec<_>>().join(", ")
}

fn rule_names(rules: &[(String, u32)]) -> String {
    let names = rules.iter().take(NAMED_MAX);
    names.map(|(id, days)| format!("rule {id:?} after {days} d")).collect::<Vec<_>>().join(", ")
}

/// Enough to see what is wrong.
const NAMED_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_no_job_reads_is_told_with_the_reason() {
        let why = || "it left no result: Evicted".to_owned();
        let since = "2026-01-10T12:00:00Z".parse().unwrap();
        for (cause, sentence) in [
            (
                StuckCause::Pending { since },
                "the Job that reads base backup 20260110T020000 to its last byte has had no \
                 running pod since 2026-01-10T12:00:00Z",
            ),
            (
                StuckCause::Failing { attempts: 3, why: why() },
                "3 Jobs in a day did not finish reading base backup 20260110T020000 to its last \
                 byte; the last one: it left no result: Evicted",
            ),
            (
                StuckCause::OutOfMemory { attempts: 1 },
                "1 Job in a day did not finish reading base backup 20260110T020000 to its last \
                 byte; the last one ran out of memory",
            ),
            (
                StuckCause::Refused { why: "HTTP 403, exceeded quota".to_owned() },
                "Kubernetes refuses the Job that would read base backup 20260110T020000 to its \
                 last byte, so the daemon reads it itself: HTTP 403, exceeded quota",
            ),
        ] {
            let code = cause.code();
            let backup = BackupId::parse("20260110T020000").unwrap();
            let promise = BrokenPromise::VerificationStuck { backup, cause };
            assert_eq!(promise.to_string(), sentence);
            assert_eq!(promise.evidence().first(), Some(&("cause", code.to_owned())));
            assert_eq!(promise.identity().0, FindingCode::ContentVerificationStuck);
        }
    }
}
