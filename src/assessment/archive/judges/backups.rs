//! What is wrong with each backup, its own WAL included, and is any of use?

use crate::assessment::GapEffect;
use crate::assessment::Latest;
use crate::assessment::archive::ArchiveCase;
use crate::assessment::archive::address::archives_near;
use crate::assessment::archive::catalogue::BackupState;
use crate::assessment::archive::content::wrong_pages;
use crate::assessment::archive::recoverability::candidate::Candidate;
use crate::assessment::archive::recoverability::gaps::PlacedGap;
use crate::assessment::archive::recoverability::route::Stretch;
use crate::assessment::finding::Finding;
use crate::assessment::finding::Problem;
use crate::assessment::finding::Weight;
use crate::assessment::finding::archive::backup::BackupDefect;
use crate::assessment::finding::archive::backup::Missing;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::finding::duty::Duty;
use crate::assessment::unusable::UnusableReason;
use crate::domain::segment::SegmentRange;
use crate::observation::backup::ObservedBackup;

pub(super) fn judge(case: &ArchiveCase<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut candidates = case.recoverability.candidates.iter().peekable();
    for (backup, state) in &case.catalogue.backups {
        findings.extend(judge_state(state));
        findings.extend(state.as_ref().ok().and_then(|_| wrong_pages_of(case, backup)));
        // Candidates are some of the backups, in the same order.
        let candidate = candidates.next_if(|it| it.backup.id == backup.id);
        findings.extend(candidate.and_then(|it| incomplete(it, &case.recoverability.gaps)));
    }
    let is_any_usable = case.recoverability.candidates.iter().any(|it| it.reach.is_ok());
    if !is_any_usable && case.recoverability.latest == Latest::NotReached {
        findings.push(Finding::new(Weight::Fatal, nothing_usable(case)));
    }
    let until = case.first_backup_due;
    let awaited = until.map(|until| Duty::FirstBackupAwaited { until });
    findings.extend(awaited.map(|awaited| Finding::new(Weight::Early, awaited)));
    let wrong_address = case.wrong_address.clone().map(StoreDefect::NotFound);
    findings.extend(wrong_address.map(|it| Finding::new(Weight::OutOfSight, it)));
    let elsewhere = case.elsewhere.clone();
    findings.extend(elsewhere.map(|elsewhere| Finding::new(Weight::Elsewhere, elsewhere)));
    findings
}

fn nothing_usable(case: &ArchiveCase<'_>) -> Problem {
    match case.backups.len() {
        0 if case.inventory.object_count == 0 => {
            let address = case.subject.address.as_ref();
            let around = case.seen.surroundings.as_ref().and_then(|it| it.as_ref().ok());
            let nearby = address.zip(around);
            let nearby = nearby.map(|(address, around)| archives_near(address, around));
            let address = address.map_or_else(String::new, ToString::to_string);
            StoreDefect::Empty { address, nearby: nearby.unwrap_or_default() }.into()
        }
        backups => BackupDefect::NoneUsable { backups }.into(),
    }
}

/// A backup that is restored all the same, with pages that nobody can read.
fn wrong_pages_of(case: &ArchiveCase<'_>, backup: &ObservedBackup) -> Option<Finding> {
    let content = case.seen.content.backups.get(&backup.id)?;
    let damage = wrong_pages(content, backup.parsed_info()?)?;
    let (backup, damages) = (backup.id.clone(), vec![damage]);
    Some(Finding::new(Weight::Risk, BackupDefect::Damaged { backup, damages }))
}

/// What a backup's own objects show to be wrong.
pub(in crate::assessment::archive) fn judge_state(state: &BackupState) -> Option<Finding> {
    let Err(UnusableReason::Defect(defect)) = state else { return None };
    let weight = if defect.is_superseded() { Weight::Notice } else { Weight::Risk };
    Some(Finding::new(weight, defect.clone()))
}

/// What a backup lacks of the WAL between its start and its end. An accepted gap stays silent
/// here too.
fn incomplete(candidate: &Candidate<'_>, gaps: &[PlacedGap]) -> Option<Finding> {
    let Err(UnusableReason::WalMissing(missing)) = candidate.reach else { return None };
    let (first, last) = (candidate.wal.first_required, candidate.wal.last_required);
    let own = SegmentRange::new(first, last)?;
    let route = candidate.route.as_ref().ok()?;
    let within = |stretch: Stretch| {
        let Stretch { timeline, segments } = stretch;
        let place = |it: &PlacedGap| (it.timeline, it.segments.last);
        let at = gaps.partition_point(|it| place(it) < (timeline, segments.first));
        let gaps = gaps.get(at..).unwrap_or_default().iter();
        gaps.take_while(move |it| it.timeline == timeline && it.segments.first <= segments.last)
    };
    let is_met = |it: &&PlacedGap| route.timeline_at(it.segments.first) == Some(it.timeline);
    let mut inside = route
        .stretches(own.first, own.last)
        .flat_map(within)
        .filter(|it| it.gap.effect != GapEffect::Harmless)
        .filter(is_met)
        .peekable();
    let is_accepted = inside.peek().is_some() && inside.all(|it| it.gap.is_acknowledged);
    let weight = if is_accepted { Weight::Notice } else { Weight::Risk };
    let (backup, missing) = (candidate.backup.id.clone(), Missing::Wal(missing));
    Some(Finding::new(weight, BackupDefect::Incomplete { backup, missing }))
}
