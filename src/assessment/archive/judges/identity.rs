//! Is the archive one server's? Several servers in one path overwrite each other's WAL.

use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::finding::Finding;
use crate::assessment::finding::SegmentFault;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::wal::Carrier;
use crate::assessment::finding::archive::wal::Harm;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::assessment::unusable::UnusableReason;
use crate::domain::backup::BackupId;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let Some(expected) = case.catalogue.owners.system() else { return Vec::new() };
    // A server that has none of the backups: made anew here, or just upgraded.
    let runs = case.seen.cluster.as_ref().and_then(|cluster| cluster.system_identifier);
    let runs = runs.filter(|runs| *runs != expected);
    let runs = runs.map(|found| (Carrier::Cluster, found, harm(case)));
    let backup = case.catalogue.owners.foreign_backup.as_ref();
    let backup = backup.map(|(id, found)| (Carrier::Backup(id.clone()), *found, harm(case)));
    let segment = || {
        let (id, found) = case.seen.probes.newest_foreign(expected)?;
        let name = id.number.name(id.timeline, case.inventory.segment_size);
        Some((Carrier::Segment(name), found, Harm::default()))
    };
    let foreign = runs.or(backup).or_else(segment).map(|(carrier, found, harm)| {
        let is_harmless = matches!(carrier, Carrier::Backup(_)) && harm.is_none();
        let weight = if is_harmless { Weight::Notice } else { Weight::Risk };
        Finding::new(weight, WalDefect::ForeignSystem { expected, found, carrier, harm })
    });
    foreign.into_iter().collect()
}

/// What the servers do to each other.
fn harm(case: &ArchiveCase<'_>) -> Harm {
    let recoverability = &case.recoverability;
    let foreign = |it: &&Candidate<'_>| {
        let fault = it.reach.as_ref().err();
        let Some(UnusableReason::SegmentDamaged { fault, .. }) = fault else { return false };
        matches!(fault, SegmentFault::ForeignSystem { .. })
    };
    // The history file that would lead there is the other server's.
    let barred =
        |it: &&Candidate<'_>| matches!(it.reach.as_ref().err(), Some(UnusableReason::NoRoute(_)));
    let earlier = || recoverability.predecessors.iter().flat_map(|it| &it.candidates);
    let begins = recoverability.candidates.iter().map(|it| it.wal.first_required).min();
    let ended = earlier().map(|it| it.wal.last_required).max();
    let id = |it: &Candidate<'_>| it.backup.id.clone();
    let own = recoverability.candidates.iter().filter(foreign);
    let overwritten: Vec<BackupId> =
        earlier().filter(|it| foreign(it) || barred(it)).chain(own).map(id).collect();
    Harm {
        overwritten,
        misled_to: recoverability.misled().filter(|it| !it.is_own).map(|it| it.followed),
        // A major upgrade goes on behind the old server's log; a server made anew begins before its end.
        is_made_anew: begins.zip(ended).is_some_and(|(begins, ended)| begins <= ended),
        is_unknown: begins.is_none()
            || earlier().any(|it| it.reach.is_err() && !foreign(&it) && !barred(&it)),
    }
}
