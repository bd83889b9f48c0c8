//! What is to be done next about a base backup that a Job should read. Asks nobody and does nothing.

use std::fmt;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::observation::backup_result::BackupResult;
use crate::observation::backup_result::ReadBackup;
use crate::observation::backup_result::ReadingKey;
use crate::observation::backup_result::ResultFlaw;
use crate::observation::content::StuckCause;
use crate::observation::folder_sums::ObjectSum;
use crate::observation::job::JobEnd;
use crate::observation::job::JobState;
use crate::observation::job::ObservedJob;

/// What is known of one backup.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) key: &'a ReadingKey,
    /// Over its objects, as they are listed now.
    pub(super) sum: Option<ObjectSum>,
    /// The Job of its name.
    pub(super) job: Option<&'a ObservedJob>,
    pub(super) attempts: &'a Attempts,
    pub(super) now: DateTime<Utc>,
}

/// Whether there may be another Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    /// Where there is room for it.
    Create,
    /// It was read. The Job has done its work.
    Take(ReadBackup),
    /// Its Job says nothing of use.
    Discard(Failure),
    /// What its Job had to say was taken before.
    Sweep,
}

/// Why a Job that is over says nothing of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    OutOfMemory,
    Silent(String),
    Flaw(ResultFlaw),
}

/// What came of the Jobs for one backup, as far as this process knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    /// Those that failed, the oldest first.
    failed_at: Vec<DateTime<Utc>>,
    last: Option<Failure>,
    /// The Job of which this was taken over last.
    taken_from: Option<String>,
}

/// A Job reads 100 GB, perhaps: what fails three times fails again.
const ATTEMPTS_PER_DAY: usize = 3;

const DAY: TimeDelta = TimeDelta::days(1);

/// After the first failure and after the second: a store that was away is back, or a node is gone.
const PAUSES: [TimeDelta; 2] = [TimeDelta::minutes(10), TimeDelta::hours(2)];

/// A cluster that has room, or is given more nodes, has started a pod by then.
const PENDING_MAX: TimeDelta = TimeDelta::minutes(30);

/// Jobs and pods are watched apart: the end of a pod may be seen after that of its Job.
const POD_SEEN_WITHIN: TimeDelta = TimeDelta::minutes(1);

impl Case<'_> {
    pub(super) fn next(&self) -> Step {
        let Some(job) = self.job else {
            return if self.attempts.is_pausing(self.now) { Step::Wait } else { Step::Create };
        };
        if self.attempts.taken_from.as_ref() == Some(&job.uid) {
            return if job.state == JobState::Leaving { Step::Wait } else { Step::Sweep };
        }
        let JobState::Over { at, end } = &job.state else { return Step::Wait };
        match end {
            JobEnd::Told(message) => match BackupResult::read(message, self.key, self.sum) {
                Ok(read) => Step::Take(read),
                Err(flaw) => Step::Discard(Failure::Flaw(flaw)),
            },
            JobEnd::OutOfMemory => Step::Discard(Failure::OutOfMemory),
            JobEnd::Silent(why) => Step::Discard(Failure::Silent(why.clone())),
            JobEnd::NoPod(why) => {
                let is_fresh =
                    at.is_some_and(|at| self.now.signed_duration_since(at) < POD_SEEN_WITHIN);
                if is_fresh { Step::Wait } else { Step::Discard(Failure::Silent(why.clone())) }
            }
        }
    }

    /// Why it is not read, where that has gone on for too long.
    pub(super) fn stuck(&self) -> Option<StuckCause> {
        if let Some(ObservedJob { state: JobState::Pending { since: Some(since) }, .. }) = self.job
            && PENDING_MAX < self.now.signed_duration_since(*since)
        {
            return Some(StuckCause::Pending { since: *since });
        }
        let attempts = self.attempts.of_a_day(self.now);
        match self.attempts.last.as_ref()? {
            // The next one has no more of it.
            Failure::OutOfMemory if 0 < attempts => Some(StuckCause::OutOfMemory { attempts }),
            failure if ATTEMPTS_PER_DAY <= attempts => {
                Some(StuckCause::Failing { attempts, why: failure.to_string() })
            }
            Failure::OutOfMemory | Failure::Silent(_) | Failure::Flaw(_) => None,
        }
    }
}

impl Attempts {
    /// Whatever this Job had to say is known now.
    pub(super) fn note_taken(&mut self, uid: &str) {
        self.taken_from = Some(uid.to_owned());
    }

    /// The same, and it was nothing of use.
    pub(super) fn note_failure(&mut self, uid: &str, failure: Failure, now: DateTime<Utc>) {
        self.note_taken(uid);
        self.failed_at.retain(|at| now.signed_duration_since(*at) < DAY);
        self.failed_at.push(now);
        self.last = Some(failure);
    }

    fn of_a_day(&self, now: DateTime<Utc>) -> usize {
        let of_a_day = |at: &&DateTime<Utc>| now.signed_duration_since(**at) < DAY;
        self.failed_at.iter().filter(of_a_day).count()
    }

    fn is_pausing(&self, now: DateTime<Utc>) -> bool {
        let failures = self.of_a_day(now);
        if ATTEMPTS_PER_DAY <= failures {
            return true;
        }
        let pause = failures.checked_sub(1).and_then(|it| PAUSES.get(it));
        let last = self.failed_at.last();
        pause.zip(last).is_some_and(|(pause, last)| now.signed_duration_since(*last) < *pause)
    }
}

/// Whether another Job may begin for this archive, where these archives have unfinished ones: each no
/// more than one, and all together no more than that.
pub(super) fn room<'a>(
    unfinished: impl IntoIterator<Item = &'a str>,
    archive: &str,
    at_once: usize,
) -> Room {
    let (mut count, mut is_own) = (0_usize, false);
    for other in unfinished {
        count = count.saturating_add(1);
        is_own |= other == archive;
    }
    if is_own || at_once <= count { Room::Taken } else { Room::Free }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory => f.write_str("it ran out of memory"),
            Self::Silent(why) => write!(f, "it left no result: {why}"),
            Self::Flaw(flaw) => flaw.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
