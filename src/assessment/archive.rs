//! All questions to one observation, and the verdict that follows.

mod catalogue;
mod clock;
mod description;
mod judges;
mod recoverability;

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::GapEffect;
use crate::assessment::Latest;
use crate::assessment::NewestSegment;
use crate::assessment::Promises;
use crate::assessment::Strays;
use crate::assessment::Subject;
use crate::assessment::Totals;
use crate::assessment::archive::catalogue::Pace;
use crate::assessment::archive::catalogue::Standing;
use crate::assessment::archive::clock::Clock;
use crate::assessment::archive::description::describe;
use crate::assessment::archive::description::standing_finding;
use crate::assessment::archive::judges::freshness;
use crate::assessment::archive::judges::obstacles;
use crate::assessment::archive::judges::retention;
use crate::assessment::archive::judges::store;
use crate::assessment::archive::judges::timelines;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::candidate::Usability;
use crate::assessment::archive::recoverability::gaps;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::gaps::Ways;
use crate::assessment::archive::recoverability::identity::Owners;
use crate::assessment::archive::recoverability::replay::Archive;
use crate::assessment::archive::recoverability::route::Route;
use crate::assessment::archive::recoverability::route::Timelines;
use crate::assessment::archive::recoverability::windows;
use crate::assessment::cluster;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::assessment::finding::setup::Setup;
use crate::assessment::shared::Shared;
use crate::assessment::verdict::Verdict;
use crate::domain::backup::BackupId;
use crate::domain::segment::SegmentSize;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::cluster::ObservedCluster;
use crate::observation::inventory::Inventory;
use crate::observation::probe::SegmentId;

/// Judges one archive.
pub fn assess(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    assess_and_ask(subject, seen, expected, now).0
}

/// The segments to open so that the next assessment of the same observation can say more.
pub fn wanted_probes(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Vec<SegmentId> {
    assess_and_ask(subject, seen, expected, now).1
}

/// Both of these at once.
pub fn assess_and_ask(
    subject: &Subject,
    seen: &Observation,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> (Assessment, Vec<SegmentId>) {
    match (&seen.backups, &seen.archive) {
        (Ok(backups), Ok(inventory)) => {
            let case = Case { subject, seen, backups, inventory, expected, now };
            case.judge()
        }
        (backups, _) => {
            let backups = backups.as_ref().map_or(&[][..], Vec::as_slice);
            (unread(subject, seen, backups, expected, now), Vec::new())
        }
    }
}

/// Judges a cluster that has no archive, or one that nobody can read.
pub fn assess_without_archive(
    subject: &Subject,
    cluster: &ObservedCluster,
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    let mut assessment = Assessment::blank(subject, expected, now);
    match &cluster.store {
        Ok(_) => {
            assessment.observed_at = Some(now);
            assessment.findings.extend(cluster::no_store(cluster));
        }
        Err(unreadable) => {
            assessment.unreadable = Some(unreadable.reason);
            let problem = Problem::Setup(Setup::KubernetesUnreadable(unreadable.clone()));
            assessment.findings.push(Finding::new(Weight::Unknown, problem));
        }
    }
    let worst = assessment.findings.iter().map(Finding::verdict).max();
    assessment.verdict = worst.unwrap_or(Verdict::Unknown);
    if assessment.verdict == Verdict::Unrecoverable {
        assessment.latest = Latest::NotReached;
    }
    judge_cluster(&mut assessment, Some(cluster), None, SegmentSize::DEFAULT, expected);
    assessment.sort();
    assessment
}

/// An archive of which not even the lists could be read.
fn unread(
    subject: &Subject,
    seen: &Observation,
    backups: &[ObservedBackup],
    expected: &Expectations,
    now: DateTime<Utc>,
) -> Assessment {
    let mut assessment = Assessment::blank(subject, expected, now);
    assessment.unreadable = seen.unread().next().map(|unreadable| unreadable.reason);
    assessment.findings = store::judge(seen.unread(), Weight::Unknown).into();
    let clock = Clock { now: now + seen.store_clock_ahead, grace: expected.uploading_grace };
    let pace = Pace::of(backups, now, clock);
    for backup in backups {
        let standing = Standing::of(backup, &pace);
        assessment.backups.push(describe(backup, &standing, None));
        assessment.findings.extend(standing_finding(standing));
    }
    assessment.verdict = Verdict::Unknown;
    judge_cluster(&mut assessment, seen.cluster.as_deref(), None, SegmentSize::DEFAULT, expected);
    assessment.sort();
    assessment
}

/// Adds what Kubernetes says; `listed` are the backups of an archive that was read.
fn judge_cluster(
    assessment: &mut Assessment,
    cluster: Option<&ObservedCluster>,
    listed: Option<&[AssessedBackup]>,
    segment_size: SegmentSize,
    expected: &Expectations,
) {
    let Some(cluster) = cluster else { return };
    let (newest, now) = (assessment.newest_segment, assessment.checked_at);
    let address = assessment.address.as_ref();
    let case =
        cluster::Case { cluster, address, backups: listed, newest, segment_size, expected, now };
    let (state, mut findings) = case.judge();
    findings.retain(|new| assessment.findings.iter().all(|known| known.problem != new.problem));
    assessment.findings.extend(findings);
    assessment.cluster = Some(state);
}

/// An archive whose lists were read.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Observation,
    backups: &'a [ObservedBackup],
    inventory: &'a Inventory,
    expected: &'a Expectations,
    now: DateTime<Utc>,
}

impl Case<'_> {
    fn judge(&self) -> (Assessment, Vec<SegmentId>) {
        let mut assessment = Assessment::blank(self.subject, self.expected, self.now);
        assessment.observed_at = self.seen.is_complete().then_some(self.now);
        assessment.totals = Totals::of(self.backups, self.inventory);
        assessment.strays = Strays::of(self.inventory);
        assessment.unreadable = self.seen.unread().next().map(|unreadable| unreadable.reason);
        assessment.findings = store::judge(self.seen.unread(), Weight::Risk).into();
        if self.backups.is_empty() && self.inventory.object_count == 0 {
            let address = self.subject.address.as_ref();
            let address = address.map_or_else(String::new, ToString::to_string);
            assessment
                .findings
                .push(Finding::new(Weight::Fatal, Problem::ArchiveEmpty { address }));
            assessment.latest = Latest::NotReached;
            assessment.verdict = Verdict::Unrecoverable;
            self.judge_cluster(&mut assessment);
            assessment.sort();
            return (assessment, Vec::new());
        }
        let wanted = self.judge_contents(&mut assessment);
        self.judge_cluster(&mut assessment);
        self.judge_promises(&mut assessment);
        assessment.verdict = verdict(assessment.latest, &assessment.findings);
        assessment.sort();
        (assessment, wanted)
    }

    fn judge_contents(&self, assessment: &mut Assessment) -> Vec<SegmentId> {
        let owners = Owners::of(self.backups);
        let clock = Clock {
            now: self.now + self.seen.store_clock_ahead,
            grace: self.expected.uploading_grace,
        };
        let timelines = Timelines::new(self.seen, self.inventory, clock).since(owners.since);
        let pace = Pace::of(self.backups, self.now, clock);
        let standings: Vec<Standing> =
            self.backups.iter().map(|backup| Standing::of(backup, &pace)).collect();
        let mut candidates = self.candidates(&standings, &owners, &timelines);
        let archive = self.archive(&owners, &candidates);
        for candidate in &mut candidates {
            candidate.judge(&archive, clock);
        }

        let newest = timelines.newest();
        let route = newest.map(|newest| timelines.route_to_newest(newest));
        let route = route.as_deref();
        // A backup from behind a hole that may still be filled reaches further than that hole.
        let tip = route.and_then(|route| {
            let reached = candidates.iter().filter_map(|it| it.reach()?.last);
            let reached = reached.filter(|last| route.passes(*last));
            archive.settled_tip(route).into_iter().chain(reached).max_by_key(|it| it.number)
        });
        let is_reached = |tip: SegmentId| {
            candidates.iter().any(|it| it.reach().is_some_and(|reach| reach.last == Some(tip)))
        };
        assessment.latest = if tip.is_some_and(is_reached) {
            Latest::Reached
        } else {
            self.unreached(&candidates, &standings)
        };
        assessment.newest_segment = tip.and_then(|tip| self.newest_segment(tip));

        let ways = route.map(|route| Ways::new(route, &candidates));
        let acknowledged = self.expected.acknowledge_gap_before;
        let gaps = gaps::find(&archive, &candidates, ways.as_ref(), acknowledged);
        let reached = match assessment.latest {
            Latest::Reached => GapEffect::Hole,
            Latest::NotReached | Latest::Unknown => GapEffect::StopsRecovery,
        };
        let findings = &mut assessment.findings;
        findings.extend(gaps::judge(&gaps, &candidates, route, &archive));
        findings.extend(obstacles::judge(&archive, &candidates, ways.as_ref()));
        findings.extend(obstacles::duplicates(self.inventory));
        findings.extend(timelines::judge(&timelines, &candidates, reached));
        findings.extend(owners.judge(self.seen, self.inventory.segment_size));
        assessment.gaps = gaps.iter().map(|placed| placed.gap).collect();

        let windows = windows::find(self.seen, &archive, &candidates, &timelines);
        assessment.windows = windows.windows.into();
        self.describe_backups(assessment, standings, &candidates, &gaps);
        let border = route.and_then(|route| archive.wanted_border(route));
        let suspects = owners.suspects(self.backups, self.inventory);
        let duplicates = obstacles::wanted_duplicates(&archive, &candidates);
        // What the verdict may depend on comes first, and then the newest moments: of many only
        // some are opened at once.
        let moments = windows.wanted.into_iter().rev();
        border.into_iter().chain(suspects).chain(duplicates).chain(moments).collect()
    }

    fn candidates(
        &self,
        standings: &[Standing],
        owners: &Owners,
        timelines: &Timelines<'_>,
    ) -> Vec<Candidate<'_>> {
        let complete = self.backups.iter().zip(standings);
        let mut candidates: Vec<Candidate<'_>> = complete
            .filter_map(|(backup, standing)| match standing {
                Standing::Complete(wal) => Some((backup, backup.parsed_info()?, *wal)),
                Standing::Running
                | Standing::Failed(_)
                | Standing::Unusable(_)
                | Standing::Unread
                | Standing::Snapshot => None,
            })
            .filter(|(_, info, wal)| {
                info.system_identifier == owners.current
                    && wal.segment_size == self.inventory.segment_size
            })
            .map(|(backup, info, wal)| Candidate::new(backup, info, wal, timelines))
            .collect();
        if let Some(newest) = candidates.iter_mut().max_by_key(|it| &it.backup.id) {
            newest.is_newest = true;
        }
        candidates
    }

    fn archive(&self, owners: &Owners, candidates: &[Candidate<'_>]) -> Archive<'_> {
        let confirmed = candidates
            .iter()
            .filter(|candidate| !candidate.info.is_from_standby)
            .map(|candidate| SegmentId {
                timeline: candidate.wal.end.timeline,
                number: candidate.wal.last_required,
            })
            .collect();
        Archive::new(self.seen, self.inventory, self.now)
            .with_grace(self.expected.uploading_grace)
            .owned_by(owners)
            .own_until(candidates.iter().map(|candidate| candidate.wal.last_required).max())
            .confirmed_up_to(confirmed)
    }

    fn unreached(&self, candidates: &[Candidate<'_>], standings: &[Standing]) -> Latest {
        let is_unread = |it: &Standing| matches!(it, Standing::Unread | Standing::Snapshot);
        let is_unknown = |it: &Candidate<'_>| matches!(it.usability, Usability::Unknown(_));
        let is_in_doubt = standings.iter().any(is_unread)
            || candidates.iter().any(is_unknown)
            || self.seen.histories.values().any(Result::is_err);
        if is_in_doubt { Latest::Unknown } else { Latest::NotReached }
    }

    fn newest_segment(&self, tip: SegmentId) -> Option<NewestSegment> {
        let archive = self.inventory.timeline(tip.timeline)?;
        let range = archive.segments().range_at(tip.number)?;
        let uploaded_at =
            archive.uploaded_at(tip.number).or_else(|| archive.uploaded_at(range.last))?;
        let name = tip.number.name(tip.timeline, self.inventory.segment_size);
        Some(NewestSegment { name, uploaded_at })
    }

    fn describe_backups(
        &self,
        assessment: &mut Assessment,
        standings: Vec<Standing>,
        candidates: &[Candidate<'_>],
        gaps: &[PlacedGap],
    ) {
        let candidates: BTreeMap<&BackupId, &Candidate<'_>> =
            candidates.iter().map(|candidate| (&candidate.backup.id, candidate)).collect();
        for (backup, standing) in self.backups.iter().zip(standings) {
            let candidate = candidates.get(&backup.id).copied();
            assessment.backups.push(describe(backup, &standing, candidate));
            assessment.findings.extend(standing_finding(standing));
            let wal_problem = candidate.and_then(|it| obstacles::incomplete(it, gaps));
            assessment.findings.extend(wal_problem);
        }
        let finished = assessment.backups.iter().any(AssessedBackup::is_usable);
        if !finished && assessment.latest == Latest::NotReached {
            let backups = assessment.backups.len();
            assessment
                .findings
                .push(Finding::new(Weight::Fatal, Problem::NoUsableBackup { backups }));
        }
    }

    fn judge_cluster(&self, assessment: &mut Assessment) {
        let backups = assessment.backups.clone();
        let (cluster, size) = (self.seen.cluster.as_deref(), self.inventory.segment_size);
        judge_cluster(assessment, cluster, Some(&backups), size, self.expected);
    }

    fn judge_promises(&self, assessment: &mut Assessment) {
        let (expected, now, inventory) = (self.expected, self.now, self.inventory);
        let store_now = now + self.seen.store_clock_ahead;
        let backups = &assessment.backups;
        let cluster = assessment.cluster.as_ref();
        let silence = cluster.and_then(|cluster| cluster.silence.as_ref());
        let oldest = retention::oldest_moment(&assessment.windows, self.backups);
        let found = [
            freshness::judge_backups(backups, inventory, expected, silence, now),
            freshness::judge_wal(assessment.newest_segment, expected, silence, store_now),
            retention::judge_window(oldest, backups, inventory, expected, now),
            retention::judge_deletion(self.backups, backups, expected, now),
        ];
        assessment.findings.extend(found.into_iter().flatten());
    }
}

fn verdict(latest: Latest, findings: &[Finding]) -> Verdict {
    let worst = findings.iter().map(Finding::verdict).max().unwrap_or(Verdict::Recoverable);
    match latest {
        // A fatal finding cannot outweigh a proof that the newest state is reached.
        Latest::Reached => worst.min(Verdict::AtRisk),
        Latest::NotReached => Verdict::Unrecoverable,
        Latest::Unknown => Verdict::Unknown,
    }
}

impl Ways<'_> {
    fn new<'a>(route: &'a Route, candidates: &[Candidate<'_>]) -> Ways<'a> {
        let newest_restart = candidates
            .iter()
            .filter(|it| it.reach().is_some() && !it.is_confined())
            .filter(|it| {
                let first = it.wal.first_required;
                let own = it.route.as_ref().ok().and_then(|own| own.timeline_at(first));
                own == route.timeline_at(first)
            })
            .map(|it| it.wal.first_required)
            .max();
        Ways { route, newest_restart }
    }
}

impl Assessment {
    fn blank(subject: &Subject, expected: &Expectations, now: DateTime<Utc>) -> Self {
        Self {
            archive: subject.archive.clone(),
            address: subject.address.clone(),
            verdict: Verdict::Unknown,
            observed_at: None,
            checked_at: now,
            unreadable: None,
            latest: Latest::Unknown,
            windows: Shared::default(),
            gaps: Shared::default(),
            backups: Shared::default(),
            newest_segment: None,
            findings: Shared::default(),
            strays: Strays::default(),
            totals: Totals::default(),
            promises: Promises::of(expected, now),
            cluster: None,
        }
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.severity(), finding.code()));
        self.backups.sort_by(|a, b| a.id.cmp(&b.id));
        self.windows.sort_by(|a, b| a.backup_id.cmp(&b.backup_id));
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
        }
    }
}
