//! The first page: all archives, the worst first. A few are shown in full, many as rows.

use chrono::DateTime;
use chrono::Utc;
use maud::Markup;
use maud::html;

use crate::assessment::Assessment;
use crate::assessment::standing::LastCheck;
use crate::assessment::verdict::Verdict;
use crate::publication::page::Context;
use crate::publication::page::FormFields;
use crate::publication::page::Page;
use crate::publication::page::address::Address;
use crate::publication::page::archive::article;
use crate::publication::page::filter::OverviewFilter;
use crate::publication::page::filter::Selected;
use crate::publication::page::filter::WORDS_CHARACTERS_MAX;
use crate::publication::page::orphans::orphans;
use crate::publication::page::position::Position;
use crate::publication::page::question::Asked;
use crate::publication::page::shell::Refresh;
use crate::publication::page::shell::Sheet;
use crate::publication::page::shell::write;
use crate::publication::page::words::age;
use crate::publication::page::words::badge;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::view::View;
use crate::publication::wording::ago;
use crate::publication::wording::count;
use crate::publication::wording::title;

/// With so many a page has everything; with more it has a row for each.
const ARCHIVES_IN_FULL_MAX: usize = 5;

/// Understands `q`, `verdict`, `page` and `refresh`.
pub fn overview(context: &Context<'_>, fields: &FormFields) -> Page {
    let entries = context.view.worst_first();
    let (selection, mut refusals) = OverviewFilter::parse(fields);
    let is_in_full = entries.len() <= ARCHIVES_IN_FULL_MAX;
    let main = match entries.as_slice() {
        [] => nothing(context),
        [entry] => in_full(context, entry, 1, 1),
        [first, ..] if is_in_full => html! {
            (banner(context.view, first.standing.verdict))
            @for (number, entry) in (1..).zip(&entries) { (in_full(context, entry, 2, number)) }
        },
        [first, ..] => {
            let selected = selection.select(&entries);
            if selected.pages < selection.page {
                let (page, pages) = (selection.page, selected.pages);
                refusals.push(format!("There is no page {page}; the last one is {pages}."));
            }
            html! {
                (banner(context.view, first.standing.verdict))
                (notices(&refusals))
                (search(&selection, &selected))
                (table(context, &selection, &selected))
                (pager(&selection, selected.pages))
            }
        }
    };
    let main = html! { (main) (orphans(context)) };
    let many = count(entries.len(), "archive");
    let verdict = context.view.verdict;
    let title = format!("{} · {many}", title(verdict));
    let suitable = if is_in_full { Refresh::Rarely } else { Refresh::Often };
    let refresh = Refresh::of(fields, suitable);
    let html = write(context, &Sheet { title: &title, verdict: Some(verdict), refresh, main });
    Page { html, is_refusal: !is_in_full && !refusals.is_empty() }
}

/// Its form leads to the page of the archive, which gives the answer.
fn in_full(context: &Context<'_>, entry: &ArchiveView<'_>, level: u8, number: usize) -> Markup {
    let archive = &entry.assessment.archive;
    let same = context.view.archives.iter().filter(|it| it.assessment.archive == *archive);
    let position = Position { level, is_only_one: same.count() == 1, number, is_target: false };
    article(context, entry, position, &Asked::parse(&FormFields::new(), context.view.now))
}

fn nothing(context: &Context<'_>) -> Markup {
    html! {
        section.banner.unknown {
            h1 { (badge(Verdict::Unknown)) }
            @if context.knows_archives {
                p.lead { "No archive is watched, so nothing is known." }
                p {
                    "No cluster was found in Kubernetes (or Kubernetes is not asked), and the configuration "
                    "names nothing under " code { "archives" } "."
                }
            } @else {
                p.lead { "No archive has been looked at yet." }
                p { "The daemon has just started. Its first look at everything takes a while." }
            }
        }
    }
}

/// Of the archives that are known; what Kubernetes does not tell has a notice of its own.
fn banner(view: &View<'_>, verdict: Verdict) -> Markup {
    let (many, total) = (view.of_verdict(verdict), view.archives.len());
    let unchecked = view.archives.iter().filter(|entry| entry.standing.is_stale()).count();
    html! {
        section class={ "banner " (verdict.code()) } {
            h1 { span.question { "Can the backups be restored?" } " " (badge(verdict)) }
            p.lead {
                @match verdict {
                    Verdict::Recoverable => {
                        "All " (total) " archives can be restored to their newest state."
                    }
                    Verdict::AtRisk => {
                        "All " (total) " archives can be restored to their newest state, but "
                        "something is wrong with " (many) "."
                    }
                    Verdict::Unknown => {
                        "For " (many) " of " (total) " archives it is not known whether they can be "
                        "restored."
                    }
                    Verdict::Unrecoverable => {
                        (many) " of " (total) " archives can NOT be restored to their newest state."
                    }
                }
            }
            @if unchecked != 0 {
                p {
                    strong { "Out of date: " } (count(unchecked, "archive"))
                    " should have been checked again by now. Read the daemon's log."
                }
            }
        }
    }
}

fn notices(refusals: &[String]) -> Markup {
    html! {
        @if !refusals.is_empty() {
            div.notice role="alert" { @for refusal in refusals { p { (refusal) } } }
        }
    }
}

fn search(selection: &OverviewFilter, selected: &Selected<'_>) -> Markup {
    let all: usize = selected.counts.iter().sum();
    html! {
        div.tools {
            nav.filters aria-label="Archives by verdict" {
                ul {
                    li { (filter(selection, None, &html! { "All" }, all)) }
                    @for (verdict, many) in Verdict::ALL.into_iter().zip(selected.counts).rev() {
                        li { (filter(selection, Some(verdict), &badge(verdict), many)) }
                    }
                }
            }
            form.search role="search" method="get" action="?" {
                @if let Some(verdict) = selection.verdict {
                    input type="hidden" name="verdict" value=(verdict.code());
                }
                label for="q" { "Search names, addresses and findings" }
                span.row {
                    input id="q" name="q" type="search" value=(selection.words)
                        maxlength=(WORDS_CHARACTERS_MAX) autocomplete="off";
                    button type="submit" { "Search" }
                }
            }
        }
    }
}

fn filter(
    selection: &OverviewFilter,
    verdict: Option<Verdict>,
    label: &Markup,
    many: usize,
) -> Markup {
    let current = (selection.verdict == verdict).then_some("true");
    html! {
        a href=(selection.with_verdict(verdict)) aria-current=[current] {
            (label) " " span.many { (many) }
        }
    }
}

fn table(context: &Context<'_>, selection: &OverviewFilter, selected: &Selected<'_>) -> Markup {
    html! {
        @if selected.rows.is_empty() {
            p {
                "No archive matches. "
                @if !selection.is_everything() { a href="?" { "Show all" } }
            }
        } @else {
            table.fleet {
                caption {
                    "Archives " (selected.first) " to " (selected.first + selected.rows.len() - 1)
                    " of " (selected.matching) ", the worst first"
                }
                thead {
                    tr {
                        th scope="col" { "Verdict" }
                        th scope="col" { "Archive, and why" }
                        th scope="col" { "Newest restorable" }
                        th.wide scope="col" { "Last base backup" }
                        th.wide scope="col" { "Last WAL" }
                    }
                }
                tbody { @for entry in &selected.rows { (row(context, entry)) } }
            }
        }
    }
}

fn row(context: &Context<'_>, entry: &ArchiveView<'_>) -> Markup {
    let (assessment, now) = (entry.assessment, context.view.now);
    let backup = assessment.backups.iter().rev().find(|backup| backup.is_usable());
    let restorable = newest_span(&assessment.windows).map(|span| span.last.at);
    let uploaded = assessment.newest_segment.map(|newest| newest.uploaded_at);
    let more = assessment.findings.len().saturating_sub(1);
    html! {
        tr {
            td { (badge(entry.standing.verdict)) }
            th scope="row" {
                a href=(Address::of(&assessment.archive).from(context.root)) { (assessment.archive) }
                @if let LastCheck::Stale { was, at } = entry.standing.last_check {
                    p.why { "Was " (title(was).to_lowercase()) " " (ago(at, now)) "; not checked since." }
                }
                @if let Some(finding) = assessment.findings.first() {
                    p.why { (finding) @if more != 0 { " (and " (more) " more)" } }
                }
            }
            td { (moment(context, assessment, restorable)) }
            td.wide { (moment(context, assessment, backup.and_then(|backup| backup.ended_at))) }
            td.wide { (moment(context, assessment, uploaded)) }
        }
    }
}

/// That there is none, only where somebody has looked.
fn moment(context: &Context<'_>, assessment: &Assessment, at: Option<DateTime<Utc>>) -> Markup {
    html! {
        @match at {
            Some(at) => (age(at, context.view.now)),
            None if assessment.observed_at.is_none() => "not known",
            None => "none",
        }
    }
}

fn pager(selection: &OverviewFilter, pages: usize) -> Markup {
    let here = selection.page.min(pages);
    html! {
        @if pages != 1 {
            nav.pager aria-label="Pages" {
                @if 1 < here {
                    a rel="prev" href=(selection.on_page(here - 1)) { "Page " (here - 1) }
                }
                span { "Page " (here) " of " (pages) }
                @if here < pages {
                    a rel="next" href=(selection.on_page(here + 1)) { "Page " (here + 1) }
                }
            }
        }
    }
}
