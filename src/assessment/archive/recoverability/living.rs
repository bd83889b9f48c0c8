//! Which timeline lives: the one that the server of the archive goes on with.
//!
//! Mostly it is the newest. But a copy of the server (a drill, a staging clone) that archives into
//! the same path makes a newer timeline and stops, while the server goes on with its own.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;

use crate::assessment::archive::recoverability::timelines::Timelines;
use crate::assessment::finding::LifeSign;
use crate::domain::backup_info::BackupWal;
use crate::domain::segment::SegmentNumber;
use crate::domain::segment::SegmentRange;
use crate::domain::timeline::TimelineId;
use crate::observation::backup::ObservedBackup;
use crate::observation::probe::SegmentId;

/// The timeline whose end is the newest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Living {
    pub(crate) timeline: TimelineId,
    /// What shows it, where a newer timeline left traces.
    pub(crate) signs: Vec<LifeSign>,
    /// What speaks for the newer one.
    pub(crate) against: Vec<LifeSign>,
    /// The segments to open so that more can be said.
    pub(crate) wanted: Vec<SegmentId>,
}

/// When backups of this server began on each timeline, and with which segment.
struct Begun(BTreeMap<TimelineId, Vec<(SegmentNumber, DateTime<Utc>)>>);

/// A timeline and a newer one, and where their ways part.
struct Pair<'a> {
    timelines: &'a Timelines<'a>,
    older: Branch,
    newer: Branch,
    /// When the newer one left its first trace.
    parted_at: Option<DateTime<Utc>>,
}

/// What one of two timelines shows behind the point where they part.
struct Branch {
    timeline: TimelineId,
    newest: Option<SegmentId>,
    uploaded_at: Option<DateTime<Utc>>,
    backup_began_at: Option<DateTime<Utc>>,
}

/// The timeline that lives, of those that left WAL or a history file.
pub(crate) fn living(timelines: &Timelines<'_>) -> Option<Living> {
    let newest = timelines.newest()?;
    let wanted = timelines.contested().collect();
    let mut living = Living { timeline: newest, signs: Vec::new(), against: Vec::new(), wanted };
    let mut others: Vec<TimelineId> = timelines.with_wal().filter(|it| *it < newest).collect();
    others.reverse();
    let begun = Begun::on(timelines);
    for older in others.into_iter().filter(|it| !timelines.is_stray(*it)) {
        let pair = Pair::new(timelines, &begun, older, living.timeline);
        living.wanted.extend(pair.wanted());
        let signs = pair.signs();
        if !signs.is_empty() {
            living.timeline = older;
            living.signs = signs;
            living.against = pair.signs_of_newer();
        }
    }
    Some(living)
}

impl Begun {
    fn on(timelines: &Timelines<'_>) -> Self {
        let mut begun: BTreeMap<TimelineId, Vec<(SegmentNumber, DateTime<Utc>)>> = BTreeMap::new();
        for info in timelines.own_backups().filter_map(ObservedBackup::parsed_info) {
            let Some((BackupWal { begin, first_required, .. }, at)) = info.wal.zip(info.began_at)
            else {
                continue;
            };
            begun.entry(begin.timeline).or_default().push((first_required, at));
        }
        Self(begun)
    }

    /// The last that began on a timeline, from this segment on.
    fn newest(&self, timeline: TimelineId, from: SegmentNumber) -> Option<DateTime<Utc>> {
        let backups = self.0.get(&timeline)?.iter();
        backups.filter(|(first, _)| from <= *first).map(|(_, at)| *at).max()
    }
}

impl<'a> Pair<'a> {
    fn new(
        timelines: &'a Timelines<'a>,
        begun: &Begun,
        older: TimelineId,
        newer: TimelineId,
    ) -> Self {
        let history = timelines.inventory().histories.get(&newer).map(|it| it.uploaded_at);
        let parting = timelines.parting(older, newer);
        let older = Branch::behind(timelines, begun, older, parting.older);
        let mut newer = Branch::behind(timelines, begun, newer, parting.newer);
        let first = timelines
            .inventory()
            .timeline(newer.timeline)
            .and_then(|archive| archive.uploaded_at(archive.segments().first()?));
        newer.uploaded_at = newer.uploaded_at.max(history);
        Self { timelines, older, newer, parted_at: history.or(first) }
    }

    /// What shows that the older one lives.
    fn signs(&self) -> Vec<LifeSign> {
        let Some(parted_at) = self.parted_at else { return Vec::new() };
        let (older, newer) = (&self.older, &self.newer);
        let told = self.timelines.told();
        if told == Some(newer.timeline) {
            return Vec::new();
        }
        let clock = self.timelines.clock();
        let is_told = told == Some(older.timeline) && !clock.is_within_grace(Some(parted_at));
        let backup = older.backup_began_at.filter(|began| parted_at < *began);
        let has_backup = backup.is_some() && newer.backup_began_at < backup;
        let commit = self.newest_commit();
        let has_commit = commit.is_some_and(|at| parted_at < at);
        let dated = |at: Option<DateTime<Utc>>| at.filter(|at| !clock.is_undated(Some(*at)));
        let later = dated(older.uploaded_at).zip(newer.uploaded_at);
        let later = later.map(|(older, newer)| older.signed_duration_since(newer));
        let is_later = later.is_some_and(|later| TimeDelta::zero() < later);
        // Shortly after a failover it is the tail of the old primary; so is what ended before.
        let is_tail = commit.is_some_and(|at| at <= parted_at)
            || later.is_none_or(|later| later <= clock.grace());
        // The newer one went on, and these are of the time before somebody chose it.
        let is_left = later.is_some_and(|it| it < TimeDelta::zero() && clock.grace() < it.abs());
        let is_known = is_told
            || has_backup && !is_left
            || has_commit && is_later
            || is_later && self.is_of_successor()
            || is_later && !is_tail && newer.backup_began_at <= older.backup_began_at;
        let signs = [
            (LifeSign::Kubernetes, is_told),
            (LifeSign::Backup, has_backup),
            (LifeSign::Commit, has_commit),
            (LifeSign::Uploads, is_later),
        ];
        let signs = signs.into_iter().filter(|(_, is_seen)| is_known && *is_seen);
        signs.map(|(sign, _)| sign).collect()
    }

    fn signs_of_newer(&self) -> Vec<LifeSign> {
        let (older, newer) = (&self.older, &self.newer);
        let signs = [
            (LifeSign::Backup, older.backup_began_at < newer.backup_began_at),
            (LifeSign::Uploads, older.uploaded_at < newer.uploaded_at),
        ];
        signs.into_iter().filter(|(_, is_seen)| *is_seen).map(|(sign, _)| sign).collect()
    }

    /// Whether a server without a base backup here wrote the older one's newest segment: an upgrade goes on
    /// with timeline 1, and so does a cluster that is made anew.
    fn is_of_successor(&self) -> bool {
        let Some(newest) = self.older.newest else { return false };
        let seen = self.timelines.seen();
        let probes = seen.probes.timeline(newest.timeline);
        let is_new = |writer: u64| {
            let mut infos = seen.backups.iter().flatten().filter_map(ObservedBackup::parsed_info);
            !infos.any(|info| info.system_identifier.is_none_or(|known| known == writer))
        };
        let written =
            probes.and_then(|it| it.first_written(SegmentRange::only(newest.number), is_new));
        written.is_some()
    }

    /// Of the older one, behind the point of parting.
    fn newest_commit(&self) -> Option<DateTime<Utc>> {
        let newest = self.older.newest?;
        self.timelines.seen().probes.timeline(newest.timeline)?.newest_commit_at(newest.number)
    }

    /// What was uploaded after the parting is opened: whether its transactions are older tells a
    /// tail from a life.
    fn wanted(&self) -> Option<SegmentId> {
        let newest = self.older.newest?;
        let is_later = self.parted_at < self.older.uploaded_at;
        (is_later && !self.timelines.seen().probes.has(newest)).then_some(newest)
    }
}

impl Branch {
    fn behind(
        timelines: &Timelines<'_>,
        begun: &Begun,
        timeline: TimelineId,
        from: SegmentNumber,
    ) -> Self {
        let within = SegmentRange { first: from, last: SegmentNumber::LAST };
        let archive = timelines.inventory().timeline(timeline);
        let uploads = archive.into_iter().flat_map(|archive| {
            let ranges = archive.segments().overlapping(within);
            let edges = ranges.flat_map(|range| [range.first, range.last]);
            edges
                .filter(|edge| from <= *edge)
                .filter(|edge| timelines.is_own_segment(timeline, archive, *edge))
                .filter_map(|edge| Some((archive.uploaded_at(edge)?, edge)))
        });
        let (uploaded_at, newest) = uploads.fold((None, None), |(latest, newest), (at, edge)| {
            (latest.max(Some(at)), newest.max(Some(edge)))
        });
        Self {
            timeline,
            newest: newest.map(|number| SegmentId { timeline, number }),
            uploaded_at,
            backup_began_at: begun.newest(timeline, from),
        }
    }
}
