//! All questions to one observation, and the answer to them.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::Latest;
use crate::assessment::Promises;
use crate::assessment::Questions;
use crate::assessment::Strays;
use crate::assessment::Subject;
use crate::assessment::Totals;
use crate::assessment::archive;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::corrected;
use crate::assessment::archive::witnesses;
use crate::assessment::cluster::ClusterCase;
use crate::assessment::cluster::no_store;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::setup::Setup;
use crate::assessment::proof::Proof;
use crate::assessment::shared::Shared;
use crate::assessment::verdict::Verdict;
use crate::observation::Observation;
use crate::observation::cluster::ObservedCluster;

/// Judges one archive.
pub fn assess(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    assess_and_ask(subject, seen, expected, now).0
}

/// The same, and what to ask the store so that the next assessment of the same observation can say
/// more.
pub fn assess_and_ask(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> (Assessment, Questions) {
    let corrected = corrected(seen);
    let seen = corrected.as_ref().unwrap_or(seen);
    match ArchiveCase::of(subject, seen, expected, now) {
        Some(case) => {
            let (assessment, mut asked) = case.judge();
            // What the verdict may depend on comes first.
            asked.segments.splice(0..0, witnesses(seen));
            (assessment, asked)
        }
        None => (archive::unlisted(subject, seen, expected, now), Questions::default()),
    }
}

/// Judges a cluster that has no archive, or one that nobody can read.
pub fn assess_without_archive(
    subject: &Subject,
    cluster: &ObservedCluster,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    let (observed_at, unreadable, finding) = match &cluster.store {
        Ok(_) => (Some(now), None, no_store(cluster)),
        Err(unreadable) => {
            let problem = Setup::KubernetesUnreadable(unreadable.clone());
            (None, Some(unreadable.reason), Some(Finding::new(Weight::Unknown, problem)))
        }
    };
    let verdict = finding.as_ref().map_or(Verdict::Unknown, Finding::verdict);
    let (state, told) = ClusterCase::unlisted(cluster, subject, expected, now).judge();
    Assessment {
        verdict,
        observed_at,
        unreadable,
        latest: match verdict {
            Verdict::Unrecoverable => Latest::NotReached,
            Verdict::Recoverable | Verdict::AtRisk | Verdict::Unknown => Latest::Unknown,
        },
        findings: finding::ranked(finding.into_iter().collect(), told),
        cluster: Some(state),
        ..Assessment::of_nothing(subject, expected, now)
    }
}

impl Assessment {
    /// Nothing is known of the archive.
    pub(super) fn of_nothing(
        subject: &Subject,
        expected: &Expectations,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            archive: subject.archive.clone(),
            address: subject.address.clone(),
            verdict: Verdict::Unknown,
            observed_at: None,
            fully_listed_at: None,
            checked_at: now,
            unreadable: None,
            latest: Latest::Unknown,
            windows: Shared::default(),
            timelines: Shared::default(),
            systems: Shared::default(),
            gaps: Shared::default(),
            backups: Shared::default(),
            newest_segment: None,
            findings: Shared::default(),
            proof: Proof::default(),
            strays: Strays::default(),
            totals: Totals::default(),
            promises: Promises::of(expected, now),
            cluster: None,
            orphan: None,
            forecast: None,
        }
    }
}

impl Promises {
    fn of(expected: &Expectations, now: DateTime<Utc>) -> Self {
        let schedule = expected.schedule.as_ref();
        Self {
            retention: expected.retention,
            schedule_interval: schedule.and_then(|schedule| schedule.interval_max(now)),
            next_backup_due_at: schedule.and_then(|schedule| schedule.next_after(now)),
            base_backup_age_max: expected.base_backup_age_max,
            wal_age_max: expected.wal_age_max,
            check_interval: expected.check_interval,
            drills: expected.drills,
        }
    }
}
