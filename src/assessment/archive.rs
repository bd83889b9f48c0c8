//! An archive, judged in steps that each need the one before: what the backups amount to, how far
//! recovery gets, what readers are told of both, and what the judges find in it all.

mod address;
mod catalogue;
mod clock;
pub(crate) mod content;
mod description;
mod identity;
mod judges;
mod proof;
mod recoverability;
mod snapshots;
mod succession;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::GapEffect;
use crate::assessment::Latest;
use crate::assessment::Questions;
use crate::assessment::Strays;
use crate::assessment::Subject;
use crate::assessment::Totals;
use crate::assessment::archive::catalogue::Catalogue;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::description::describe;
use crate::assessment::archive::judges::JUDGES;
use crate::assessment::archive::judges::backups;
use crate::assessment::archive::judges::store;
use crate::assessment::archive::recoverability::Recoverability;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::cluster::ClusterCase;
use crate::assessment::cluster::ClusterState;
use crate::assessment::cluster::Silence;
use crate::assessment::cluster::StoredSegment;
use crate::assessment::cluster::first_backup_due;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::address::WrongAddress;
use crate::assessment::finding::archive::store::ClockDoubt;
use crate::assessment::finding::elsewhere::Elsewhere;
use crate::assessment::forecast::Forecast;
use crate::assessment::verdict::Verdict;
use crate::observation::Observation;
use crate::observation::inventory::Inventory;

pub(super) use crate::assessment::archive::identity::corrected;
pub(super) use crate::assessment::archive::identity::witnesses;
pub(super) use crate::assessment::archive::judges::orphan::finding as orphaned;

/// An archive whose lists were read, with what follows from them: what the judges look at.
pub(super) struct ArchiveCase<'a> {
    subject: &'a Subject,
    seen: &'a Observation,
    inventory: &'a Inventory,
    expected: &'a Expectations,
    now: DateTime<Utc>,
    clock: Clock,
    /// Why nothing can be said of how old uploads are.
    doubt: Option<ClockDoubt>,
    catalogue: Catalogue<'a>,
    recoverability: Recoverability<'a>,
    backups: Vec<AssessedBackup>,
    /// Base backups that may lead to the newest state and are not looked at.
    elsewhere: Option<Elsewhere>,
    /// Until when a new cluster may be without a base backup.
    first_backup_due: Option<DateTime<Utc>>,
    /// Nothing of an archive is there, and it looks as if that were no loss.
    wrong_address: Option<WrongAddress>,
    /// The cluster, and what Kubernetes shows to be wrong.
    cluster: Option<(ClusterState, Vec<Finding>)>,
}

impl<'a> ArchiveCase<'a> {
    /// `None` unless both lists were read.
    pub(super) fn of(
        subject: &'a Subject,
        seen: &'a Observation,
        expected: &'a Expectations,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let (backups, inventory) = (seen.backups.as_ref().ok()?, seen.archive.as_ref().ok()?);
        let clock = Clock::of_store(seen, expected, now);
        let catalogue = Catalogue::of(backups, &seen.content, now, clock);
        let accepted_before = expected.acknowledge_gap_before;
        let mut recoverability =
            Recoverability::of(seen, inventory, &catalogue, clock, accepted_before);
        let of_predecessors = recoverability.predecessors.iter().flat_map(|it| &it.candidates);
        let content = &seen.content;
        let backups =
            describe(&catalogue, content, recoverability.candidates.iter().chain(of_predecessors));
        let elsewhere =
            snapshots::beside_wal(seen, inventory, &catalogue, &recoverability, &backups);
        if elsewhere.is_some() {
            // Behind them goes on what is not looked at.
            let stops = |it: &&mut PlacedGap| it.gap.effect == GapEffect::StopsRecovery;
            let gaps = recoverability.gaps.iter_mut().filter(stops);
            gaps.for_each(|it| it.gap.effect = GapEffect::Hole);
        }
        let is_running = |it: &AssessedBackup| it.kind == BackupKind::Running;
        let first_backup_due = seen
            .cluster
            .as_deref()
            .filter(|_| recoverability.latest == Latest::NotReached && elsewhere.is_none())
            .filter(|_| backups.iter().all(is_running))
            .and_then(|cluster| first_backup_due(cluster, expected, now));
        let is_elsewhere = elsewhere.is_some()
            || snapshots::may_be_beside_wal(seen, inventory, &recoverability, &backups);
        let around = seen.surroundings.as_ref().and_then(|it| it.as_ref().ok());
        let wrong_address = around.and_then(|it| address::wrong_address(subject, it));
        // Then nobody knows whether the address is right.
        let is_unseen = seen.surroundings.as_ref().is_some_and(Result::is_err);
        if is_elsewhere || first_backup_due.is_some() || wrong_address.is_some() || is_unseen {
            recoverability.latest = Latest::Unknown;
        }
        let doubt = clock.doubt(seen, expected);
        let cluster = seen.cluster.as_deref().map(|cluster| {
            let backups = Some(&*backups);
            let newest = recoverability.newest_segment.map(|newest| StoredSegment {
                name: newest.name,
                stored_at: doubt.is_none().then(|| seen.store_clock.ours(newest.uploaded_at)),
            });
            let segment_size = inventory.segment_size;
            let address = subject.address.as_ref();
            ClusterCase { cluster, address, backups, newest, segment_size, expected, now }.judge()
        });
        Some(Self {
            subject,
            seen,
            inventory,
            expected,
            now,
            clock,
            doubt,
            catalogue,
            recoverability,
            backups,
            elsewhere,
            first_backup_due,
            wrong_address,
            cluster,
        })
    }

    /// The assessment, and what to ask the store so that the next one can say more.
    pub(super) fn judge(self) -> (Assessment, Questions) {
        let mut found = Vec::new();
        for judge in JUDGES {
            let mut more = judge(&self);
            // The first one to find something may find it ten thousand times.
            if found.is_empty() {
                found = more;
            } else {
                found.append(&mut more);
            }
        }
        let proof = proof::proof(&self);
        let timelines = succession::timelines(&self.recoverability).into();
        let (cluster, told) = self.cluster.unzip();
        let mut told = told.unwrap_or_default();
        let Recoverability { latest, gaps, windows, newest_segment, wanted, sought, .. } =
            self.recoverability;
        let mut assessment = Assessment {
            observed_at: self.seen.is_complete().then_some(self.now),
            fully_listed_at: self.seen.fully_listed_at,
            unreadable: self.seen.unread().next().map(|unreadable| unreadable.reason),
            latest,
            windows: windows.into(),
            timelines,
            systems: succession::systems(&self.catalogue).into(),
            gaps: gaps.iter().map(|placed| placed.gap).collect(),
            totals: Totals::of(&self.catalogue, self.inventory),
            backups: self.backups.into(),
            newest_segment,
            proof,
            strays: Strays::of(self.inventory),
            cluster,
            orphan: self.seen.orphan.clone(),
            ..Assessment::of_nothing(self.subject, self.expected, self.now)
        };
        assessment.forecast = Forecast::of(&assessment);
        let objective = self.expected.drills.recovery_time_objective;
        told.extend(assessment.forecast.and_then(|forecast| forecast.judge(objective)));
        assessment.findings = finding::ranked(found, told);
        assessment.verdict = verdict(latest, &assessment.findings);
        (assessment, Questions { segments: wanted, sought })
    }

    fn silence(&self) -> Option<&Silence> {
        self.cluster.as_ref()?.0.silence.as_ref()
    }
}

pub(super) fn verdict(latest: Latest, findings: &[Finding]) -> Verdict {
    let worst = findings.iter().map(Finding::verdict).max().unwrap_or(Verdict::Recoverable);
    match latest {
        // A fatal finding cannot outweigh a proof that the newest state is reached.
        Latest::Reached => worst.min(Verdict::AtRisk),
        Latest::NotReached => Verdict::Unrecoverable,
        Latest::Unknown => Verdict::Unknown,
    }
}

/// An archive of which not even the lists could be read.
pub(super) fn unlisted(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    let listed = seen.backups.as_ref().map_or(&[][..], Vec::as_slice);
    let clock = Clock::of_store(seen, expected, now);
    let catalogue = Catalogue::of(listed, &seen.content, now, clock);
    let mut found = store::judge_reads(seen, Weight::Unknown);
    found.extend(catalogue.backups.iter().filter_map(|(_, state)| backups::judge_state(state)));
    found.extend(seen.orphan.as_ref().map(|it| orphaned(subject, it)));
    let cluster = seen.cluster.as_deref();
    let cluster =
        cluster.map(|cluster| ClusterCase::unlisted(cluster, subject, expected, now).judge());
    let (cluster, told) = cluster.unzip();
    Assessment {
        unreadable: seen.unread().next().map(|unreadable| unreadable.reason),
        backups: describe(&catalogue, &seen.content, []).into(),
        findings: finding::ranked(found, told.unwrap_or_default()),
        cluster,
        orphan: seen.orphan.clone(),
        ..Assessment::of_nothing(subject, expected, now)
    }
}
