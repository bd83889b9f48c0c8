//! A restore drill that was run, as it is written down: by `drill -o json`, and by the runner in a
//! `ConfigMap` that the daemon reads.

use std::fmt;

use chrono::DateTime;
use chrono::Utc;
use serde::Deserialize;
use serde::Serialize;

use crate::domain::cluster::DrillKind;
use crate::domain::lsn::Lsn;

/// The document of one drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct DrillReport {
    /// Of the form of this document: [`DrillReport::FORM`].
    pub form: u32,
    pub kind: DrillKind,
    pub way: DrillWay,
    /// Empty where only an address was named.
    pub namespace: String,
    pub cluster: String,
    pub server_name: String,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub class: DrillClass,
    /// In one sentence, what came of it.
    pub detail: String,
    pub backup_id: Option<String>,
    pub target: DrillTarget,
    /// In the order in which they passed; without those that were not reached or not seen.
    pub phases: Vec<DrillPhase>,
    pub volume: DrillVolume,
    pub predicted: Option<RecoveryEnd>,
    pub reached: Option<RecoveryEnd>,
    pub checks: Vec<CheckResult>,
    pub versions: DrillVersions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillWay {
    /// By PostgreSQL's own binaries, where the command ran.
    Local,
    /// By CloudNativePG and the Barman Cloud Plugin, as a cluster is recovered in earnest.
    Operator,
}

/// What recovery was told, and how that was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillTarget {
    /// `None` is the newest state.
    pub time: Option<DateTime<Utc>>,
    /// Where recovery was told the end of the log to stop at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<Lsn>,
    pub timeline: Option<u32>,
    /// Draws the same target again.
    pub seed: Option<u64>,
}

/// A part of the time that a restore takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillPhase {
    pub name: PhaseName,
    pub seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Until the pod that restores runs: scheduling, volumes, images.
    Start,
    /// Until the base backup lies on disk.
    Base,
    /// From there until recovery has reached its end.
    Replay,
    /// Until the server takes connections as a primary.
    Promote,
    /// Until the checks have ended.
    Check,
}

/// How much a restore read, of what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillVolume {
    pub base_bytes: u64,
    pub wal_bytes: u64,
    pub wal_segments: u64,
}

/// Where recovery ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryEnd {
    pub system_identifier: Option<u64>,
    /// The one that was left, not the new one.
    pub timeline: u32,
    /// Behind the last record that was replayed.
    pub lsn: Lsn,
    /// The end of the newest transaction that was replayed.
    pub last_transaction_at: Option<DateTime<Utc>>,
}

/// One thing that the restored database was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    pub name: String,
    pub is_passed: bool,
    /// Never what the database answered.
    pub detail: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillVersions {
    pub verifier: String,
    pub postgres: Option<String>,
    pub operator: Option<String>,
}

/// Who is to act on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrillGroup {
    Success,
    /// It cannot be restored as it was promised.
    Archive,
    /// It can be, by other settings.
    Settings,
    /// Nothing is known of the archive.
    Platform,
    /// Something was left behind.
    Cleanup,
}

macro_rules! classes {
    ($($name:ident => $code:literal in $group:ident,)+) => {
        /// How a drill ended.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum DrillClass {
            $($name,)+
        }

        impl DrillClass {
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            pub const fn group(self) -> DrillGroup {
                match self {
                    $(Self::$name => DrillGroup::$group,)+
                }
            }
        }
    };
}

classes! {
    Succeeded => "succeeded" in Success,
    Denied => "denied" in Archive,
    BackupNotFound => "backup_not_found" in Archive,
    BaseUnreadable => "base_unreadable" in Archive,
    WalMissing => "wal_missing" in Archive,
    TargetNotReached => "target_not_reached" in Archive,
    StoppedEarly => "stopped_early" in Archive,
    WrongTimeline => "wrong_timeline" in Archive,
    CheckFailed => "check_failed" in Archive,
    ParametersInsufficient => "parameters_insufficient" in Settings,
    TablespaceMissing => "tablespace_missing" in Settings,
    OperatorDropsTimelines => "operator_drops_timelines" in Settings,
    Quota => "quota" in Platform,
    Unschedulable => "unschedulable" in Platform,
    Image => "image" in Platform,
    Storage => "storage" in Platform,
    Network => "network" in Platform,
    Oom => "oom" in Platform,
    Plugin => "plugin" in Platform,
    Webhook => "webhook" in Platform,
    Timeout => "timeout" in Platform,
    CleanupFailed => "cleanup_failed" in Cleanup,
}

impl DrillReport {
    pub const FORM: u32 = 1;

    pub fn is_success(&self) -> bool {
        self.class == DrillClass::Succeeded
    }

    /// Whether recovery ended where it was predicted; `None` where nothing was predicted or seen.
    pub fn matches_prediction(&self) -> Option<bool> {
        let (predicted, reached) = (self.predicted.as_ref()?, self.reached.as_ref()?);
        Some(predicted.timeline == reached.timeline && predicted.lsn == reached.lsn)
    }
}

impl PhaseName {
    pub const ALL: [Self; 5] = [Self::Start, Self::Base, Self::Replay, Self::Promote, Self::Check];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Base => "base",
            Self::Replay => "replay",
            Self::Promote => "promote",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for DrillClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_what_is_written_down() {
        for class in DrillClass::ALL {
            let written = serde_json::to_value(class).unwrap();
            assert_eq!(written, class.code(), "{class:?}");
        }
        for phase in PhaseName::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.code(), "{phase:?}");
        }
    }

    fn end(timeline: u32, lsn: &str) -> RecoveryEnd {
        let lsn = lsn.parse().unwrap();
        RecoveryEnd { system_identifier: None, timeline, lsn, last_transaction_at: None }
    }

    #[test]
    fn a_prediction_holds_to_the_byte() {
        let report = |predicted, reached| DrillReport {
            form: DrillReport::FORM,
            kind: DrillKind::Full,
            way: DrillWay::Local,
            namespace: String::new(),
            cluster: String::new(),
            server_name: "main".to_owned(),
            began_at: DateTime::UNIX_EPOCH,
            ended_at: DateTime::UNIX_EPOCH,
            class: DrillClass::Succeeded,
            detail: String::new(),
            backup_id: None,
            target: DrillTarget::default(),
            phases: Vec::new(),
            volume: DrillVolume::default(),
            predicted,
            reached,
            checks: Vec::new(),
            versions: DrillVersions::default(),
        };
        let matches = |predicted, reached| report(predicted, reached).matches_prediction();
        assert_eq!(matches(Some(end(1, "0/7000000")), Some(end(1, "0/7000000"))), Some(true));
        assert_eq!(matches(Some(end(1, "0/7000000")), Some(end(1, "0/7000028"))), Some(false));
        assert_eq!(matches(Some(end(1, "0/7000000")), Some(end(2, "0/7000000"))), Some(false));
        assert_eq!(matches(None, Some(end(1, "0/7000000"))), None);
        let whole = report(Some(end(1, "0/7")), Some(end(1, "0/7")));
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<DrillReport>(&text).unwrap(), whole);
    }
}
