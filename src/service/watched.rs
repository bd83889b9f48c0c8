//! One archive that is watched: reads it, judges it, keeps what the next time needs.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::assessment::Assessment;
use crate::assessment::Subject;
use crate::assessment::assess;
use crate::assessment::assess_and_ask;
use crate::assessment::expectations::Expectations;
use crate::assessment::verdict::Verdict;
use crate::config::ArchiveConfig;
use crate::config::BaseBackupAgeMax;
use crate::config::Polling;
use crate::domain::archive_id::StoreAddress;
use crate::observation::Observation;
use crate::observation::Unreadable;
use crate::observation::UnreadableReason;
use crate::publication::snapshot::CheckCounts;
use crate::publication::snapshot::StoreState;
use crate::publication::snapshot::WatchedArchive;
use crate::publication::snapshot::is_answering;
use crate::publication::snapshot::store_name;
use crate::service::agenda::Agenda;
use crate::service::agenda::Signs;
use crate::service::agenda::would_backup_help;
use crate::service::check_log::log_check;
use crate::service::clock;
use crate::sources::collect::Collector;
use crate::sources::collect::Listing;
use crate::sources::limits;
use crate::sources::object_store::ObjectStore;
use crate::sources::stores::Stores;

/// An archive, what it is held to, and what is known of it.
pub struct Watched {
    config: ArchiveConfig,
    subject: Subject,
    collector: Collector,
    check_interval: Option<TimeDelta>,
    agenda: Agenda,
    latest: Option<Arc<Assessment>>,
    /// The verdict of the last reading that missed nothing.
    last_whole_verdict: Option<Verdict>,
    checks: CheckCounts,
}

/// Rounds of opening segments after one listing. A commit is looked for in up to sixteen segments
/// one after the other, and the border between two servers' WAL is found by halving.
const PROBE_ROUNDS_MAX: usize = 40;

/// How long a scheduled backup may take before it counts as overdue.
const BACKUP_DURATION_GRACE: TimeDelta = TimeDelta::hours(2);

/// A segment that may still be on its way is looked for until it counts as missing, and a few
/// polls longer.
const AWAITED_BEYOND_GRACE: TimeDelta = TimeDelta::minutes(5);

impl Watched {
    pub fn new(config: ArchiveConfig, stores: &Stores) -> Self {
        let store = stores.open(&config.address);
        Self::of_store(config, store)
    }

    /// The same, with a store that was opened already.
    pub fn of_store(config: ArchiveConfig, store: Arc<dyn ObjectStore>) -> Self {
        let collector = Collector::new(store, config.address.folder());
        let subject = Subject { archive: config.id.clone(), address: config.address.clone() };
        let agenda = Agenda::new(Polling::List, &config.address);
        Self {
            config,
            subject,
            collector,
            check_interval: None,
            agenda,
            latest: None,
            last_whole_verdict: None,
            checks: CheckCounts::default(),
        }
    }

    #[must_use]
    pub fn checked_every(self, interval: Duration) -> Self {
        Self { check_interval: TimeDelta::from_std(interval).ok(), ..self }
    }

    /// A directory is listed at every poll, since that costs nothing.
    #[must_use]
    pub fn polled(self, polling: Polling) -> Self {
        let address = &self.config.address;
        let polling = match address.store {
            StoreAddress::S3 { .. } => polling,
            StoreAddress::Directory(_) => Polling::List,
        };
        let agenda = Agenda::new(polling, address);
        Self { agenda, ..self }
    }

    /// Reads and judges the archive, completely if the last complete listing is that long ago.
    pub async fn check(&mut self, complete_every: Duration) -> Arc<Assessment> {
        let began_at = Instant::now();
        let now = clock::now();
        let expected = self.expectations(now);
        let listing = self.agenda.next(complete_every, self.signs(&expected, now));
        let assessment =
            match timeout(limits::ARCHIVE_READ, self.read(listing, &expected, now)).await {
                Ok(assessment) => assessment,
                Err(_) => self.timed_out(&expected, now),
            };
        if assessment.observed_at == Some(now) {
            self.agenda.note(listing, began_at);
        } else {
            self.agenda.note_failure();
        }
        self.checks.count(assessment.unreadable);
        let assessment = self.with_last_values(assessment).settled(self.latest.as_deref());
        let assessment = Arc::new(assessment);
        log_check(self.latest.as_deref(), &assessment, began_at.elapsed());
        self.latest = Some(Arc::clone(&assessment));
        assessment
    }

    /// What to publish; `None` before the first check.
    pub fn published(&self) -> Option<(WatchedArchive, StoreState)> {
        let assessment = Arc::clone(self.latest.as_ref()?);
        let name = store_name(&self.subject.address.store);
        let state = StoreState { name: name.clone(), is_up: is_answering(assessment.unreadable) };
        Some((WatchedArchive { assessment, object_store: name, checks: self.checks }, state))
    }

    /// Reads everything once more and judges it with another grace.
    pub async fn look_again(&mut self, grace: TimeDelta) -> Assessment {
        let now = clock::now();
        let expected = Expectations { uploading_grace: grace, ..self.expectations(now) };
        self.read(Listing::Complete, &expected, now).await
    }

    /// WAL is late once it is half as old as it may be; the rest is time enough to look for it.
    fn signs(&self, expected: &Expectations, now: DateTime<Utc>) -> Signs {
        let age = self.collector.newest_segment_age(now);
        let is_late = |age_max: &TimeDelta| age.is_some_and(|age| *age_max / 2 <= age);
        let late_every = expected.wal_age_max.filter(is_late).map(|age_max| age_max / 4);
        let awaited_max = expected.uploading_grace + AWAITED_BEYOND_GRACE;
        let age_max = expected.base_backup_age_max;
        let latest = self.latest.as_deref();
        Signs {
            has_lost_wal: self.collector.has_lost_wal(),
            would_backup_help: latest.is_none_or(|it| would_backup_help(it, age_max, now)),
            awaits_segment: self.collector.awaits_segment(awaited_max, now),
            is_backup_running: self.collector.is_backup_running(now),
            late_every: late_every.and_then(|every| every.to_std().ok()),
        }
    }

    async fn read(
        &mut self,
        listing: Listing,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Assessment {
        if listing == Listing::Complete {
            self.collector.forget_probes();
        }
        let mut seen = self.collector.observe(listing, now).await;
        for _ in 0..PROBE_ROUNDS_MAX {
            let (assessment, mut wanted) = assess_and_ask(&self.subject, &seen, expected, now);
            wanted.retain(|id| !seen.probes.contains_key(id));
            if wanted.is_empty() {
                return assessment;
            }
            if self.collector.probe(&mut seen, &wanted).await == 0 {
                return assessment;
            }
        }
        assess(&self.subject, &seen, expected, now)
    }

    /// An archive that takes too long is unread.
    fn timed_out(&self, expected: &Expectations, now: DateTime<Utc>) -> Assessment {
        let unreadable = Unreadable {
            what: "read the archive".to_owned(),
            why: format!("it took more than {} s", limits::ARCHIVE_READ.as_secs()),
            reason: UnreadableReason::Timeout,
        };
        let seen = Observation::unread_archive(now, unreadable);
        assess(&self.subject, &seen, expected, now)
    }

    /// What could be read before stays while it cannot be read again, and a bad verdict is not
    /// cleared by what could not be read.
    fn with_last_values(&mut self, assessment: Assessment) -> Assessment {
        if assessment.observed_at.is_some() {
            self.last_whole_verdict = Some(assessment.verdict);
            return assessment;
        }
        let mut assessment = match &self.latest {
            Some(latest) => assessment.succeeding(latest),
            None => assessment,
        };
        if self.last_whole_verdict.is_some_and(|whole| assessment.verdict < whole) {
            assessment.verdict = Verdict::Unknown;
        }
        assessment
    }

    fn expectations(&self, now: DateTime<Utc>) -> Expectations {
        let config = &self.config.expectations;
        let schedule = self.config.schedule.clone();
        Expectations {
            base_backup_age_max: match config.base_backup_age_max {
                None => None,
                Some(BaseBackupAgeMax::Exactly(age)) => Some(age),
                Some(BaseBackupAgeMax::FromSchedule) => schedule
                    .as_ref()
                    .and_then(|schedule| schedule.interval_max(now))
                    .map(|interval| interval + BACKUP_DURATION_GRACE),
            },
            wal_age_max: config.wal_age_max,
            uploading_grace: config.uploading_grace.unwrap_or_else(TimeDelta::zero),
            retention: self.config.retention_policy.as_ref().map(|policy| policy.window()),
            schedule,
            check_interval: self.check_interval,
            acknowledge_gap_before: config.acknowledge_gap_before,
        }
    }

    /// Whether somebody said how long an upload may take.
    pub const fn has_uploading_grace(&self) -> bool {
        self.config.expectations.uploading_grace.is_some()
    }
}
