//! One archive in full, on one page.

use chrono::DateTime;
use chrono::Utc;

use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::TimeSource;
use crate::assessment::cluster::ClusterState;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::assessment::finding::duration;
use crate::assessment::proof::Proof;
use crate::assessment::verdict::Verdict;
use crate::publication::cluster;
use crate::publication::report::drills;
use crate::publication::report::paper::Paper;
use crate::publication::runbook;
use crate::publication::span::last_choice;
use crate::publication::span::newest_span;
use crate::publication::span::reachable_spans;
use crate::publication::view::ArchiveView;
use crate::publication::wording::ago;
use crate::publication::wording::bytes;
use crate::publication::wording::stands;
use crate::publication::wording::utc;

/// What fits on a page; the JSON has everything.
const FINDINGS_MAX: usize = 8;
const SPANS_MAX: usize = 4;
const BACKUPS_MAX: usize = 8;

pub(super) fn write_archive(paper: &mut Paper, archive: &ArchiveView<'_>, now: DateTime<Utc>) {
    let ArchiveView { assessment, standing, .. } = archive;
    paper.verdict(standing.verdict, &assessment.archive.to_string());
    paper.paragraph(0, &stands(standing, now));
    let read = match assessment.observed_at {
        Some(at) => format!("last read {} ({})", utc(at), ago(at, now)),
        None => "never read in full".to_owned(),
    };
    paper.paragraph(0, &format!("{}, {read}", assessment.place()));
    if let Some(at) = assessment.fully_listed_at.filter(|at| *at < assessment.checked_at) {
        paper.paragraph(0, &format!("last checked for deletions {}", utc(at)));
    }
    let proof = assessment.proof;
    if proof.is_any() {
        let Proof { segments, segments_read, backups, backups_read, .. } = proof;
        paper.paragraph(
            0,
            &format!(
                "content read: {segments_read} of {segments} segments, {backups_read} of {backups} \
                 base backups"
            ),
        );
        if let Some(until) = proof.read_until {
            paper.paragraph(0, &format!("proven by reading up to {}", utc(until)));
        }
    }
    write_findings(paper, assessment);
    let is_elsewhere = has(assessment, FindingCode::ArchiveNotFound);
    let is_read = assessment.observed_at.is_some() || !assessment.backups.is_empty();
    let is_known = is_read && !is_elsewhere;
    if is_known {
        write_moments(paper, archive, now);
        write_backups(paper, assessment);
        write_strays(paper, assessment);
    }
    if let Some(cluster) = &assessment.cluster {
        write_cluster(paper, cluster);
    }
    drills::write(paper, assessment);
    write_steps(paper, assessment, standing.verdict);
}

fn write_cluster(paper: &mut Paper, state: &ClusterState) {
    let lines = [
        ("state       ", state.phase.clone()),
        ("silence     ", state.silence.as_ref().map(cluster::silence)),
        ("schedule    ", cluster::schedules(state)),
        ("backups due ", state.scheduled.map(cluster::scheduled)),
    ];
    let drills = state.drills.iter().map(|drill| ("drill       ", Some(cluster::drill(drill))));
    paper.heading("IN KUBERNETES");
    for (label, text) in lines.into_iter().chain(drills) {
        if let Some(text) = text {
            paper.item(2, label, &text);
        }
    }
}

fn write_findings(paper: &mut Paper, assessment: &Assessment) {
    let findings = &assessment.findings;
    if findings.is_empty() {
        return;
    }
    paper.heading("WHY");
    for finding in findings.iter().take(FINDINGS_MAX) {
        paper.severity(finding.severity(), finding.code().as_str());
        paper.paragraph(6, &finding.to_string());
        paper.item(6, "do: ", &assessment.hint(finding));
    }
    let rest = findings.len().saturating_sub(FINDINGS_MAX);
    if rest != 0 {
        paper.line(2, &format!("and {rest} more; see -o json"));
    }
}

fn write_moments(paper: &mut Paper, archive: &ArchiveView<'_>, now: DateTime<Utc>) {
    let assessment = archive.assessment;
    paper.heading(if archive.standing.is_old() {
        "WHAT COULD BE RESTORED WHEN IT WAS LAST READ"
    } else {
        "WHAT CAN BE RESTORED"
    });
    let spans = reachable_spans(&assessment.windows);
    let Some(newest) = newest_span(&assessment.windows) else {
        paper.line(2, "nothing");
        return;
    };
    let at = newest.last.at;
    let newest = format!("{} ({})", utc(at), ago(at, now));
    paper.item(2, "newest moment  ", &newest);
    let mut label = "every moment   ";
    for span in spans.iter().rev().take(SPANS_MAX) {
        let (first, last) = (utc(span.first_at), utc(span.last.at));
        let length = duration(span.last.at - span.first_at);
        let moments = match span.last.source {
            TimeSource::Backup if span.first_at == span.last.at => {
                format!("only the state of {last}, without a target time")
            }
            TimeSource::Commit | TimeSource::Upload | TimeSource::Backup => {
                format!("from {first} to {last} ({length})")
            }
        };
        paper.item(2, label, &moments);
        label = "and            ";
    }
    let rest = spans.len().saturating_sub(SPANS_MAX);
    if rest != 0 {
        paper.line(2, &format!("and {rest} older stretches of time; see -o json"));
    }
    let is_bound = assessment.windows.iter().any(|window| {
        window.last.at == at
            && match window.last.source {
                TimeSource::Upload => true,
                TimeSource::Commit | TimeSource::Backup => false,
            }
    });
    if is_bound {
        paper.paragraph(
            2,
            "The newest moment is when its WAL was uploaded; the last commit in it is older, and a \
             later recovery target fails.",
        );
    }
    for window in &assessment.windows {
        if let Some(timeline) = window.target_timeline {
            let backup = &window.backup_id;
            paper.paragraph(2, &format!("From backup {backup} only with targetTLI {timeline}."));
        }
    }
}

fn write_strays(paper: &mut Paper, assessment: &Assessment) {
    let strays = &assessment.strays;
    let (objects, are) = match strays.count {
        0 => return,
        1 => ("object", "is"),
        _ => ("objects", "are"),
    };
    let examples = strays.examples.join(", ");
    let text = format!("{} {objects} below wals/ {are} not Barman's: {examples}", strays.count);
    paper.blank();
    let shown = u64::try_from(strays.examples.len()).unwrap_or(u64::MAX);
    paper.paragraph(2, &if shown < strays.count { format!("{text}, ...") } else { text });
}

fn write_backups(paper: &mut Paper, assessment: &Assessment) {
    if assessment.backups.is_empty() {
        return;
    }
    paper.blank();
    let columns = Columns::within(paper.width());
    let (ended, reaches) = columns.headings();
    paper.line(2, &columns.row("BACKUP", "STATE", ended, ["SIZE", reaches]));
    for backup in assessment.backups.iter().rev().take(BACKUPS_MAX) {
        let reach = assessment.windows.iter().find(|window| window.backup_id == backup.id);
        let reach = columns.time(reach.map(|window| window.last.at));
        let ended = columns.time(backup.ended_at);
        let (size, id) = (bytes(backup.size_bytes), backup.id.as_str());
        paper.line(2, &columns.row(id, backup.kind.code(), &ended, [&size, &reach]));
        if let Some(reason) = backup.unusable.as_ref().filter(|_| is_to_explain(backup.kind)) {
            paper.paragraph(6, &reason.to_string());
        }
    }
    let rest = assessment.backups.iter().rev().skip(BACKUPS_MAX);
    let (older, usable) = (rest.clone().count(), rest.filter(|backup| backup.is_usable()).count());
    if older != 0 {
        paper.line(2, &format!("and {older} older, {usable} of them usable; see -o json"));
    }
}

const fn is_to_explain(kind: BackupKind) -> bool {
    match kind {
        BackupKind::Unusable | BackupKind::Failed => true,
        BackupKind::Usable | BackupKind::Running => false,
    }
}

/// What there is room for of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Columns {
    All,
    /// The zone stands in the heading.
    ShortTimes,
    /// Neither when it ended nor its size.
    Fewest,
}

impl Columns {
    const fn within(width: usize) -> Self {
        match width {
            ..76 => Self::Fewest,
            76..90 => Self::ShortTimes,
            90.. => Self::All,
        }
    }

    const fn headings(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("ENDED", "REACHES"),
            Self::ShortTimes | Self::Fewest => ("ENDED (UTC)", "REACHES (UTC)"),
        }
    }

    fn time(self, at: Option<DateTime<Utc>>) -> String {
        match (self, at) {
            (_, None) => "-".to_owned(),
            (Self::All, Some(at)) => utc(at),
            (Self::ShortTimes, Some(at)) => at.format("%Y-%m-%d %H:%M").to_string(),
            (Self::Fewest, Some(at)) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }

    fn row(self, backup: &str, state: &str, ended: &str, [size, reaches]: [&str; 2]) -> String {
        match self {
            Self::All => format!("{backup:15}  {state:8}  {ended:23}  {size:>10}  {reaches}"),
            Self::ShortTimes => {
                format!("{backup:15}  {state:8}  {ended:16}  {size:>10}  {reaches}")
            }
            Self::Fewest => format!("{backup:15}  {state:8}  {reaches}"),
        }
    }
}

fn write_steps(paper: &mut Paper, assessment: &Assessment, verdict: Verdict) {
    paper.heading("WHAT TO DO");
    let mut steps = Vec::new();
    let worst = assessment.findings.first().filter(|finding| match finding.severity() {
        Severity::Critical | Severity::Warning => true,
        Severity::Info => false,
    });
    if let Some(worst) = worst {
        let code = worst.code();
        steps.push(format!("Deal with {} first. Runbook: {}", code.as_str(), runbook::url(code)));
    }
    if let Some(step) = last_resort(assessment, verdict) {
        steps.push(step);
    }
    if steps.is_empty() {
        paper.line(2, "nothing");
    }
    for (number, step) in (1..).zip(steps) {
        paper.item(2, &format!("{number}. "), &step);
    }
}

/// For whoever has to restore before anything is repaired.
fn last_resort(assessment: &Assessment, verdict: Verdict) -> Option<String> {
    let newest = newest_span(&assessment.windows).map(|span| utc(last_choice(span.last.at)));
    match (verdict, newest) {
        (Verdict::Recoverable | Verdict::AtRisk, _) => None,
        (Verdict::Unrecoverable, Some(newest)) if assessment.orphan.is_some() => Some(format!(
            "To restore from it, choose a moment no later than {newest}; a restore to the newest \
             state fails or loses data."
        )),
        // There is no database behind it any more.
        (Verdict::Unrecoverable, None) if assessment.orphan.is_some() => None,
        (Verdict::Unrecoverable, Some(newest)) => Some(format!(
            "To restore before this is repaired, choose a moment no later than {newest}; a restore \
             to the newest state fails or loses data."
        )),
        (Verdict::Unrecoverable, None) if is_empty(assessment) => None,
        (Verdict::Unrecoverable, None) => Some(
            "Do not lose the running database: nothing stored here can bring it back.".to_owned(),
        ),
        (Verdict::Unknown, Some(newest)) => Some(format!(
            "What is said above may be out of date: when the archive was last read, moments up to \
             {newest} could be restored."
        )),
        (Verdict::Unknown, None) => None,
    }
}

/// More likely a wrong address than a loss.
fn is_empty(assessment: &Assessment) -> bool {
    has(assessment, FindingCode::ArchiveEmpty)
}

fn has(assessment: &Assessment, code: FindingCode) -> bool {
    assessment.findings.iter().any(|finding| finding.code() == code)
}
