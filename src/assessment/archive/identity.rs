//! Whose archive is it? Several servers in one path overwrite each other's WAL.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::backup::BackupId;
use crate::domain::backup::BackupStatus;
use crate::domain::segment::SegmentRange;
use crate::observation::Observation;
use crate::observation::backup::ObservedBackup;
use crate::observation::probe::SegmentId;

/// The server that writes to the archive now, and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// Of the newest finished backup.
    pub(super) current: Option<Server>,
    /// Oldest first.
    pub(super) predecessors: Vec<Server>,
    pub(super) foreign_backup: Option<(BackupId, u64)>,
}

/// A PostgreSQL server, by its system identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) system: u64,
    /// When it wrote here.
    pub(super) era: Era,
}

/// Between what times an upload is a server's own, as far as its backups and those of others tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Era {
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
}

impl Era {
    pub(super) fn has(self, uploaded_at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| since <= uploaded_at)
            && self.until.is_none_or(|until| uploaded_at < until)
    }
}

/// A backup whose control file, which was read, tells another system identifier than its `backup.info`.
struct Contradicted {
    /// Its place among the observed ones.
    at: usize,
    system: u64,
    /// Its first segment, which knows better.
    segment: SegmentId,
}

/// With the system identifiers that `backup.info` should tell, if one is wrong: neither `barman-cloud-restore` nor
/// PostgreSQL looks at it, and where the log of a backup and its own control file agree, they are right.
pub(in crate::assessment) fn corrected(seen: &Observation) -> Option<Observation> {
    let mut corrected = None;
    for Contradicted { at, system, segment } in contradicted(seen) {
        let own = seen.probes.timeline(segment.timeline).and_then(|probes| {
            let (_, own) = probes.first_written(SegmentRange::only(segment.number), |_| true)?;
            Some(own)
        });
        if own != Some(system) {
            continue;
        }
        let observation: &mut Observation = corrected.get_or_insert_with(|| seen.clone());
        if let Ok(backups) = &mut observation.backups
            && let Some(Ok(Some(object))) = backups.get_mut(at).map(|it| &mut it.info)
            && let Ok(info) = &mut object.content
        {
            info.system_identifier = Some(system);
        }
    }
    corrected
}

/// The segments that tell which of the two is right.
pub(in crate::assessment) fn witnesses(seen: &Observation) -> Vec<SegmentId> {
    contradicted(seen).map(|it| it.segment).collect()
}

fn contradicted(seen: &Observation) -> impl Iterator<Item = Contradicted> {
    let backups = seen.backups.as_deref().unwrap_or_default().iter().enumerate();
    backups.filter_map(|(at, backup)| {
        let (info, content) = (backup.parsed_info()?, seen.content.backups.get(&backup.id)?);
        let (told, wal) = (info.system_identifier?, info.wal?);
        let reports = content.tars.iter().filter_map(|tar| tar.report.as_ref().ok()?.as_ref().ok());
        let mut controls = reports.filter_map(|it| it.control_file.as_ref()?.as_ref().ok());
        let system = controls.next()?.system_identifier;
        let segment = SegmentId { timeline: wal.begin.timeline, number: wal.first_required };
        (system != told).then_some(Contradicted { at, system, segment })
    })
}

impl Owners {
    pub(super) fn of(backups: &[ObservedBackup]) -> Self {
        let identified = || {
            backups.iter().filter_map(|backup| {
                let info = backup.parsed_info().filter(|it| it.status == BackupStatus::Done)?;
                Some((info.began_at?, info.system_identifier?, &backup.id))
            })
        };
        let Some((_, current, _)) = identified().max() else { return Self::default() };
        // When the first and the last backup of each began.
        let mut spans: BTreeMap<u64, (DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
        for (began_at, system, _) in identified() {
            let span = spans.entry(system).or_insert((began_at, began_at));
            *span = (span.0.min(began_at), span.1.max(began_at));
        }
        let server = |(&system, &(first, last)): (&u64, &(DateTime<Utc>, DateTime<Utc>))| {
            let others = || spans.iter().filter(move |it| *it.0 != system).map(|it| it.1);
            let era = Era {
                since: others().any(|other| other.0 < first).then_some(first),
                until: others().map(|other| other.0).filter(|began| last < *began).min(),
            };
            ((first, last), Server { system, era })
        };
        let mut servers: Vec<_> = spans.iter().map(server).collect();
        servers.sort_by_key(|(span, _)| *span);
        let servers = servers.into_iter().map(|(_, server)| server);
        let (own, predecessors): (Vec<_>, Vec<_>) = servers.partition(|it| it.system == current);
        let foreign = identified().filter(|(_, system, _)| *system != current).max();
        Self {
            current: own.first().copied(),
            predecessors,
            foreign_backup: foreign.map(|(_, system, id)| (id.clone(), system)),
        }
    }

    /// `None` until a backup has told.
    pub(super) fn system(&self) -> Option<u64> {
        self.current.map(|it| it.system)
    }

    /// When the present server wrote: at any time, where no backup tells of one.
    pub(super) fn era(&self) -> Era {
        self.current.map_or(Era { since: None, until: None }, |it| it.era)
    }

    /// One of the servers among the others.
    pub(super) fn writer(&self, system: Option<u64>) -> Writer {
        let predecessors = self.predecessors.iter().map(|it| it.system);
        let others = predecessors.chain(self.system()).filter(|it| Some(*it) != system);
        Writer { system, others: others.collect(), is_over: system != self.system() }
    }
}

/// A server whose WAL is replayed.
pub(super) struct Writer {
    /// `None` until a backup has told.
    pub(super) system: Option<u64>,
    /// Other servers that wrote here; what is left of their WAL is no newer state.
    pub(super) others: Vec<u64>,
    /// Another server came after this one. Then only what was opened, and what lies between, is known
    /// to be its own.
    pub(super) is_over: bool,
}
