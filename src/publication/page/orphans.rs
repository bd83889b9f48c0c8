//! The archives that no cluster names: below all others, since nobody lives on them.

use maud::Markup;
use maud::html;

use crate::publication::page::Context;
use crate::publication::page::address::Address;
use crate::publication::page::filter::ROWS_MAX;
use crate::publication::page::words::age;
use crate::publication::page::words::badge;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::wording::bytes;
use crate::publication::wording::count;

/// Nothing where there is none and nothing is unread.
pub(super) fn orphans(context: &Context<'_>) -> Markup {
    let orphans = &context.view.orphans;
    let unread = context.view.snapshot.orphan_search.iter().flat_map(|it| &it.unread);
    let unread: Vec<&String> = unread.collect();
    let rest = orphans.len().saturating_sub(ROWS_MAX);
    html! {
        @if !orphans.is_empty() || !unread.is_empty() {
            section.orphans {
                h2 { "Orphaned archives" }
                @if !orphans.is_empty() {
                    p {
                        "No Cluster uses " (count(orphans.len(), "archive")) " below the watched "
                        "stores. Nothing is added to them, no retention policy trims them, and they "
                        "do not count in the verdict above."
                    }
                    (table(context))
                    @if rest != 0 { p { "And " (rest) " more; the JSON has all of them." } }
                }
                @for why in unread { p.note { "Some may be missing here: " (why) } }
            }
        }
    }
}

fn table(context: &Context<'_>) -> Markup {
    html! {
        table.fleet {
            caption { "Orphaned archives, by name" }
            thead {
                tr {
                    th scope="col" { "Verdict" }
                    th scope="col" { "Archive, and where it is" }
                    th scope="col" { "Newest restorable" }
                    th scope="col" { "Stored" }
                }
            }
            tbody {
                @for entry in context.view.orphans.iter().take(ROWS_MAX) { (row(context, entry)) }
            }
        }
    }
}

fn row(context: &Context<'_>, entry: &ArchiveView<'_>) -> Markup {
    let assessment = entry.assessment;
    let is_read = assessment.observed_at.is_some();
    html! {
        tr {
            td { (badge(entry.standing.verdict)) }
            th scope="row" {
                a href=(Address::of(&assessment.archive).from(context.root)) { (assessment.archive) }
                p.why { (assessment.place()) }
            }
            td {
                @match newest_span(&assessment.windows) {
                    Some(span) => (age(span.last.at, context.view.now)),
                    None if is_read => "none",
                    None => "not known",
                }
            }
            td { @if is_read { (bytes(assessment.totals.bytes())) } @else { "not known" } }
        }
    }
}
