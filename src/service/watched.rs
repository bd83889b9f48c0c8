//! One archive that is watched: reads and judges it.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use chrono::Utc;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::assessment::Assessment;
use crate::assessment::Questions;
use crate::assessment::assess;
use crate::assessment::assess_and_ask;
use crate::assessment::assess_without_archive;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Problem;
use crate::assessment::finding::archive::promise::BrokenPromise;
use crate::assessment::succession::Known;
use crate::assessment::wants::Wants;
use crate::assessment::wants::told_until;
use crate::domain::backup::BackupId;
use crate::domain::depth::Depth;
use crate::domain::unreadable::Unreadable;
use crate::domain::unreadable::UnreadableReason;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::content::Gone;
use crate::publication::events;
use crate::publication::events::Event;
use crate::service::agenda::Agenda;
use crate::service::archive_spec::ArchiveSpec;
use crate::service::clock;
use crate::service::pace::Pace;
use crate::service::reading::Reader;
use crate::service::reading::ReadingRoom;
use crate::sources::archive::Collector;
use crate::sources::archive::Listing;
use crate::sources::archive::restore_points::RestorePointSearch;
use crate::sources::archive::verification::Progress;
use crate::sources::limits;
use crate::sources::store::opening::Stores;

/// An archive, what it is held to, and what is known of it.
pub struct Watched {
    pub spec: Arc<ArchiveSpec>,
    agenda: Agenda,
    /// `None` for a cluster that has no archive.
    collector: Option<Collector>,
    accepts_plain_http: bool,
    known: Known,
    /// `None` where nothing is read to its last byte beside the looks.
    reader: Option<Reader>,
}

/// What came of one look.
pub struct Look {
    pub assessment: Arc<Assessment>,
    /// What changed since what was kept last.
    pub events: Vec<Event>,
    /// Without the wait for a turn.
    pub duration: Duration,
}

/// Rounds after one listing in which nothing is opened, but asked for by name.
const SEEKING_ROUNDS_MAX: usize = 8;

impl Watched {
    /// Asks the store for nothing yet.
    pub fn new(spec: impl Into<Arc<ArchiveSpec>>, stores: &Stores, pace: Pace) -> Self {
        let spec = spec.into();
        let collector = spec.address.as_ref().map(|address| {
            let store = stores.open(address, &spec.access);
            Collector::new(store, stores.turns(address), address.folder())
                .opening(pace.segments_per_look)
        });
        let agenda = Agenda::new(pace, spec.address.as_ref());
        let accepts_plain_http = stores.names_endpoints();
        let known = Known::default();
        Self { spec, agenda, collector, accepts_plain_http, known, reader: None }
    }

    /// Has what it holds read to its last byte, beside the looks.
    pub async fn read_in(&mut self, room: &Arc<ReadingRoom>, stores: &Stores) {
        if let Some(address) = &self.spec.address {
            let store = stores.open(address, &self.spec.access);
            let access = &self.spec.access;
            self.reader = Some(Reader::start(Arc::clone(room), address, access, store).await);
        }
    }

    /// What was kept of the looks before.
    pub const fn latest(&self) -> Option<&Arc<Assessment>> {
        self.known.latest.as_ref()
    }

    /// Reads what is due, and judges it.
    pub async fn look(&mut self) -> Look {
        let listing = self.due(clock::now());
        self.look_by(listing).await
    }

    /// The same by a listing out of turn.
    pub async fn look_by(&mut self, listing: Listing) -> Look {
        let _turn = match &self.collector {
            Some(collector) => collector.turn(listing).await,
            None => [None, None],
        };
        let (began_at, now) = (Instant::now(), clock::now());
        let expected = self.expectations(now);
        let read = timeout(limits::ARCHIVE_READ, self.read(listing, &expected, now)).await;
        let (assessment, wants) = read.unwrap_or_else(|_| {
            let why = format!("it took more than {} s", limits::ARCHIVE_READ.as_secs());
            (self.unread(why, &expected, now), None)
        });
        match wants.filter(|_| assessment.is_whole()) {
            Some(wants) => self.agenda.note(listing, began_at, wants),
            None => self.agenda.note_failure(),
        }
        let assessment = Arc::new(self.known.followed_by(assessment));
        let events = match self.latest() {
            Some(latest) => events::changes(latest, &assessment),
            None => Vec::new(),
        };
        Look { assessment, events, duration: began_at.elapsed() }
    }

    /// Reads everything to the last byte, however long that takes.
    pub async fn verify(&mut self, depth: Depth, progress: &Arc<Progress>) -> Look {
        let (began_at, now) = (Instant::now(), clock::now());
        let expected = self.expectations(now);
        let (assessment, _) = self
            .read_by(Listing::Complete, &expected, now, Some((depth, Arc::clone(progress))))
            .await;
        let assessment = Arc::new(self.known.followed_by(assessment));
        Look { assessment, events: Vec::new(), duration: began_at.elapsed() }
    }

    /// Looks for a restore point in what the last look saw; `None` where there is no archive.
    pub fn restore_points(&self, name: &str) -> Option<RestorePointSearch<'_>> {
        self.collector.as_ref().map(|collector| RestorePointSearch::new(collector, name))
    }

    /// A backup that the last look saw.
    pub fn base_backup(&self, id: &BackupId) -> Option<&ObservedBackup> {
        self.collector.as_ref()?.backup(id)
    }

    /// What the next look follows.
    pub fn keep(&mut self, assessment: &Arc<Assessment>) {
        self.known.keep(assessment);
    }

    /// What there is to say before the first look has ended.
    pub fn not_read_yet(&self) -> Assessment {
        let now = clock::now();
        self.unread("no check of it has finished yet".to_owned(), &self.expectations(now), now)
    }

    fn due(&self, now: DateTime<Utc>) -> Listing {
        let Some(collector) = &self.collector else { return Listing::Complete };
        if collector.has_lost_wal() {
            return Listing::Complete;
        }
        let cluster = self.spec.cluster.as_deref().zip(self.latest());
        self.agenda.next(cluster.and_then(|(it, latest)| told_until(it, latest)), now)
    }

    async fn read(
        &mut self,
        listing: Listing,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> (Assessment, Option<Wants>) {
        self.read_by(listing, expected, now, None).await
    }

    async fn read_by(
        &mut self,
        listing: Listing,
        expected: &Expectations,
        now: DateTime<Utc>,
        content: Option<(Depth, Arc<Progress>)>,
    ) -> (Assessment, Option<Wants>) {
        let Some(collector) = &mut self.collector else {
            return (self.without_archive(expected, now), None);
        };
        if listing == Listing::Complete {
            collector.forget_probes();
        }
        let subject = self.spec.subject();
        let summed = self.reader.as_ref().map(|it| it.verified().segments()).unwrap_or_default();
        collector.sum_up(summed.clone());
        let mut seen = collector.observe(listing, now).await;
        seen.cluster.clone_from(&self.spec.cluster);
        seen.orphan.clone_from(&self.spec.orphan);
        if let Some(reader) = &self.reader {
            if let Some(sums) = collector.take_sums() {
                reader.verified().hold_against(&seen, &summed, sums).await;
            }
            reader.verified().tell(&mut seen);
            reader.offer(&seen, now);
        }
        if let Some((depth, progress)) = content {
            collector.verify(&mut seen, depth, &progress).await;
        }
        // Each opens a segment at least.
        let mut rounds = 0..collector.segments_per_look().saturating_add(SEEKING_ROUNDS_MAX);
        loop {
            let (assessment, asked) = assess_and_ask(&subject, &seen, expected, now);
            let Questions { mut segments, sought } = asked;
            segments.retain(|id| !seen.probes.has(*id));
            let has_more = rounds.next().is_some()
                && (collector.probe(&mut seen, &segments).await > 0
                    || collector.seek(&mut seen, &sought).await);
            if !has_more {
                if let (Some(reader), Some(_), true) =
                    (&self.reader, expected.retention, assessment.is_whole())
                {
                    reader.verified().keep_gone(&lost(&assessment));
                }
                let wants = Wants::of(&seen, &assessment, expected);
                return (assessment, wants);
            }
        }
    }

    fn without_archive(&self, expected: &Expectations, now: DateTime<Utc>) -> Assessment {
        match self.spec.cluster.as_deref() {
            Some(cluster) => assess_without_archive(&self.spec.subject(), cluster, expected, now),
            // Only Kubernetes knows clusters without an archive.
            None => self.unread("it has no address".to_owned(), expected, now),
        }
    }

    fn unread(&self, why: String, expected: &Expectations, now: DateTime<Utc>) -> Assessment {
        let what = "read the archive".to_owned();
        let unreadable = Unreadable { what, why, reason: UnreadableReason::Timeout };
        let mut seen = Observation::unread_archive(now, unreadable);
        seen.cluster.clone_from(&self.spec.cluster);
        seen.orphan.clone_from(&self.spec.orphan);
        assess(&self.spec.subject(), &seen, expected, now)
    }

    fn expectations(&self, now: DateTime<Utc>) -> Expectations {
        let expected = self.spec.expectations(self.agenda.looks_every(), now);
        let content = self.reader.as_ref().map(Reader::expected);
        Expectations { accepts_plain_http: self.accepts_plain_http, content, ..expected }
    }
}

/// What was deleted though the retention still keeps it. A longer retention to come does not accuse what the
/// present one had deleted.
fn lost(assessment: &Assessment) -> Vec<Gone> {
    let problems = assessment.findings.iter().map(|finding| &finding.problem);
    let lost = problems.filter_map(|problem| match problem {
        Problem::BrokenPromise(BrokenPromise::DeletedEarly { backups, histories, .. }) => {
            let backups = backups.iter().cloned().map(Gone::Backup);
            Some(backups.chain(histories.iter().copied().map(Gone::History)).collect::<Vec<_>>())
        }
        _ => None,
    });
    lost.flatten().collect()
}
