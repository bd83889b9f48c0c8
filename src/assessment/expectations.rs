//! What an archive is held to. Only what somebody promised is expected.

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::domain::cluster::DrillKind;
use crate::domain::moment::together;
use crate::domain::schedule::Schedule;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// How old the newest usable backup may be.
    pub base_backup_age_max: Option<TimeDelta>,
    /// How long ago the newest segment may have been uploaded.
    pub wal_age_max: Option<TimeDelta>,
    /// How long a missing segment may still be on its way while later ones are there already.
    pub uploading_grace: TimeDelta,
    /// How far back every moment must be reachable.
    pub retention: Option<TimeDelta>,
    pub schedule: Option<Schedule>,
    /// How often the archive is looked at.
    pub check_interval: Option<TimeDelta>,
    /// Gaps before this moment are known and accepted.
    pub acknowledge_gap_before: Option<DateTime<Utc>>,
    /// Somebody named the endpoints that may be asked, and means it where one of them is plain http.
    pub accepts_plain_http: bool,
    /// What is read to its last byte beside the looks; `None` where nothing is.
    pub content: Option<ContentExpectation>,
    pub drills: DrillExpectation,
}

/// How often what is stored is read to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentExpectation {
    pub reads_wal: bool,
    pub base_backups_every: Option<TimeDelta>,
    /// Base backups in storage classes of which each read is billed as well.
    pub reads_infrequent_backups: bool,
}

/// How often restores are rehearsed, and how long one may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrillExpectation {
    /// Something runs them, so that a cluster without any has missed them.
    pub are_run: bool,
    /// `None` is never.
    pub pitr_every: Option<TimeDelta>,
    pub full_every: Option<TimeDelta>,
    pub recovery_time_objective: TimeDelta,
}

/// What happens each month is not late before two weeks more, each quarter a month more.
const DRILL_GRACE_MAX: TimeDelta = TimeDelta::days(30);

impl DrillExpectation {
    pub const fn every(&self, kind: DrillKind) -> Option<TimeDelta> {
        match kind {
            DrillKind::Pitr => self.pitr_every,
            DrillKind::Full => self.full_every,
        }
    }

    /// How long ago the last drill of a kind may be.
    pub fn age_max(&self, kind: DrillKind) -> Option<TimeDelta> {
        let every = self.every(kind)?;
        let half = every.checked_div(2).unwrap_or(every);
        Some(together(every, half.min(DRILL_GRACE_MAX)))
    }
}

impl Default for DrillExpectation {
    fn default() -> Self {
        Self {
            are_run: false,
            pitr_every: Some(TimeDelta::days(30)),
            full_every: Some(TimeDelta::days(90)),
            recovery_time_objective: TimeDelta::hours(2),
        }
    }
}
