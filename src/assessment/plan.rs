//! Can a moment be restored, from which backup, and if not, which moments are nearest?

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::Latest;
use crate::assessment::RecoveryWindow;
use crate::assessment::TimeSource;
use crate::domain::backup::BackupId;
use crate::domain::moment::before;
use crate::domain::timeline::TimelineId;

/// What the operator wants back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The newest archived state.
    Latest,
    At(DateTime<Utc>),
}

/// The answer to *can I restore to …*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePlan {
    Reachable(Restore),
    NotReachable(Obstruction),
    Unknown { why: String },
}

/// How to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    pub window: RecoveryWindow,
    /// What recovery is told to stop before; `None` lets it replay everything.
    pub stop_at: Option<DateTime<Utc>>,
    pub base_bytes: u64,
    /// The stored size of the WAL on the way, from the mean size of a segment, at most: where in
    /// it the target lies is not known before it is read.
    pub wal_bytes_max: u64,
}

/// Why not, and what is possible instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstruction {
    pub why: String,
    /// The last moment before the target that can be restored.
    pub nearest_before: Option<DateTime<Utc>>,
    /// The first moment after it.
    pub nearest_after: Option<DateTime<Utc>>,
}

/// PostgreSQL counts transaction times in microseconds.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

impl RestorePlan {
    pub fn new(assessment: &Assessment, target: Target) -> Self {
        match target {
            Target::Latest => to_latest(assessment),
            Target::At(at) => to_moment(assessment, at),
        }
    }
}

impl RecoveryWindow {
    /// The last moment that recovery can be told to stop at: it needs a later transaction to know
    /// that the moment has passed (`recoveryStopsBefore` in `xlogrecovery.c`).
    fn last_target(&self) -> DateTime<Utc> {
        before(self.last.at, MOMENT).max(self.first.at)
    }

    fn contains(&self, at: DateTime<Utc>) -> bool {
        self.first.at <= at && at < self.last.at
    }
}

fn to_latest(assessment: &Assessment) -> RestorePlan {
    let newest = assessment.newest_segment.map(|newest| newest.name);
    let mut windows = assessment.windows.iter().rev();
    let reaching = windows.find(|window| Some(window.last.segment) == newest);
    match (assessment.latest, reaching) {
        (Latest::Reached, Some(window)) => {
            RestorePlan::Reachable(Restore::new(assessment, window, None))
        }
        (Latest::Unknown, _) => unknown(assessment),
        (Latest::Reached | Latest::NotReached, _) => {
            let nearest_before = assessment.windows.iter().map(RecoveryWindow::last_target).max();
            let why = match nearest_before {
                Some(_) => "no usable backup reaches the newest archived state".to_owned(),
                None => "there is no usable backup".to_owned(),
            };
            RestorePlan::NotReachable(Obstruction { why, nearest_before, nearest_after: None })
        }
    }
}

fn to_moment(assessment: &Assessment, at: DateTime<Utc>) -> RestorePlan {
    let is_newest_commit =
        |window: &&RecoveryWindow| window.last.at == at && window.last.source == TimeSource::Commit;
    if assessment.windows.iter().any(|window| is_newest_commit(&window)) {
        // Nothing later tells recovery to stop here; without a target it ends here by itself.
        if let RestorePlan::Reachable(restore) = to_latest(assessment)
            && restore.window.last.at == at
        {
            return RestorePlan::Reachable(restore);
        }
    }
    // From the newest backup there is the least WAL to replay; one that takes no explicit target
    // timeline lies on the current one.
    let candidates = assessment.windows.iter().filter(|window| window.contains(at));
    let best = candidates.max_by_key(|window| (window.target_timeline.is_none(), window.first.at));
    match best {
        Some(window) if window.last.source == TimeSource::Commit => {
            RestorePlan::Reachable(Restore::new(assessment, window, Some(at)))
        }
        Some(window) if has_proof(assessment, window, at) => {
            RestorePlan::Reachable(Restore::new(assessment, window, Some(at)))
        }
        Some(_) => RestorePlan::Unknown {
            why: "the newest commit in the archived WAL could not be read, so whether a \
                  transaction follows the target is not known"
                .to_owned(),
        },
        None if assessment.observed_at.is_none() && assessment.windows.is_empty() => {
            unknown(assessment)
        }
        None => RestorePlan::NotReachable(obstruction(assessment, at)),
    }
}

/// Another window with a known commit after the target on the same segments proves this one too.
fn has_proof(assessment: &Assessment, window: &RecoveryWindow, at: DateTime<Utc>) -> bool {
    assessment.windows.iter().any(|other| {
        other.last.source == TimeSource::Commit
            && at < other.last.at
            && other.last.segment <= window.last.segment
            && other.last.segment.timeline == window.last.segment.timeline
    })
}

fn obstruction(assessment: &Assessment, at: DateTime<Utc>) -> Obstruction {
    // A window without a later commit can be restored to its end only, not to a moment.
    let windows = || assessment.windows.iter().filter(|window| window.first.at < window.last.at);
    let before = windows().map(RecoveryWindow::last_target).filter(|last| *last < at).max();
    let after = windows().map(|window| window.first.at).filter(|first| at < *first).min();
    let why = match (before, after) {
        (None, None) => "there is no usable backup",
        (None, Some(_)) => "the oldest usable backup is newer",
        (Some(_), None) => {
            "no transaction in the archived WAL is newer, and PostgreSQL refuses a target that it \
             never passes"
        }
        (Some(_), Some(_)) => "the WAL of that moment is missing or was not yet backed up again",
    };
    Obstruction { why: why.to_owned(), nearest_before: before, nearest_after: after }
}

fn unknown(assessment: &Assessment) -> RestorePlan {
    let finding = assessment.findings.first();
    let why =
        finding.map_or_else(|| "the archive was not read yet".to_owned(), ToString::to_string);
    RestorePlan::Unknown { why }
}

impl Restore {
    fn new(
        assessment: &Assessment,
        window: &RecoveryWindow,
        stop_at: Option<DateTime<Utc>>,
    ) -> Self {
        let backup = assessment.backups.iter().find(|backup| backup.id == window.backup_id);
        let totals = &assessment.totals;
        let mean = totals.wal_bytes.checked_div(totals.wal_objects).unwrap_or(0);
        let segments: u64 = window.path.iter().map(|stretch| stretch.count).sum();
        Self {
            window: window.clone(),
            stop_at,
            base_bytes: backup.map_or(0, |backup| backup.size_bytes),
            wal_bytes_max: segments.saturating_mul(mean),
        }
    }

    pub const fn backup_id(&self) -> &BackupId {
        &self.window.backup_id
    }

    /// What recovery must be told where its own choice would not work.
    pub const fn target_timeline(&self) -> Option<TimelineId> {
        self.window.target_timeline
    }
}
