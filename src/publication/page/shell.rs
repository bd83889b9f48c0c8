//! What surrounds every page: head, header, footer.

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::assessment::verdict::Verdict;
use crate::publication::page::Archives;
use crate::publication::page::Context;
use crate::publication::page::FormFields;
use crate::publication::page::STYLESHEET_PATH;
use crate::publication::page::glyph;
use crate::publication::page::words::time;
use crate::publication::snapshot::DiscoveryState;
use crate::publication::snapshot::Snapshot;

/// One page, before it is written.
pub(super) struct Sheet<'a> {
    pub(super) title: &'a str,
    /// `None` where the page is about no archive.
    pub(super) verdict: Option<Verdict>,
    pub(super) refresh: Refresh,
    pub(super) main: Markup,
}

/// Whether a browser reads the page again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// Nobody types on this page, or something is wrong.
    Often,
    /// Somebody may be filling in the form.
    Rarely,
    /// The reader has said so.
    Stopped,
    /// There is an answer on it that somebody reads and copies.
    Never,
}

impl Refresh {
    /// What the query says, or else what suits the page.
    pub(super) fn of(fields: &FormFields, suitable: Self) -> Self {
        let is_stopped = fields.get("refresh").is_some_and(|value| value == "off");
        if is_stopped && suitable != Self::Never { Self::Stopped } else { suitable }
    }

    const fn seconds(self) -> Option<u32> {
        match self {
            Self::Often => Some(60),
            Self::Rarely => Some(300),
            Self::Stopped | Self::Never => None,
        }
    }
}

pub(super) fn write(context: &Context<'_>, sheet: &Sheet<'_>) -> String {
    let root = context.root;
    let home = if root.is_empty() { "./" } else { root };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                @if let Some(seconds) = sheet.refresh.seconds() {
                    meta http-equiv="refresh" content=(seconds);
                }
                title { (sheet.title) " · cnpg-backup-verifier" }
                @let icon = glyph::icon_path(sheet.verdict.unwrap_or(Verdict::Unknown));
                link rel="icon" type="image/svg+xml" href={ (root) (icon) };
                link rel="stylesheet" href={ (root) (STYLESHEET_PATH) };
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (glyph::symbols())
                header.top {
                    p.brand { a href=(home) { "cnpg-backup-verifier" } }
                    nav aria-label="Other views" {
                        a href={ (root) "api/v1/status" } { "JSON" }
                        a href={ (root) "metrics" } { "Metrics" }
                    }
                }
                main id="main" tabindex="-1" { (blindness(context.view.snapshot)) (sheet.main) }
                footer.bottom {
                    p { "As of " (time(context.view.snapshot.generated_at, context.view.now)) ". All times are UTC." }
                    p { (refreshing(sheet.refresh)) }
                    p { "cnpg-backup-verifier " (context.version) ", which only reads." }
                }
            }
        }
    }
    .into_string()
}

/// What is not shown because nobody could tell.
fn blindness(snapshot: &Snapshot) -> Markup {
    html! {
        @if let Some(DiscoveryState::Down(why)) = &snapshot.discovery {
            div.notice role="alert" {
                p {
                    strong { "Kubernetes does not say which clusters exist. " }
                    "New ones are missing here, and what was promised for the others is not known."
                }
                p { (why) }
            }
        }
    }
}

/// Whoever reads slowly can keep the page as it is.
fn refreshing(refresh: Refresh) -> Markup {
    html! {
        @match refresh {
            Refresh::Often => { "This page reloads every minute. " a href="?refresh=off" { "Stop reloading" } }
            Refresh::Rarely => {
                "This page reloads every five minutes. " a href="?refresh=off" { "Stop reloading" }
            }
            Refresh::Stopped => { "This page does not reload by itself. " a href="?" { "Start reloading" } }
            Refresh::Never => "This page does not reload by itself, so that the answer stays.",
        }
    }
}

/// An address that no page has.
pub fn no_such_page(context: &Context<'_>) -> String {
    let main = html! {
        h1 { "There is no such page" }
        p { a href={ (if context.root.is_empty() { "./" } else { context.root }) } { "All archives" } }
    };
    let (title, refresh) = ("No such page", Refresh::Never);
    write(context, &Sheet { title, verdict: None, refresh, main })
}

/// For an archive that is not in the snapshot.
pub fn not_found(context: &Context<'_>, archives: &Archives) -> String {
    let name = archives.name();
    let main = html! {
        @if context.knows_archives {
            h1 { (name) " is not watched" }
            p { "It may have been removed, or it has another name. " }
        } @else {
            h1 { "Nothing is known about " (name) " yet" }
            p { "The daemon has just started and does not know yet what there is to watch." }
        }
        p { a href={ (if context.root.is_empty() { "./" } else { context.root }) } { "All archives" } }
    };
    let (title, refresh) = if context.knows_archives {
        ("Not watched", Refresh::Never)
    } else {
        ("Not known yet", Refresh::Often)
    };
    write(context, &Sheet { title, verdict: None, refresh, main })
}
