//! From two assessments of one cluster to the Kubernetes Events worth sending: changes of state
//! only. The first look after a start has nothing to compare with and so sends none.

use std::collections::BTreeSet;

use crate::assessment::Assessment;
use crate::assessment::Gap;
use crate::assessment::Latest;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::assessment::finding::Topic;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::backup::BackupId;
use crate::domain::drill::DrillReport;
use crate::domain::segment::SegmentName;
use crate::publication::drills;

/// One Event on a `Cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub reason: Reason,
    /// For people, of any length.
    pub note: String,
    /// Tells it from other Events of this reason, so that whoever sends it gives it one name.
    pub key: String,
}

/// `reason` of an Event: closed, since people filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    WalGapDetected,
    WalGapCleared,
    BaseBackupOverdue,
    BackupFailed,
    BackupVerified,
    RestoreDrillSucceeded,
    RestoreDrillFailed,
    ArchiveUnreachable,
    ArchiveReachable,
    ArchiveOrphaned,
    Unrecoverable,
    Recoverable,
}

/// A restored network or a repaired archive may change much at once; the page has it all.
const EVENTS_MAX: usize = 10;

impl Reason {
    pub const ALL: [Self; 12] = [
        Self::WalGapDetected,
        Self::WalGapCleared,
        Self::BaseBackupOverdue,
        Self::BackupFailed,
        Self::BackupVerified,
        Self::RestoreDrillSucceeded,
        Self::RestoreDrillFailed,
        Self::ArchiveUnreachable,
        Self::ArchiveReachable,
        Self::ArchiveOrphaned,
        Self::Unrecoverable,
        Self::Recoverable,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WalGapDetected => "WALGapDetected",
            Self::WalGapCleared => "WALGapCleared",
            Self::BaseBackupOverdue => "BaseBackupOverdue",
            Self::BackupFailed => "BackupFailed",
            Self::BackupVerified => "BackupVerified",
            Self::RestoreDrillSucceeded => "RestoreDrillSucceeded",
            Self::RestoreDrillFailed => "RestoreDrillFailed",
            Self::ArchiveUnreachable => "ArchiveUnreachable",
            Self::ArchiveReachable => "ArchiveReachable",
            Self::ArchiveOrphaned => "ArchiveOrphaned",
            Self::Unrecoverable => "Unrecoverable",
            Self::Recoverable => "Recoverable",
        }
    }

    pub const fn is_warning(self) -> bool {
        match self {
            Self::WalGapDetected
            | Self::BaseBackupOverdue
            | Self::BackupFailed
            | Self::RestoreDrillFailed
            | Self::ArchiveUnreachable
            | Self::ArchiveOrphaned
            | Self::Unrecoverable => true,
            Self::WalGapCleared
            | Self::BackupVerified
            | Self::RestoreDrillSucceeded
            | Self::ArchiveReachable
            | Self::Recoverable => false,
        }
    }
}

/// What changed from one assessment to the next.
pub fn changes(before: &Assessment, after: &Assessment) -> Vec<Event> {
    let mut events = Vec::from_iter(reachability(before, after));
    // What is kept from an earlier reading did not change.
    if after.unreadable.is_none() {
        events.extend(recoverability(before, after));
        events.extend(gaps(before, after));
        events.extend(findings(before, after));
        events.extend(verified(before, after));
    }
    // Kubernetes tells of them, whether the archive could be read or not.
    events.extend(drills(before, after));
    events.truncate(EVENTS_MAX);
    events
}

fn reachability(before: &Assessment, after: &Assessment) -> Option<Event> {
    let hour = after.checked_at.format("%Y%m%d%H").to_string();
    match (before.unreadable, after.unreadable) {
        (None, Some(_)) => {
            let is_reason = |it: &&Finding| {
                matches!(
                    it.code(),
                    FindingCode::StoreUnreachable
                        | FindingCode::StoreDenied
                        | FindingCode::ListingUnusable
                )
            };
            let why = after.findings.iter().find(is_reason).map(ToString::to_string);
            let why = why.unwrap_or_else(|| "the archive could not be read".to_owned());
            Some(Event::new(Reason::ArchiveUnreachable, why, hour))
        }
        (Some(_), None) => {
            let note = "the archive can be read again".to_owned();
            Some(Event::new(Reason::ArchiveReachable, note, hour))
        }
        (None, None) | (Some(_), Some(_)) => None,
    }
}

fn recoverability(before: &Assessment, after: &Assessment) -> Option<Event> {
    let key = after.newest_segment.map_or_else(String::new, |newest| newest.name.to_string());
    match (before.latest, after.latest) {
        (Latest::Reached, Latest::NotReached) => {
            let worst = after.findings.iter().find(|it| it.severity() == Severity::Critical);
            let why = worst.map_or_else(String::new, |worst| format!(": {worst}"));
            let note = format!("the newest archived state cannot be restored{why}");
            Some(Event::new(Reason::Unrecoverable, note, key))
        }
        (Latest::NotReached, Latest::Reached) => {
            let note = "the newest archived state can be restored again".to_owned();
            Some(Event::new(Reason::Recoverable, note, key))
        }
        _ => None,
    }
}

fn gaps(before: &Assessment, after: &Assessment) -> Vec<Event> {
    let known = |assessment: &Assessment| -> BTreeSet<SegmentName> {
        let gaps = assessment.gaps.iter().filter(|gap| gap.is_problem());
        gaps.map(|gap| gap.first).collect()
    };
    let (old, new) = (known(before), known(after));
    let found = after.gaps.iter().filter(|gap| gap.is_problem() && !old.contains(&gap.first));
    let found = found.map(|gap| {
        let note = format!("{}: {}", gap.effect.code(), span(gap));
        Event::new(Reason::WalGapDetected, note, gap.first.to_string())
    });
    let gone = before.gaps.iter().filter(|gap| gap.is_problem() && !new.contains(&gap.first));
    let gone = gone.map(|gap| {
        let note = format!("no longer missing, or no longer needed: {}", span(gap));
        Event::new(Reason::WalGapCleared, note, gap.first.to_string())
    });
    found.chain(gone).collect()
}

fn span(gap: &Gap) -> String {
    match gap.count {
        1 => format!("WAL segment {}", gap.first),
        count => format!("{count} WAL segments, {} to {}", gap.first, gap.last),
    }
}

fn findings(before: &Assessment, after: &Assessment) -> Vec<Event> {
    const OVERDUE: [FindingCode; 2] = [FindingCode::BackupOverdue, FindingCode::BackupNeverRan];
    const FAILED: [FindingCode; 3] =
        [FindingCode::BackupFailed, FindingCode::BackupStuck, FindingCode::BackupIncomplete];

    let reason = |finding: &Finding| {
        let code = finding.code();
        let overdue = OVERDUE.contains(&code).then_some(Reason::BaseBackupOverdue);
        overdue.or_else(|| FAILED.contains(&code).then_some(Reason::BackupFailed))
    };
    let known: BTreeSet<(FindingCode, Topic<'_>)> =
        before.findings.iter().map(|finding| finding.problem.identity()).collect();
    let event = |finding: &Finding| {
        let (code, topic) = finding.problem.identity();
        let key = format!("{} {}", code.as_str(), topic.name());
        Some(Event::new(reason(finding)?, finding.to_string(), key))
    };
    let new = after.findings.iter().filter(|it| it.severity() != Severity::Info);
    new.filter(|finding| !known.contains(&finding.problem.identity())).filter_map(event).collect()
}

fn verified(before: &Assessment, after: &Assessment) -> Vec<Event> {
    let usable = |assessment: &Assessment| -> BTreeSet<BackupId> {
        let usable = assessment.backups.iter().filter(|backup| backup.is_usable());
        usable.map(|backup| backup.id.clone()).collect()
    };
    let new = &usable(after) - &usable(before);
    let event = |id: &BackupId| {
        let note = format!("base backup {id} is complete, with all the WAL that it needs");
        Event::new(Reason::BackupVerified, note, id.to_string())
    };
    new.iter().map(event).collect()
}

/// The cluster of an archive was deleted.
pub fn orphaned(address: &ArchiveAddress) -> Event {
    let note = format!("the cluster was deleted; its archive {address} is still there");
    Event::new(Reason::ArchiveOrphaned, note, address.to_string())
}

/// Drills that ended since, by themselves, and say something of the archive.
fn drills(before: &Assessment, after: &Assessment) -> Vec<Event> {
    let known = before.cluster.as_ref().map_or(&[][..], |it| &it.drill_reports);
    let Some(cluster) = &after.cluster else { return Vec::new() };
    let event = |report: &DrillReport| {
        let drill = report.outcome()?;
        let reason = if drill.is_success {
            Reason::RestoreDrillSucceeded
        } else {
            Reason::RestoreDrillFailed
        };
        let (kind, target) = (report.kind.code(), drills::target(report));
        let ending = drills::ending(report);
        let compared = drills::compared(report).map_or_else(String::new, |it| format!("; {it}"));
        let note = format!("{kind} restore drill to {target}: {ending}{compared}");
        Some(Event::new(reason, note, format!("{kind} {}", report.ended_at.timestamp())))
    };
    cluster.drills_since(known, after.checked_at).filter_map(event).collect()
}

impl Event {
    const fn new(reason: Reason, note: String, key: String) -> Self {
        Self { reason, note, key }
    }
}

#[cfg(test)]
mod tests;
