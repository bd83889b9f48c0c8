//! What restore drills show, and what they leave open.

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::family::Evidence;
use crate::assessment::finding::family::Family;
use crate::assessment::finding::topic::Topic;
use crate::assessment::finding::words::duration;
use crate::assessment::finding::words::time;
use crate::domain::cluster::DrillKind;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillGroup;
use crate::domain::drill::RecoveryEnd;

/// A restore that did not end as promised, or was not tried in time, or would take too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    Overdue {
        kind: DrillKind,
        /// `None` if there never was one.
        last_at: Option<DateTime<Utc>>,
        age: TimeDelta,
        age_max: TimeDelta,
    },
    Failed {
        kind: DrillKind,
        at: DateTime<Utc>,
        /// `None` of one that was written down by hand.
        how: Option<Failure>,
    },
    /// Something else got in its way.
    Inconclusive {
        kind: DrillKind,
        at: DateTime<Utc>,
        how: Failure,
    },
    TooSlow {
        lower: TimeDelta,
        upper: TimeDelta,
        objective: TimeDelta,
    },
}

/// How a drill ended that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: DrillClass,
    /// In the words of who ran it.
    pub detail: String,
    /// What was to be restored, and from which backup.
    pub target: String,
    /// Where recovery was to end and where it did, if not there.
    pub ends: Option<(RecoveryEnd, RecoveryEnd)>,
}

impl Family for Rehearsal {
    fn identity(&self) -> (FindingCode, Topic<'_>) {
        match self {
            Self::Overdue { kind, .. } => (FindingCode::RestoreDrillOverdue, Topic::Drill(*kind)),
            Self::Failed { kind, .. } => (FindingCode::RestoreDrillFailed, Topic::Drill(*kind)),
            Self::Inconclusive { kind, .. } => {
                (FindingCode::RestoreDrillInconclusive, Topic::Drill(*kind))
            }
            Self::TooSlow { .. } => (FindingCode::RecoveryTooSlow, Topic::Whole),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Failed { how: Some(how), .. } | Self::Inconclusive { how, .. } => {
                remedy(how.class)
            }
            Self::Overdue { last_at: None, .. } => {
                "check that the CronJob for drills runs, and what its last Job says: kubectl get \
                 cronjobs,jobs -n DRILL_NAMESPACE"
            }
            Self::Overdue { .. } | Self::Failed { how: None, .. } => {
                "restore into a new cluster, then write the result into the annotation \
                 backup-verifier.monosense.dev/restore-drill-TOPIC"
            }
            Self::TooSlow { .. } => {
                "take base backups more often, so that less WAL is replayed; see which phase of \
                 the drills takes the time; or raise drills.recovery_time_objective"
            }
        }
    }

    fn evidence(&self) -> Evidence {
        let how = |at: &DateTime<Utc>, how: Option<&Failure>| {
            let mut evidence = vec![("at", time(*at))];
            evidence.extend(how.map(|it| ("class", it.class.code().to_owned())));
            evidence
        };
        match self {
            Self::Overdue { last_at, .. } => {
                last_at.iter().map(|last_at| ("last", time(*last_at))).collect()
            }
            Self::Failed { at, how: failure, .. } => how(at, failure.as_ref()),
            Self::Inconclusive { at, how: failure, .. } => how(at, Some(failure)),
            Self::TooSlow { lower, upper, objective } => {
                let seconds = |it: &TimeDelta| it.num_seconds().to_string();
                vec![
                    ("lower_seconds", seconds(lower)),
                    ("upper_seconds", seconds(upper)),
                    ("objective_seconds", seconds(objective)),
                ]
            }
        }
    }
}

/// What to do about a class of failure.
const fn remedy(class: DrillClass) -> &'static str {
    match class {
        DrillClass::ParametersInsufficient => {
            "recover with max_connections and the like as high as the server had them: the drill's \
             result names the parameter, and kubectl cnpg status -n NAMESPACE CLUSTER shows the \
             present values"
        }
        DrillClass::TablespaceMissing => "a tablespace is younger than the backup: TAKE_A_BACKUP",
        DrillClass::OperatorDropsTimelines => {
            "upgrade CloudNativePG to a version that keeps history files (1.28.4, 1.29.2, 1.30), \
             or avoid the problem with a new backup: TAKE_A_BACKUP"
        }
        DrillClass::Denied => {
            "give the ObjectStore in the drills' namespace a key that may list and read the archive"
        }
        DrillClass::CleanupFailed => {
            "the next drill waits until it is gone; see what is left: kubectl get \
             clusters.postgresql.cnpg.io,pods,persistentvolumeclaims -A -l \
             backup-verifier.monosense.dev/drill-id"
        }
        DrillClass::Quota | DrillClass::Unschedulable | DrillClass::Oom | DrillClass::Storage => {
            "give the drills' namespace as much room as the cluster has, or drill when there is \
             room"
        }
        DrillClass::Image
        | DrillClass::Network
        | DrillClass::Plugin
        | DrillClass::Webhook
        | DrillClass::Timeout => {
            "a real recovery would hit the same problem: read the result and the events in the \
             drills' namespace"
        }
        DrillClass::Succeeded
        | DrillClass::BackupNotFound
        | DrillClass::BaseUnreadable
        | DrillClass::WalMissing
        | DrillClass::TargetNotReached
        | DrillClass::StoppedEarly
        | DrillClass::WrongTimeline
        | DrillClass::CheckFailed => {
            "read the drill's result, and have the content verified; until the cause is known, \
             TAKE_A_BACKUP"
        }
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overdue { kind, last_at: Some(last_at), age, age_max } => write!(
                f,
                "the last {} restore drill, at {}, is {} ago, more than {}",
                kind.code(),
                time(*last_at),
                duration(*age),
                duration(*age_max)
            ),
            Self::Overdue { kind, last_at: None, age, age_max } => write!(
                f,
                "no {} restore drill has ever been recorded; the cluster has existed for {}, more \
                 than {}",
                kind.code(),
                duration(*age),
                duration(*age_max)
            ),
            Self::Failed { kind, at, how } => {
                write!(f, "the {} restore drill at {} failed", kind.code(), time(*at))?;
                how.as_ref().map_or(Ok(()), |how| write!(f, ": {how}"))
            }
            Self::Inconclusive { kind, at, how } => {
                let (kind, at) = (kind.code(), time(*at));
                match how.class.group() {
                    DrillGroup::Cleanup => {
                        write!(f, "the {kind} restore drill at {at} left something behind: {how}")
                    }
                    DrillGroup::Success
                    | DrillGroup::Archive
                    | DrillGroup::Settings
                    | DrillGroup::Platform => {
                        write!(
                            f,
                            "the {kind} restore drill at {at} proves nothing about the archive: \
                             {how}"
                        )
                    }
                }
            }
            Self::TooSlow { lower, upper, objective } => write!(
                f,
                "judging by past drills, a recovery to now would take {} to {}; the objective is \
                 {}",
                duration(*lower),
                duration(*upper),
                duration(*objective)
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, detail, target, ends } = self;
        match ends {
            Some((predicted, reached)) if *class == DrillClass::Succeeded => write!(
                f,
                "recovery ended at {} on timeline {}, but should have ended at {} on timeline {}",
                reached.lsn, reached.timeline, predicted.lsn, predicted.timeline
            )?,
            Some(_) | None => write!(f, "{class}")?,
        }
        if !detail.is_empty() {
            write!(f, ", {detail}")?;
        }
        write!(f, " (to {target})")
    }
}
