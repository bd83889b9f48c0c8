//! The status page: one screen, no script, every archive with its verdict, why, and what to do.

use chrono::DateTime;
use chrono::Utc;
use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::assessment::Assessment;
use crate::assessment::finding::Finding;
use crate::assessment::finding::duration;
use crate::domain::archive_id::ArchiveId;
use crate::publication::runbook;
use crate::publication::snapshot::Snapshot;
use crate::publication::snapshot::WatchedArchive;
use crate::publication::span::newest_span;
use crate::publication::span::reachable_spans;
use crate::publication::wording::ago;
use crate::publication::wording::count;
use crate::publication::wording::sentence;
use crate::publication::wording::title;
use crate::publication::wording::utc;

/// A file of its own, so that the page needs no exception from its Content-Security-Policy.
pub const STYLESHEET: &str = include_str!("page/style.css");

/// Where the page expects it, seen from the page.
pub const STYLESHEET_PATH: &str = "style.css";

/// Ages are told as of `now`, when the page is looked at.
pub fn render(snapshot: &Snapshot, version: &str, now: DateTime<Utc>) -> String {
    let archives = snapshot.worst_first();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content="60";
                title { (title(snapshot.verdict)) " - backups of " (count(archives.len(), "archive")) }
                link rel="stylesheet" href=(STYLESHEET_PATH);
            }
            body {
                h1 {
                    "Can the backups be restored? "
                    span class={ "verdict " (snapshot.verdict.code()) } { (title(snapshot.verdict)) }
                }
                p.quiet {
                    "As of " (time(snapshot.generated_at, now)) ". "
                    a href="api/v1/status" { "JSON" } " · " a href="metrics" { "metrics" }
                    " · cnpg-backup-verifier " (version)
                }
                @if archives.is_empty() {
                    p { "No archive has been checked yet." }
                } @else {
                    (fleet(&archives, now))
                    @for archive in &archives { (details(&archive.assessment, now)) }
                }
            }
        }
    }
    .into_string()
}

fn fleet(archives: &[&WatchedArchive], now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "Verdict" }
                        th scope="col" { "Archive" }
                        th scope="col" { "Newest restorable moment" }
                        th scope="col" { "Newest WAL" }
                        th scope="col" { "Findings" }
                    }
                }
                tbody {
                    @for archive in archives {
                        @let assessment = &archive.assessment;
                        tr {
                            td { (verdict(assessment)) }
                            td { a href={ "#" (anchor(assessment)) } { (assessment.archive) } }
                            td { (moment(newest_span(&assessment.windows).map(|span| span.last.at), now)) }
                            td { (moment(assessment.newest_segment.map(|segment| segment.uploaded_at), now)) }
                            td { (assessment.findings.len()) }
                        }
                    }
                }
            }
        }
    }
}

fn details(assessment: &Assessment, now: DateTime<Utc>) -> Markup {
    html! {
        article id=(anchor(assessment)) class={ "is-" (assessment.verdict.code()) } {
            h2 { (verdict(assessment)) " " (assessment.archive) }
            p { (sentence(assessment.verdict)) }
            p.quiet {
                code { (assessment.place()) } ", "
                @match assessment.observed_at {
                    Some(at) => { "last read " (time(at, now)) }
                    None => { "never read as a whole" }
                }
            }
            @if !assessment.findings.is_empty() {
                h3 { "Why, and what to do" }
                ul { @for finding in &assessment.findings { li { (problem(finding, &assessment.archive)) } } }
            }
            @if !assessment.windows.is_empty() {
                h3 {
                    @match assessment.unreadable {
                        None => "What can be restored",
                        Some(_) => "What could be restored when it was read last",
                    }
                }
                ul {
                    @for span in reachable_spans(&assessment.windows).iter().rev() {
                        li {
                            "every moment from " (utc(span.first_at)) " to " (utc(span.last.at))
                            " (" (duration(span.last.at - span.first_at)) ")"
                        }
                    }
                }
            }
        }
    }
}

fn problem(finding: &Finding, archive: &ArchiveId) -> Markup {
    html! {
        strong { (finding.severity.code()) } " "
        a href=(runbook::url(finding.code())) { code { (finding.code().as_str()) } } ": "
        (finding)
        br;
        span.quiet { "Do: " (finding.problem.hint(archive)) }
    }
}

fn verdict(assessment: &Assessment) -> Markup {
    html! {
        span class={ "verdict " (assessment.verdict.code()) } { (title(assessment.verdict)) }
    }
}

fn moment(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    html! {
        @match at {
            Some(at) => (time(at, now)),
            None => "-",
        }
    }
}

fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { (utc(at)) " (" (ago(at, now)) ")" }
}

/// Unique, and without a character that means something in an address.
fn anchor(assessment: &Assessment) -> String {
    let archive = &assessment.archive;
    let name = format!("{}/{}/{}", archive.namespace, archive.cluster, archive.server_name);
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
            b'/' => ":".to_owned(),
            other => format!("_{other:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::samples;

    #[test]
    fn the_page_shows_every_archive() {
        let snapshot = samples::fleet(samples::KINDS);
        insta::assert_snapshot!(render(&snapshot, "0.1.0", snapshot.generated_at));
    }

    #[test]
    fn names_from_a_bucket_are_text_and_not_markup() {
        let snapshot = samples::only(samples::NEVER_READ);
        let page = render(&snapshot, "0.1.0", snapshot.generated_at);
        assert!(page.contains("odd&quot;\\&lt;b&gt;4"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let snapshot = samples::fleet(samples::KINDS);
        let page = render(&snapshot, "0.1.0", snapshot.generated_at);
        for forbidden in ["<script", "style=", "src=", "onclick"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
