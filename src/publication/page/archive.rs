//! One archive in full: verdict, why, what to do, and what can be restored.

use maud::Markup;
use maud::html;

use crate::assessment::verdict::Verdict;
use crate::publication::page::Archives;
use crate::publication::page::Context;
use crate::publication::page::FormFields;
use crate::publication::page::Page;
use crate::publication::page::answer;
use crate::publication::page::chart::Chart;
use crate::publication::page::drills;
use crate::publication::page::facts;
use crate::publication::page::findings;
use crate::publication::page::picture;
use crate::publication::page::position::Position;
use crate::publication::page::question::Asked;
use crate::publication::page::question::Question;
use crate::publication::page::shell::Refresh;
use crate::publication::page::shell::Sheet;
use crate::publication::page::shell::write;
use crate::publication::page::tables;
use crate::publication::page::words::badge;
use crate::publication::page::words::heading;
use crate::publication::page::words::time;
use crate::publication::view::ArchiveView;
use crate::publication::wording::stands;
use crate::publication::wording::title;

/// Understands `at`, `to`, `archive` and `refresh`. `None` if no such archive is watched.
pub fn archives(context: &Context<'_>, shown: &Archives, fields: &FormFields) -> Option<Page> {
    let mut entries = context.view.worst_first();
    entries.extend(&context.view.orphans);
    entries.retain(|entry| shown.holds(entry.assessment));
    let asked = Asked::parse(fields, context.view.now);
    let verdict = entries.first()?.standing.verdict;
    let is_only_one = entries.len() == 1;
    let level = if is_only_one { 1 } else { 2 };
    let target = entries.iter().position(|it| asked.is_about(&it.assessment.place()));
    let name = shown.name();
    let main = html! {
        p.back { a href=(if context.root.is_empty() { "./" } else { context.root }) { "All archives" } }
        @if !is_only_one { h1 { (name) " has " (entries.len()) " archives" } }
        @for (index, entry) in entries.iter().enumerate() {
            @let is_target = Some(index) == target;
            @let position = Position { level, is_only_one, number: index + 1, is_target };
            (article(context, entry, position, &asked))
        }
    };
    let suitable = match asked.question {
        // Whoever waits for a repair wants to see it.
        Question::None if verdict != Verdict::Recoverable => Refresh::Often,
        Question::None => Refresh::Rarely,
        Question::Asked(_) | Question::Refused(_) => Refresh::Never,
    };
    let refresh = Refresh::of(fields, suitable);
    let title = format!("{} · {name}", title(verdict));
    let html = write(context, &Sheet { title: &title, verdict: Some(verdict), refresh, main });
    Some(Page { html, is_refusal: asked.is_refused() })
}

pub(super) fn article(
    context: &Context<'_>,
    entry: &ArchiveView<'_>,
    position: Position,
    asked: &Asked,
) -> Markup {
    let assessment = entry.assessment;
    let id = format!("a{}", position.number);
    let level = position.level + 1;
    html! {
        article class={ "archive " (entry.standing.verdict.code()) } aria-labelledby={ (id) "-name" } {
            header {
                (heading(position.level, Some(&format!("{id}-name")), &html! {
                    span.name { (assessment.archive) } " " (badge(entry.standing.verdict))
                }))
                (standing(context, entry))
                p.where { code { (assessment.place()) } }
            }
            (findings::findings(entry, level))
            (window(context, entry, level, &id))
            (answer::restore(context, entry, position, asked, &id))
            (facts::facts(context, entry, level))
            (drills::drills(assessment, level, &id))
            @if !assessment.backups.is_empty() || !assessment.gaps.is_empty() {
                section.tables {
                    (heading(level, None, &html! { "In detail" }))
                    (tables::backups(assessment))
                    (tables::gaps(assessment))
                }
            }
        }
    }
}

fn standing(context: &Context<'_>, entry: &ArchiveView<'_>) -> Markup {
    let assessment = entry.assessment;
    html! {
        p.lead {
            (stands(&entry.standing, context.view.now))
        }
        @if assessment.orphan.is_some() {
            p { strong { "Orphaned: " } "no Cluster uses this archive, and it counts in no other verdict." }
        }
        p.read {
            @match (assessment.observed_at, assessment.unreadable) {
                (Some(at), None) => { "Read " (time(at, context.view.now)) "." }
                (Some(at), Some(_)) => {
                    strong { "Not read since " (time(at, context.view.now)) "." }
                    " What is shown below is from then."
                }
                (None, _) => strong { "Never read in full." },
            }
        }
    }
}

fn window(context: &Context<'_>, entry: &ArchiveView<'_>, level: u8, id: &str) -> Markup {
    let words = if entry.standing.is_old() {
        "What could be restored when it was last read"
    } else {
        "What can be restored"
    };
    html! {
        section.window {
            (heading(level, None, &html! { (words) }))
            @match Chart::new(entry.assessment, &entry.standing, context.view.now) {
                Some(chart) => {
                    (picture::picture(&chart, id))
                    (tables::moments(&chart))
                }
                None => p {
                    @match entry.standing.verdict {
                        Verdict::Unknown => "Not known.",
                        Verdict::Recoverable | Verdict::AtRisk | Verdict::Unrecoverable => "Nothing.",
                    }
                }
            }
        }
    }
}
