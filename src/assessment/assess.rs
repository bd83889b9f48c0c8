//! All questions to one observation, and the verdict that follows.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::GapEffect;
use crate::assessment::NewestSegment;
use crate::assessment::Promises;
use crate::assessment::Strays;
use crate::assessment::Subject;
use crate::assessment::Totals;
use crate::assessment::candidate::Candidate;
use crate::assessment::candidate::Clock;
use crate::assessment::candidate::Usability;
use crate::assessment::catalogue::Pace;
use crate::assessment::catalogue::Standing;
use crate::assessment::expectations::Expectations;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::freshness;
use crate::assessment::gaps;
use crate::assessment::gaps::Latest;
use crate::assessment::gaps::PlacedGap;
use crate::assessment::identity::Owners;
use crate::assessment::obstacles;
use crate::assessment::replay::Archive;
use crate::assessment::retention;
use crate::assessment::route::Route;
use crate::assessment::route::Timelines;
use crate::assessment::shared::Shared;
use crate::assessment::store;
use crate::assessment::timelines;
use crate::assessment::verdict::Verdict;
use crate::assessment::windows;
use crate::domain::backup::BackupId;
use crate::domain::backup_info::BackupInfo;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
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
    assessment.findings = store::judge(seen.unread(), Finding::unknown).into();
    let clock = Clock { now: now + seen.store_clock_ahead, grace: expected.uploading_grace };
    let pace = Pace::of(backups, now, clock);
    for backup in backups {
        let standing = Standing::of(backup, &pace);
        assessment.backups.push(describe(backup, &standing, None));
        assessment.findings.extend(standing_finding(standing));
    }
    assessment.verdict = Verdict::Unknown;
    assessment.sort();
    assessment
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
        assessment.findings = store::judge(self.seen.unread(), Finding::risk).into();
        if self.backups.is_empty() && self.inventory.object_count == 0 {
            let address = self.subject.address.to_string();
            assessment.findings.push(Finding::fatal(Problem::ArchiveEmpty { address }));
            assessment.latest_recoverable = Some(false);
            assessment.verdict = Verdict::Unrecoverable;
            return (assessment, Vec::new());
        }
        let wanted = self.judge_contents(&mut assessment);
        self.judge_promises(&mut assessment);
        assessment.verdict = verdict(&assessment);
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
        let latest = tip.is_some_and(is_reached);
        assessment.latest_recoverable =
            if latest { Some(true) } else { self.denial(&candidates, &standings) };
        assessment.newest_segment = tip.and_then(|tip| self.newest_segment(tip));

        let ways = route.map(|route| Latest::new(route, &candidates));
        let acknowledged = self.expected.acknowledge_gap_before;
        let gaps = gaps::find(&archive, &candidates, ways.as_ref(), acknowledged);
        let reached = if latest { GapEffect::Hole } else { GapEffect::StopsRecovery };
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

    /// `Some(false)` only if everything that could have helped was read.
    fn denial(&self, candidates: &[Candidate<'_>], standings: &[Standing]) -> Option<bool> {
        let is_unread = |it: &Standing| matches!(it, Standing::Unread | Standing::Snapshot);
        let is_unknown = |it: &Candidate<'_>| matches!(it.usability, Usability::Unknown(_));
        let is_in_doubt = standings.iter().any(is_unread)
            || candidates.iter().any(is_unknown)
            || self.seen.histories.values().any(Result::is_err);
        (!is_in_doubt).then_some(false)
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
        if !finished && assessment.latest_recoverable == Some(false) {
            let backups = assessment.backups.len();
            assessment.findings.push(Finding::fatal(Problem::NoUsableBackup { backups }));
        }
    }

    fn judge_promises(&self, assessment: &mut Assessment) {
        let (expected, now, inventory) = (self.expected, self.now, self.inventory);
        let store_now = now + self.seen.store_clock_ahead;
        let backups = &assessment.backups;
        let oldest = retention::oldest_moment(&assessment.windows, self.backups);
        let found = [
            freshness::judge_backups(backups, inventory, expected, now),
            freshness::judge_wal(assessment.newest_segment, expected, store_now),
            retention::judge_window(oldest, backups, inventory, expected, now),
            retention::judge_deletion(self.backups, backups, expected, now),
        ];
        assessment.findings.extend(found.into_iter().flatten());
    }
}

fn verdict(assessment: &Assessment) -> Verdict {
    let reached = match assessment.latest_recoverable {
        Some(true) => Verdict::Recoverable,
        None => Verdict::Unknown,
        Some(false) => Verdict::Unrecoverable,
    };
    let worst = assessment.findings.iter().map(|finding| finding.verdict).max();
    // A fatal finding cannot outweigh a proof that the newest state is reached.
    let ceiling = match assessment.latest_recoverable {
        Some(true) => Verdict::AtRisk,
        None => Verdict::Unknown,
        Some(false) => Verdict::Unrecoverable,
    };
    reached.max(worst.unwrap_or(Verdict::Recoverable).min(ceiling))
}

fn standing_finding(standing: Standing) -> Option<Finding> {
    match standing {
        Standing::Complete(_) | Standing::Running | Standing::Unread | Standing::Snapshot => None,
        Standing::Failed(
            problem @ (Problem::BackupFailed { is_superseded: true, .. }
            | Problem::BackupStuck { is_superseded: true, .. }),
        ) => Some(Finding::notice(problem)),
        Standing::Failed(problem) | Standing::Unusable(problem) => Some(Finding::risk(problem)),
    }
}

fn describe(
    backup: &ObservedBackup,
    standing: &Standing,
    candidate: Option<&Candidate<'_>>,
) -> AssessedBackup {
    let info = backup.parsed_info();
    let (kind, reasons) = match (standing, candidate.map(|it| &it.usability)) {
        (Standing::Complete(_), Some(Usability::Usable(_))) => (BackupKind::Usable, vec![]),
        (
            Standing::Complete(_),
            Some(Usability::Unusable { reason, .. } | Usability::Unknown(reason)),
        ) => (BackupKind::Unusable, vec![reason.clone()]),
        (Standing::Complete(_), None) => {
            let system = info.and_then(|info| info.system_identifier).unwrap_or_default();
            let reason = format!(
                "its WAL is not known to be whole: it could not be listed, or it belongs to \
                 another PostgreSQL server (system identifier {system})"
            );
            (BackupKind::Unusable, vec![reason])
        }
        (Standing::Running, _) => (BackupKind::Running, vec!["it is running".to_owned()]),
        (Standing::Failed(problem), _) => (BackupKind::Failed, vec![problem.to_string()]),
        (Standing::Unusable(problem), _) => (BackupKind::Unusable, vec![problem.to_string()]),
        (Standing::Unread, _) => {
            let why = backup.unread().map_or_else(String::new, ToString::to_string);
            (BackupKind::Unusable, vec![why])
        }
        (Standing::Snapshot, _) => {
            let reason = "its data lies in volume snapshots, which are not looked at";
            (BackupKind::Unusable, vec![reason.to_owned()])
        }
    };
    let wal = info.and_then(|info| info.wal);
    AssessedBackup {
        id: backup.id.clone(),
        status: info.map(|info| info.status),
        kind,
        reasons,
        began_at: info.and_then(|info| info.began_at).or_else(|| backup.id.began_at()),
        ended_at: info.and_then(|info| info.ended_at),
        begin_wal: wal.map(|wal| wal.begin),
        end_wal: wal.map(|wal| wal.end),
        size_bytes: backup.size_bytes(),
    }
}

impl Latest<'_> {
    fn new<'a>(route: &'a Route, candidates: &[Candidate<'_>]) -> Latest<'a> {
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
        Latest { route, newest_restart }
    }
}

impl Totals {
    fn of(backups: &[ObservedBackup], inventory: &Inventory) -> Self {
        let newest =
            backups.iter().filter_map(ObservedBackup::parsed_info).max_by_key(|it| it.began_at);
        let objects = |backup: &ObservedBackup| {
            u64::try_from(backup.tars.len()).unwrap_or(u64::MAX)
                + u64::from(!matches!(backup.info, Ok(None)))
        };
        Self {
            base_objects: backups.iter().map(objects).sum(),
            base_bytes: backups
                .iter()
                .fold(0, |sum, backup| sum.saturating_add(backup.size_bytes())),
            wal_objects: inventory.object_count,
            wal_bytes: inventory.size_bytes,
            postgres_major: newest
                .and_then(|info: &BackupInfo| Some(info.server_version? / 10_000)),
        }
    }
}

/// Enough to recognise what they are.
const STRAYS_NAMED_MAX: usize = 3;

impl Strays {
    fn of(inventory: &Inventory) -> Self {
        let seen = &inventory.strays;
        let examples = seen.samples.iter().take(STRAYS_NAMED_MAX).cloned().collect();
        Self { count: seen.count, examples }
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
            latest_recoverable: None,
            windows: Shared::default(),
            gaps: Shared::default(),
            backups: Shared::default(),
            newest_segment: None,
            findings: Shared::default(),
            strays: Strays::default(),
            totals: Totals::default(),
            promises: Promises::of(expected, now),
        }
    }

    fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.severity, finding.code()));
        self.backups.sort_by(|a, b| a.id.cmp(&b.id));
        self.windows.sort_by(|a, b| a.backup_id.cmp(&b.backup_id));
    }

    /// The same, in the memory of an earlier one where both say the same.
    #[must_use]
    pub fn settled(mut self, earlier: Option<&Self>) -> Self {
        self.windows.settle(earlier.map(|earlier| &earlier.windows));
        self.gaps.settle(earlier.map(|earlier| &earlier.gaps));
        self.backups.settle(earlier.map(|earlier| &earlier.backups));
        self.findings.settle(earlier.map(|earlier| &earlier.findings));
        self.strays.examples.settle(earlier.map(|earlier| &earlier.strays.examples));
        self
    }

    /// This attempt, which could not read everything, after an earlier one: what was read before
    /// and not now stays as it was, and that it could not be read again is said.
    pub fn succeeding(self, earlier: &Self) -> Self {
        if self.newest_segment.is_some() || !self.windows.is_empty() {
            // The lists were read; only the time of the last whole reading is older.
            return Self { observed_at: earlier.observed_at, ..self };
        }
        let is_kept = |finding: &&Finding| {
            !matches!(finding.problem, Problem::StoreUnreachable(_) | Problem::StoreDenied(_))
                && !self.findings.contains(finding)
        };
        let mut findings = self.findings.clone();
        findings.extend(earlier.findings.iter().filter(is_kept).cloned());
        let mut kept = Self {
            verdict: self.verdict,
            checked_at: self.checked_at,
            unreadable: self.unreadable,
            findings,
            promises: self.promises,
            ..earlier.clone()
        };
        kept.sort();
        kept
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
