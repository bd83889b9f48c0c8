//! Why, and what to do.

use maud::Markup;
use maud::html;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::FindingCode;
use crate::assessment::finding::Severity;
use crate::assessment::verdict::Verdict;
use crate::publication::page::words::heading;
use crate::publication::page::words::plain_time;
use crate::publication::runbook;
use crate::publication::span::last_choice;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::wording::count;

/// What fits on a page; the JSON has everything.
const FINDINGS_MAX: usize = 12;

/// The worst stand first; what follows waits until they are dealt with.
const UNFOLDED_MAX: usize = 3;

pub(super) fn findings(entry: &ArchiveView<'_>, level: u8) -> Markup {
    let assessment = entry.assessment;
    let rest = assessment.findings.len().saturating_sub(FINDINGS_MAX);
    html! {
        section.findings {
            (heading(level, None, &html! { "Why, and what to do" }))
            @if assessment.findings.is_empty() {
                p {
                    @match entry.standing.verdict {
                        Verdict::Unknown => {
                            "Nothing was wrong at the last check. Find out why there has been none "
                            "since: read the daemon's log."
                        }
                        Verdict::Recoverable | Verdict::AtRisk | Verdict::Unrecoverable => {
                            "Nothing is wrong. Nothing to do."
                        }
                    }
                }
            } @else {
                @let (first, others) = split(&assessment.findings);
                (list(first, assessment))
                @if !others.is_empty() {
                    details {
                        summary { (count(others.len(), "more finding")) }
                        (list(others, assessment))
                    }
                }
                @if rest != 0 { p { "And " (count(rest, "more finding")) "; the JSON has them." } }
            }
            (last_resort(assessment, entry.standing.verdict))
        }
    }
}

fn split(findings: &[Finding]) -> (&[Finding], &[Finding]) {
    let shown = findings.get(..FINDINGS_MAX).unwrap_or(findings);
    shown.split_at_checked(UNFOLDED_MAX).unwrap_or((shown, &[]))
}

fn list(findings: &[Finding], assessment: &Assessment) -> Markup {
    html! { ol.problems { @for finding in findings { (problem(finding, assessment)) } } }
}

fn problem(finding: &Finding, assessment: &Assessment) -> Markup {
    let code = finding.code();
    html! {
        li class=(finding.severity().code()) {
            p.message { (severity(finding.severity())) " " (finding) "." }
            (to_do(&assessment.hint(finding)))
            p.runbook {
                a href=(runbook::url(code)) rel="noreferrer" { "Runbook " code { (code.as_str()) } }
            }
        }
    }
}

/// A command stands alone, so that it can be copied with one click.
fn to_do(hint: &str) -> Markup {
    html! {
        @match hint.split_once(": kubectl ") {
            Some((before, command)) => {
                p { strong { "Do: " } (before) ":" }
                p {
                    code.command {
                        span.word { "kubectl" }
                        // Broken between words only: an option keeps its two dashes.
                        @for word in command.split(' ') { " " span.word { (word) } }
                    }
                }
            }
            None => p { strong { "Do: " } (hint) "." },
        }
    }
}

fn severity(severity: Severity) -> Markup {
    html! { span class={ "severity " (severity.code()) } { (severity.code()) } }
}

/// For whoever has to restore before anything is repaired.
fn last_resort(assessment: &Assessment, verdict: Verdict) -> Markup {
    let newest = newest_span(&assessment.windows).map(|span| span.last.at);
    let is_empty =
        assessment.findings.iter().any(|finding| finding.code() == FindingCode::ArchiveEmpty);
    html! {
        @match (verdict, newest) {
            (Verdict::Recoverable | Verdict::AtRisk, _) | (Verdict::Unknown, None) => {}
            (Verdict::Unrecoverable, Some(newest)) => {
                p.resort {
                    @if assessment.orphan.is_some() { "To restore from it" } @else {
                        "To restore before this is repaired"
                    }
                    ", choose a moment no later than "
                    (plain_time(last_choice(newest))) ". A restore to the newest state fails or loses data."
                }
            }
            (Verdict::Unrecoverable, None) => {
                // Behind an orphan there is no database any more.
                @if !is_empty && assessment.orphan.is_none() {
                    p.resort {
                        "Do not lose the running database: nothing stored here can bring it back."
                    }
                }
            }
            (Verdict::Unknown, Some(newest)) => {
                p.resort {
                    "What follows may be out of date: when the archive was last read, moments up to "
                    (plain_time(newest)) " could be restored."
                }
            }
        }
    }
}
