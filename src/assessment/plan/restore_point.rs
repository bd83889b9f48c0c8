//! A target that was given a name in the log. Where it is shows the WAL alone, so the ways to look for
//! it are told first, and the plan is made of what was found.

use std::sync::Arc;

use crate::assessment::Assessment;
use crate::assessment::RecoveryWindow;
use crate::assessment::plan::Doubt;
use crate::assessment::plan::RestorePlan;
use crate::assessment::plan::Stop;
use crate::assessment::plan::Why;
use crate::assessment::plan::asked::Asked;
use crate::domain::lsn::Lsn;
use crate::domain::recovery_target::Question;

/// What was found on the ways to look for a restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Recovery stops on this way, at the first point of the name.
    pub way: Option<&'a RecoveryWindow>,
    /// Whether there are points before the end of a backup, where recovery cannot stop.
    pub is_any_too_early: bool,
}

impl RecoveryWindow {
    /// Whether recovery can stop here: before the end of the backup it gives up (`reachedConsistency` in
    /// `xlogrecovery.c`).
    pub fn is_consistent_at(&self, lsn: Lsn) -> bool {
        self.first.lsn <= lsn
    }
}

impl RestorePlan {
    /// Where a restore point may lie: the way with the least WAL first, those to branches that the
    /// archive left after all others.
    pub fn ways<'a>(assessment: &'a Assessment, question: &'a Question) -> Vec<&'a RecoveryWindow> {
        let asked = Asked { assessment, question };
        if asked.refusal_of_backup().is_some() {
            return Vec::new();
        }
        let mut ways: Vec<&RecoveryWindow> = asked.windows().rev().collect();
        // Stable: the newest stay first.
        ways.sort_by_key(|it| (it.apart_from.is_some(), it.system.is_some()));
        ways
    }

    /// What comes of a search on these ways, or of one that did not end.
    pub fn to_restore_point(
        assessment: &Assessment,
        question: &Question,
        name: &Arc<str>,
        found: Result<Found<'_>, Doubt>,
    ) -> Self {
        let asked = Asked { assessment, question };
        if let Some(refusal) = asked.refusal_of_backup() {
            return refusal;
        }
        match found {
            Err(doubt) => Self::Unknown(doubt),
            Ok(Found { way: Some(window), .. }) => {
                asked.restore(window, Stop::RestorePoint(Arc::clone(name)), Vec::new())
            }
            Ok(_) if assessment.observed_at.is_none() => asked.unknown(),
            Ok(_) if asked.windows().next().is_none() => {
                Asked::not_reachable(Why::NoUsableBackup, None, None)
            }
            Ok(Found { is_any_too_early, .. }) => {
                let name = name.to_string();
                let why = if is_any_too_early {
                    Why::RestorePointTooEarly(name)
                } else {
                    Why::NoSuchRestorePoint(name)
                };
                Asked::not_reachable(why, None, None)
            }
        }
    }
}
