//! Whether a restored server ended where it was to end. That it answers proves nothing: with a segment
//! missing PostgreSQL promotes as well, and answers.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::TimeSource;
use crate::assessment::plan::Restore;
use crate::assessment::plan::Stop;
use crate::domain::drill::DrillClass;
use crate::domain::drill::RecoveryEnd;
use crate::domain::lsn::Lsn;
use crate::domain::operator_version::OperatorVersion;
use crate::domain::timeline::TimelineId;
use crate::restore::history::Written;
use crate::restore::questions::RecoveryTold;
use crate::service::drill::operator::classes::Failure;

/// What the archive promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    system_identifier: Option<u64>,
    stop: Stop,
    /// The end of the last segment on the way.
    end: RecoveryEnd,
    /// Where the log itself says that recovery ends; `None` where it was not read.
    foretold: Option<RecoveryEnd>,
    /// Where that segment begins.
    last_segment_begins: Lsn,
    follows: TimelineId,
    backups_timeline: TimelineId,
}

impl Promise {
    pub(super) fn of(
        assessment: &Assessment,
        restore: &Restore,
        foretold: Option<RecoveryEnd>,
    ) -> Self {
        let window = &restore.window;
        let last = window.last.segment.timeline;
        let living = assessment.systems.iter().find(|system| system.is_living);
        let size = window.segment_size.bytes();
        let system_identifier = window.system.or(living.map(|it| it.system));
        let is_commit = window.last.source == TimeSource::Commit;
        Self {
            system_identifier,
            stop: restore.stop.clone(),
            end: RecoveryEnd {
                system_identifier,
                timeline: last.value(),
                lsn: window.last.lsn,
                last_transaction_at: is_commit.then_some(window.last.at),
            },
            foretold,
            last_segment_begins: Lsn::new(window.last.lsn.value().saturating_sub(size)),
            follows: restore.target_timeline().unwrap_or(last),
            backups_timeline: window.path.first().map_or(last, |it| it.first.timeline),
        }
    }

    /// Where it ended, or that nobody can say.
    pub(super) fn reached(told: &RecoveryTold) -> Option<(RecoveryEnd, Written)> {
        let written = Written::parse(told.timeline, told.history.as_bytes())?;
        let end = RecoveryEnd {
            system_identifier: Some(told.system_identifier),
            timeline: written.ended_on.value(),
            lsn: written.lsn,
            last_transaction_at: None,
        };
        Some((end, written))
    }

    /// What of it was not kept.
    pub(super) fn judge(&self, end: &RecoveryEnd, written: &Written) -> Result<(), Failure> {
        let system = self.system_identifier.zip(end.system_identifier);
        if let Some((promised, found)) = system.filter(|(promised, found)| promised != found) {
            let why = format!("it is server {found}, and the archive is that of server {promised}");
            return Err(Failure::new(DrillClass::BackupNotFound, why));
        }
        if written.followed != self.follows {
            return Err(self.wrong_timeline(written));
        }
        match &self.stop {
            Stop::Never => self.judge_newest(end, written),
            Stop::Consistent => Ok(()),
            stop @ (Stop::At(_) | Stop::Lsn(_) | Stop::RestorePoint(_)) => {
                judge_stop(stop, end, written)?;
                self.judge_byte(end)
            }
        }
    }

    /// A target is passed at one byte of the log, whatever came to the archive since.
    fn judge_byte(&self, end: &RecoveryEnd) -> Result<(), Failure> {
        match &self.foretold {
            Some(foretold) if foretold.lsn != end.lsn || foretold.timeline != end.timeline => {
                let why = format!(
                    "recovery ended at {} on timeline {}; predicted was {} on timeline {}",
                    end.lsn, end.timeline, foretold.lsn, foretold.timeline
                );
                Err(Failure::new(DrillClass::StoppedEarly, why))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn wrong_timeline(&self, written: &Written) -> Failure {
        let Written { followed, lsn, .. } = written;
        let why = format!(
            "recovery followed timeline {followed} to {lsn}, where {} was to be followed",
            self.follows
        );
        Failure::new(DrillClass::WrongTimeline, why)
    }

    /// A recovery that leads over several timelines and gets no history file stays on the first, or gives up:
    /// the archive is not to blame for that.
    pub(super) fn explained(&self, failure: Failure, operator: Option<OperatorVersion>) -> Failure {
        let is_over_several = self.backups_timeline != self.follows;
        let dropping = operator.filter(|it| is_over_several && it.drops_histories());
        match (failure.class, dropping) {
            (DrillClass::WrongTimeline, Some(version)) => {
                let why =
                    format!("{}; CloudNativePG {version} refuses history files", failure.detail);
                Failure::new(DrillClass::OperatorDropsTimelines, why)
            }
            _ => failure,
        }
    }

    /// Segments are archived whole, so whoever read the last one got behind its beginning. What was
    /// archived meanwhile is more.
    fn judge_newest(&self, end: &RecoveryEnd, written: &Written) -> Result<(), Failure> {
        let is_short = self.foretold.as_ref().is_some_and(|foretold| end.lsn < foretold.lsn);
        if is_short || end.lsn <= self.last_segment_begins {
            let why = format!(
                "recovery ended at {} ({}), and the archive reaches to {}",
                end.lsn, written.reason, self.end.lsn
            );
            return Err(Failure::new(DrillClass::StoppedEarly, why));
        }
        Ok(())
    }

    /// The moment that is restored, as far as it is known.
    pub(super) fn moment(&self) -> Option<DateTime<Utc>> {
        match self.stop {
            Stop::At(at) => Some(at),
            Stop::Never => self.end.last_transaction_at,
            Stop::Lsn(_) | Stop::RestorePoint(_) | Stop::Consistent => None,
        }
    }

    /// What is written down beside what was reached: nothing where it was promised less exactly than by
    /// a byte, since the last record goes on in a segment that is not there or more was archived since.
    pub(super) fn predicted(&self, reached: Option<&RecoveryEnd>) -> Option<RecoveryEnd> {
        let is_newest = self.stop == Stop::Never;
        if let Some(foretold) = &self.foretold {
            let is_more = |reached: &RecoveryEnd| is_newest && foretold.lsn < reached.lsn;
            return (!reached.is_some_and(is_more)).then(|| foretold.clone());
        }
        let is_kept = |reached: &RecoveryEnd| {
            reached.lsn != self.end.lsn && self.last_segment_begins < reached.lsn
        };
        (is_newest && !reached.is_some_and(is_kept)).then(|| self.end.clone())
    }
}

fn judge_stop(stop: &Stop, end: &RecoveryEnd, written: &Written) -> Result<(), Failure> {
    let reason = written.reason.as_str();
    let is_kept = match stop {
        Stop::At(at) => {
            let (side, time) = reason.split_once(' ').unwrap_or((reason, ""));
            // Recovery stops before the first transaction that ended later.
            ["before", "after"].contains(&side) && time_of(time).is_none_or(|it| *at <= it)
        }
        Stop::Lsn(_) => reason.contains("LSN"),
        Stop::RestorePoint(name) => reason.contains(name.as_ref()),
        Stop::Never | Stop::Consistent => true,
    };
    if is_kept {
        return Ok(());
    }
    let why = format!("recovery ended at {} because of {reason:?}, not at its target", end.lsn);
    Err(Failure::new(DrillClass::TargetNotReached, why))
}

/// As PostgreSQL writes it, with an offset of hours alone.
fn time_of(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
    parsed.ok().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests;
