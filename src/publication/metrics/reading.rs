//! Where the samples of each family come from.
//!
//! What was never read is left out: no gaps were counted where nothing was listed.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::Gap;
use crate::assessment::GapEffect;
use crate::assessment::finding::FindingCode;
use crate::assessment::loss::Loss;
use crate::assessment::loss::Losses;
use crate::assessment::proof::Proof;
use crate::assessment::verdict::Verdict;
use crate::domain::archive_id::StoreAddress;
use crate::publication::metrics::samples::Exposition;
use crate::publication::metrics::samples::Samples;
use crate::publication::metrics::samples::Value;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;

pub(super) fn build_info(exposed: &Exposition<'_>, samples: &mut Samples<'_>) {
    let build = exposed.build;
    samples.labelled(&[build.version, build.revision, build.rustc], true);
}

pub(super) fn archives(exposed: &Exposition<'_>, samples: &mut Samples<'_>) {
    samples.one(exposed.view.archives.len());
}

pub(super) fn orphans(exposed: &Exposition<'_>, samples: &mut Samples<'_>) {
    let is_searched = exposed.view.snapshot.orphan_search.is_some();
    samples.maybe(is_searched.then_some(exposed.view.orphans.len()));
}

pub(super) fn kubernetes_up(exposed: &Exposition<'_>, samples: &mut Samples<'_>) {
    samples.maybe(exposed.view.snapshot.discovery.as_ref().map(|it| *it == DiscoveryState::Up));
}

pub(super) fn object_store_up(exposed: &Exposition<'_>, samples: &mut Samples<'_>) {
    for store in &exposed.view.snapshot.stores {
        samples.each(&store.name, store.is_up);
    }
}

pub(super) fn archive_info(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let (Some(address), Some(store)) = (&archive.assessment.address, &archive.watched.object_store)
    else {
        return;
    };
    let bucket = match &address.store {
        StoreAddress::S3 { bucket, .. } => bucket,
        StoreAddress::Directory(_) => "",
    };
    let major = archive.assessment.totals.postgres_major;
    let major = major.map(|major| major.to_string()).unwrap_or_default();
    samples.labelled(&[store, bucket, &address.prefix, &major], true);
}

pub(super) fn verdict(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    for verdict in Verdict::ALL {
        samples.each(verdict.code(), verdict == archive.standing.verdict);
    }
}

pub(super) fn finding(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let findings = &archive.assessment.findings;
    for code in FindingCode::ALL {
        samples.each(code.as_str(), findings.iter().any(|finding| finding.code() == *code));
    }
}

pub(super) fn last_check(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.one(archive.assessment.checked_at);
}

pub(super) fn last_success(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.observed_at);
}

pub(super) fn last_full_listing(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.fully_listed_at);
}

pub(super) fn checks(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.one(archive.watched.checks.checks());
}

pub(super) fn check_failures(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    for (reason, failures) in archive.watched.checks.failures() {
        samples.each(reason.code(), failures);
    }
}

pub(super) fn base_backups(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let backups = &archive.assessment.backups;
    if backups.is_empty() && archive.assessment.observed_at.is_none() {
        return;
    }
    for kind in BackupKind::ALL {
        samples.each(kind.code(), backups.iter().filter(|backup| backup.kind == kind).count());
    }
}

fn usable<'a>(archive: &ArchiveView<'a>) -> impl DoubleEndedIterator<Item = &'a AssessedBackup> {
    archive.assessment.backups.iter().filter(|backup| backup.is_usable())
}

pub(super) fn last_base_backup(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(usable(archive).next_back().and_then(|backup| backup.ended_at));
}

pub(super) fn first_base_backup(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(usable(archive).next().and_then(|backup| backup.ended_at));
}

pub(super) fn last_base_backup_size(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(usable(archive).next_back().map(|backup| backup.size_bytes));
}

pub(super) fn last_base_backup_duration(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let backup = usable(archive).next_back();
    samples.maybe(backup.and_then(|backup| Some(backup.ended_at? - backup.began_at?)));
}

pub(super) fn last_failed_backup(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let failed = archive.assessment.backups.iter().filter(|backup| match backup.kind {
        BackupKind::Failed => true,
        BackupKind::Usable | BackupKind::Unusable | BackupKind::Running => false,
    });
    let ended_at = |backup: &AssessedBackup| -> Option<DateTime<Utc>> {
        backup.ended_at.or(backup.began_at).or_else(|| backup.id.began_at())
    };
    samples.maybe(failed.filter_map(ended_at).max());
}

pub(super) fn last_wal(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.wal_uploaded_at());
}

fn is_listed(assessment: &Assessment) -> bool {
    assessment.observed_at.is_some() || !assessment.gaps.is_empty()
}

/// The gaps of each effect that nobody accepted, told apart from "not looked at".
fn write_gaps(archive: &ArchiveView<'_>, samples: &mut Samples<'_>, measure: fn(&Gap) -> u64) {
    if is_listed(archive.assessment) {
        for effect in GapEffect::ALL {
            let gaps = archive.assessment.gaps.iter();
            let counted = gaps.filter(|gap| gap.effect == effect && !gap.is_acknowledged);
            samples.each(effect.code(), counted.map(measure).sum::<u64>());
        }
    }
}

pub(super) fn wal_gaps(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    write_gaps(archive, samples, |_| 1);
}

pub(super) fn wal_missing_segments(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    write_gaps(archive, samples, |gap| gap.count);
}

/// What the newest hole costs; the same as the page says of it.
fn newest_hole(assessment: &Assessment) -> Option<Loss> {
    let is_told = |gap: &&Gap| gap.effect == GapEffect::Hole && gap.is_problem();
    let hole = assessment.gaps.iter().rev().find(is_told)?;
    Some(Losses::of(&assessment.windows).by(hole))
}

pub(super) fn wal_hole_start(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(newest_hole(archive.assessment).and_then(|lost| lost.from));
}

pub(super) fn wal_hole_end(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(newest_hole(archive.assessment).and_then(|lost| lost.until));
}

pub(super) fn wal_gaps_acknowledged(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    if is_listed(archive.assessment) {
        samples.one(archive.assessment.gaps.iter().filter(|gap| gap.is_acknowledged).count());
    }
}

pub(super) fn recovery_window_start(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(newest_span(&archive.assessment.windows).map(|span| span.first_at));
}

pub(super) fn recovery_window_end(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(newest_span(&archive.assessment.windows).map(|span| span.last.at));
}

/// What nothing looks for is left out.
fn proof(archive: &ArchiveView<'_>) -> Option<Proof> {
    Some(archive.assessment.proof).filter(|proof| proof.is_read)
}

pub(super) fn proven(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let listed = newest_span(&archive.assessment.windows).map(|span| span.last.at);
    let read = proof(archive).and_then(|proof| proof.read_until);
    for (level, at) in [("listed", listed), ("read", read)] {
        if let Some(at) = at {
            samples.each(level, at);
        }
    }
}

pub(super) fn content_read_ratio(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let Some(proof) = proof(archive) else { return };
    let shares =
        [("base", proof.backups_read, proof.backups), ("wal", proof.segments_read, proof.segments)];
    for (kind, read, all) in shares {
        if 0 < all {
            samples.each(kind, Value::Share(read, all));
        }
    }
}

pub(super) fn content_verified_segments(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let right = |proof: Proof| proof.segments_read.saturating_sub(proof.segments_damaged);
    samples.maybe(proof(archive).map(right));
}

pub(super) fn content_damaged(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    if let Some(proof) = proof(archive) {
        samples.each("base", proof.backups_damaged);
        samples.each("wal", proof.segments_damaged);
    }
}

pub(super) fn last_content_verification(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let Some(proof) = proof(archive) else { return };
    for (kind, at) in [("base", proof.backups_read_at), ("wal", proof.segments_read_at)] {
        if let Some(at) = at {
            samples.each(kind, at);
        }
    }
}

pub(super) fn content_unread(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(proof(archive).and_then(|proof| proof.unread_since));
}

pub(super) fn content_due(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(proof(archive).and_then(|proof| proof.due_at));
}

pub(super) fn latest_recoverable(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.latest.is_reached());
}

pub(super) fn retention(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.retention);
}

pub(super) fn schedule_interval(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.schedule_interval);
}

pub(super) fn scheduled_backups(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let cluster = archive.assessment.cluster.as_ref();
    let Some(runs) = cluster.and_then(|cluster| cluster.scheduled) else { return };
    samples.each("expected", runs.expected);
    samples.each("completed", runs.completed);
    samples.each("failed", runs.failed);
    samples.each("missed", runs.missed);
}

pub(super) fn cluster_created(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let cluster = archive.assessment.cluster.as_ref();
    samples.maybe(cluster.and_then(|cluster| cluster.created_at));
}

pub(super) fn next_backup(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.next_backup_due_at);
}

pub(super) fn base_backup_max_age(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.base_backup_age_max);
}

pub(super) fn wal_max_age(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.wal_age_max);
}

pub(super) fn check_interval(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.check_interval);
}

pub(super) fn check_max_age(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    samples.maybe(archive.assessment.promises.check_age_max());
}

pub(super) fn archive_bytes(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let totals = &archive.assessment.totals;
    write_totals(archive, samples, [("base", totals.base_bytes), ("wal", totals.wal_bytes)]);
}

pub(super) fn archive_objects(archive: &ArchiveView<'_>, samples: &mut Samples<'_>) {
    let totals = &archive.assessment.totals;
    write_totals(archive, samples, [("base", totals.base_objects), ("wal", totals.wal_objects)]);
}

fn write_totals(archive: &ArchiveView<'_>, samples: &mut Samples<'_>, kinds: [(&str, u64); 2]) {
    let is_known = archive.assessment.observed_at.is_some();
    for (kind, total) in kinds {
        if is_known || total != 0 {
            samples.each(kind, total);
        }
    }
}
