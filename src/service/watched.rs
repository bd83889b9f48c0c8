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
use crate::assessment::assess_without_archive;
use crate::assessment::expectations::Expectations;
use crate::assessment::verdict::Verdict;
use crate::config::Polling;
use crate::domain::archive_id::StoreAddress;
use crate::domain::cluster::BackupPhase;
use crate::observation::Observation;
use crate::observation::Unreadable;
use crate::observation::UnreadableReason;
use crate::observation::cluster::ObservedCluster;
use crate::publication::events;
use crate::publication::events::Event;
use crate::publication::snapshot::CheckCounts;
use crate::publication::snapshot::WatchedArchive;
use crate::service::agenda::Agenda;
use crate::service::agenda::Signs;
use crate::service::agenda::would_backup_help;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::check_log::log_check;
use crate::service::clock;
use crate::sources::archive::Collector;
use crate::sources::archive::Listing;
use crate::sources::limits;
use crate::sources::store::object_store::ObjectStore;
use crate::sources::store::opening::Stores;
use crate::sources::workshop::Turns;

/// An archive, what it is held to, and what is known of it.
pub struct Watched {
    spec: ArchiveSpec,
    subject: Subject,
    /// `None` for a cluster that has no archive.
    reader: Option<Reader>,
    polling: Polling,
    check_interval: Option<TimeDelta>,
    latest: Option<Arc<Assessment>>,
    /// The verdict of the last reading that missed nothing.
    last_whole_verdict: Option<Verdict>,
    checks: CheckCounts,
    /// What changed with the last check.
    events: Vec<Event>,
}

/// What reads one archive, and when what.
struct Reader {
    collector: Collector,
    agenda: Agenda,
}

/// Rounds of opening segments after one listing. A commit is looked for in up to sixteen segments
/// one after the other, and the border between two servers' WAL is found by halving.
const PROBE_ROUNDS_MAX: usize = 40;

/// A segment that may still be on its way is looked for until it counts as missing, and a few
/// polls longer.
const AWAITED_BEYOND_GRACE: TimeDelta = TimeDelta::minutes(5);

impl Watched {
    pub fn new(spec: impl Into<ArchiveSpec>, stores: &Stores) -> Self {
        let spec = spec.into();
        let opened = spec.address.as_ref().map(|address| {
            (stores.open(address, spec.credentials.as_ref()), stores.turns(address))
        });
        Self::opened(spec, opened)
    }

    /// The same, with a store that was opened already.
    pub fn of_store(spec: impl Into<ArchiveSpec>, store: Arc<dyn ObjectStore>) -> Self {
        Self::opened(spec.into(), Some((store, Turns::default())))
    }

    fn opened(spec: ArchiveSpec, opened: Option<(Arc<dyn ObjectStore>, Turns)>) -> Self {
        let subject = spec.subject();
        let reader = spec.address.as_ref().zip(opened).map(|(address, (store, turns))| Reader {
            collector: Collector::new(store, turns, address.folder()),
            agenda: Agenda::new(Polling::List, address),
        });
        Self {
            spec,
            subject,
            reader,
            polling: Polling::List,
            check_interval: None,
            latest: None,
            last_whole_verdict: None,
            checks: CheckCounts::default(),
            events: Vec::new(),
        }
    }

    #[must_use]
    pub fn checked_every(self, interval: Duration) -> Self {
        Self { check_interval: TimeDelta::from_std(interval).ok(), ..self }
    }

    /// A directory is listed at every poll, since that costs nothing.
    #[must_use]
    pub fn polled(mut self, polling: Polling) -> Self {
        self.polling = polling;
        if let (Some(reader), Some(address)) = (&mut self.reader, &self.spec.address) {
            let polling = match address.store {
                StoreAddress::S3 { .. } => polling,
                StoreAddress::Directory(_) => Polling::List,
            };
            reader.agenda = Agenda::new(polling, address);
        }
        self
    }

    /// Takes over what is said of the archive now. What was read stays, unless it was another
    /// archive or another key to it.
    #[must_use]
    pub fn updated(self, spec: ArchiveSpec, stores: &Stores) -> Self {
        if self.spec.address == spec.address && self.spec.credentials == spec.credentials {
            return Self { spec, ..self };
        }
        let (polling, check_interval) = (self.polling, self.check_interval);
        Self { check_interval, ..Self::new(spec, stores) }.polled(polling)
    }

    pub const fn spec(&self) -> &ArchiveSpec {
        &self.spec
    }

    /// Reads and judges the archive, completely if the last complete listing is that long ago.
    pub async fn check(&mut self, complete_every: Duration) -> Arc<Assessment> {
        let began_at = Instant::now();
        let now = clock::now();
        let expected = self.expectations(now);
        let listing = self.next_listing(complete_every, &expected, now);
        let _turn = match &self.reader {
            Some(Reader { collector, .. }) => collector.turn(listing).await,
            None => [None, None],
        };
        let assessment =
            match timeout(limits::ARCHIVE_READ, self.read(listing, &expected, now)).await {
                Ok(assessment) => assessment,
                Err(_) => self.unread(too_slow(), &expected, now),
            };
        if let Some(Reader { agenda, .. }) = &mut self.reader {
            match assessment.observed_at {
                Some(at) if at == now => agenda.note(listing, began_at),
                _ => agenda.note_failure(),
            }
        }
        self.checks.count(assessment.unreadable);
        let assessment = self.with_last_values(assessment).settled(self.latest.as_deref());
        let assessment = Arc::new(assessment);
        log_check(self.latest.as_deref(), &assessment, began_at.elapsed());
        self.events = match &self.latest {
            Some(latest) => events::changes(latest, &assessment),
            None => Vec::new(),
        };
        self.latest = Some(Arc::clone(&assessment));
        assessment
    }

    /// What to publish; `None` before the first check.
    pub fn published(&self) -> Option<WatchedArchive> {
        Some(WatchedArchive::new(Arc::clone(self.latest.as_ref()?), self.checks))
    }

    /// What the last check changed, for the Events of the cluster.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Reads everything once more and judges it with another grace.
    pub async fn look_again(&mut self, grace: TimeDelta) -> Assessment {
        let now = clock::now();
        let expected = Expectations { uploading_grace: grace, ..self.expectations(now) };
        self.read(Listing::Complete, &expected, now).await
    }

    fn next_listing(
        &self,
        complete_every: Duration,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Listing {
        let Some(Reader { collector, agenda }) = &self.reader else { return Listing::Complete };
        let latest = self.latest.as_deref();
        let cluster = self.spec.cluster.as_deref();
        agenda.next(complete_every, signs(collector, latest, cluster, expected, now))
    }

    async fn read(
        &mut self,
        listing: Listing,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Assessment {
        let cluster = self.spec.cluster.clone();
        let Some(Reader { collector, .. }) = &mut self.reader else {
            return self.without_archive(expected, now);
        };
        if listing == Listing::Complete {
            collector.forget_probes();
        }
        let mut seen = collector.observe(listing, now).await;
        seen.cluster = cluster;
        for _ in 0..PROBE_ROUNDS_MAX {
            let (assessment, mut wanted) = assess_and_ask(&self.subject, &seen, expected, now);
            wanted.retain(|id| !seen.probes.contains_key(id));
            if wanted.is_empty() {
                return assessment;
            }
            if collector.probe(&mut seen, &wanted).await == 0 {
                return assessment;
            }
        }
        assess(&self.subject, &seen, expected, now)
    }

    fn without_archive(&self, expected: &Expectations, now: DateTime<Utc>) -> Assessment {
        match self.spec.cluster.as_deref() {
            Some(cluster) => assess_without_archive(&self.subject, cluster, expected, now),
            // Only Kubernetes knows clusters without an archive.
            None => self.unread("it has no address".to_owned(), expected, now),
        }
    }

    fn unread(&self, why: String, expected: &Expectations, now: DateTime<Utc>) -> Assessment {
        let what = "read the archive".to_owned();
        let unreadable = Unreadable { what, why, reason: UnreadableReason::Timeout };
        let mut seen = Observation::unread_archive(now, unreadable);
        seen.cluster.clone_from(&self.spec.cluster);
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
        self.spec.expectations(self.check_interval, now)
    }

    /// Whether somebody said how long an upload may take.
    pub const fn has_uploading_grace(&self) -> bool {
        self.spec.expectations.uploading_grace.is_some()
    }
}

/// An archive that takes too long is unread.
fn too_slow() -> String {
    format!("it took more than {} s", limits::ARCHIVE_READ.as_secs())
}

/// WAL is late once it is half as old as it may be; the rest is time enough to look for it.
fn signs(
    collector: &Collector,
    latest: Option<&Assessment>,
    cluster: Option<&ObservedCluster>,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Signs {
    let age = collector.newest_segment_age(now);
    let is_late = |age_max: &TimeDelta| age.is_some_and(|age| *age_max / 2 <= age);
    let late_every = expected.wal_age_max.filter(is_late).map(|age_max| age_max / 4);
    let awaited_max = expected.uploading_grace + AWAITED_BEYOND_GRACE;
    let age_max = expected.base_backup_age_max;
    Signs {
        has_lost_wal: collector.has_lost_wal(),
        would_backup_help: latest.is_none_or(|latest| {
            would_backup_help(latest, age_max, now) || has_news(cluster, latest, now)
        }),
        awaits_segment: collector.awaits_segment(awaited_max, now),
        is_backup_running: collector.is_backup_running(now),
        late_every: late_every.and_then(|every| every.to_std().ok()),
    }
}

/// Whether Kubernetes tells of a backup that was not seen in the archive. One that is not there after
/// an hour will not be.
fn has_news(cluster: Option<&ObservedCluster>, latest: &Assessment, now: DateTime<Utc>) -> bool {
    let backups = cluster.into_iter().filter_map(|cluster| cluster.backups.as_ref().ok()).flatten();
    let mut recent = backups.filter(|backup| {
        backup.phase == BackupPhase::Completed
            && backup.stopped_at.is_some_and(|at| now - at < TimeDelta::hours(1))
    });
    recent.any(|backup| {
        let id = backup.backup_id.as_ref();
        id.is_some_and(|id| latest.backups.iter().all(|known| known.id != *id))
    })
}
