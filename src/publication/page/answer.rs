//! The form *Can I restore to …?*, and its answer.

use chrono::DateTime;
use chrono::SubsecRound as _;
use chrono::Utc;
use maud::Markup;
use maud::html;

use crate::assessment::Assessment;
use crate::assessment::plan::Obstruction;
use crate::assessment::plan::Restore;
use crate::assessment::plan::RestorePlan;
use crate::domain::recovery_target::Target;
use crate::publication::page::Context;
use crate::publication::page::address::Address;
use crate::publication::page::position::Position;
use crate::publication::page::question::Asked;
use crate::publication::page::question::MOMENT_FORMAT;
use crate::publication::page::question::Question;
use crate::publication::page::words::encoded;
use crate::publication::page::words::heading;
use crate::publication::page::words::plain_time;
use crate::publication::page::words::time;
use crate::publication::restore_plan::PlanDocument;
use crate::publication::restore_plan::warnings;
use crate::publication::span::last_choice;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::wording::bytes;
use crate::publication::wording::rfc3339;

/// `id` is unique on the page.
pub(super) fn restore(
    context: &Context<'_>,
    entry: &ArchiveView<'_>,
    position: Position,
    asked: &Asked,
    id: &str,
) -> Markup {
    let assessment = entry.assessment;
    let address = address(assessment, position);
    let level = position.level + 1;
    let is_about_this = asked.is_about(&assessment.place());
    html! {
        section.restore id=[position.is_target.then_some("restore")] {
            (heading(level, None, &html! { "Can I restore to …?" }))
            @if is_about_this {
                @match &asked.question {
                    Question::None => {}
                    Question::Refused(why) => p.notice id={ (id) "-refusal" } role="alert" { (why) },
                    Question::Asked(target) => (answer(context, entry, target, &address, level + 1)),
                }
            }
            (form(context, assessment, &address, asked, id))
        }
    }
}

fn address(assessment: &Assessment, position: Position) -> Address {
    let address = Address::of(&assessment.archive);
    if position.is_only_one { address } else { address.with("archive", &assessment.place()) }
}

fn form(
    context: &Context<'_>,
    assessment: &Assessment,
    address: &Address,
    asked: &Asked,
    id: &str,
) -> Markup {
    let is_refused = asked.is_refused() && asked.is_about(&assessment.place());
    let refusal = is_refused.then(|| format!("{id}-refusal"));
    let invalid = is_refused.then_some("true");
    let moment =
        if asked.moment.is_empty() { suggestion(assessment) } else { asked.moment.clone() };
    let (at, to, help) = (format!("{id}-at"), format!("{id}-to"), format!("{id}-help"));
    let described: Vec<String> = refusal.into_iter().chain([help.clone()]).collect();
    html! {
        form.question method="get" action={ (context.root) (address.path) "#restore" } {
            @for (name, value) in &address.fields { input type="hidden" name=(name) value=(value); }
            div.field {
                label for=(at) { "Moment in UTC" }
                input id=(at) name="at" type="datetime-local" step="1" value=(moment);
            }
            div.field {
                label for=(to) { "Or as text" }
                input id=(to) name="to" type="text" value=(asked.text) autocomplete="off"
                    autocapitalize="off" spellcheck="false" maxlength="64"
                    placeholder="latest" aria-describedby=(described.join(" ")) aria-invalid=[invalid];
            }
            button type="submit" { "Plan the restore" }
            p.note id=(help) {
                "As text: " code { "latest" } " for the newest state, a moment with its time zone such as "
                code { "2026-01-31 16:45 +01:00" } ", or " code { "2 hours ago" }
                ". If both are filled in, the text wins."
            }
        }
    }
}

/// The newest moment that can be asked for, to the second.
fn suggestion(assessment: &Assessment) -> String {
    let newest = newest_span(&assessment.windows);
    newest.map_or_else(String::new, |span| {
        let before = last_choice(span.last.at);
        before.max(span.first_at).format(MOMENT_FORMAT).to_string()
    })
}

fn answer(
    context: &Context<'_>,
    entry: &ArchiveView<'_>,
    target: &Target,
    address: &Address,
    level: u8,
) -> Markup {
    let assessment = entry.assessment;
    let document = PlanDocument::new(assessment, target.clone());
    let (class, word) = match (&document.plan, entry.standing.is_old()) {
        (RestorePlan::Reachable(_), false) => ("yes", "Yes"),
        (RestorePlan::Reachable(_), true) => ("maybe", "Yes, as of the last reading"),
        (RestorePlan::NotReachable(_), _) => ("no", "No"),
        (RestorePlan::Unknown(_), _) => ("maybe", "Not known"),
    };
    html! {
        div class={ "answer " (class) } {
            (heading(level, None, &html! { (word) ": " (target_text(target)) }))
            @if entry.standing.is_old() {
                p {
                    "The archive has not been read since "
                    @match assessment.observed_at { Some(at) => (time(at, context.view.now)), None => "the start" }
                    ", and may have changed."
                }
            }
            @match &document.plan {
                RestorePlan::Reachable(restore) => (way(restore)),
                RestorePlan::NotReachable(obstruction) => (neighbours(context, obstruction, address)),
                RestorePlan::Unknown(doubt) => p { "Because: " (doubt) "." },
            }
            @if let Some(yaml) = document.yaml() { (manifest(&yaml, level + 1)) }
            @if let Some(path) = bundle_path(context, entry, target, &document) {
                p.note {
                    a href=(path) download { "Download everything a new Kubernetes cluster needs" }
                    ": the ObjectStore, a Secret to fill in, and this Cluster. Keep it somewhere that survives this one."
                }
            }
        }
    }
}

/// Of the newest state and of moments; the address of a bundle names no other target.
fn bundle_path(
    context: &Context<'_>,
    entry: &ArchiveView<'_>,
    target: &Target,
    document: &PlanDocument<'_>,
) -> Option<String> {
    let archive = &entry.assessment.archive;
    let is_only_one = context.view.archives.iter().filter(|it| {
        let other = &it.assessment.archive;
        (&other.namespace, &other.cluster) == (&archive.namespace, &archive.cluster)
    });
    // Of several archives the address means the best.
    if archive.cluster.is_empty() || is_only_one.count() != 1 {
        return None;
    }
    let to = match target {
        Target::Latest => "latest".to_owned(),
        Target::At(at) => rfc3339(*at),
        Target::Lsn(_) | Target::RestorePoint(_) | Target::Backup => return None,
    };
    document.bundle()?;
    let [namespace, cluster, to] =
        [&archive.namespace, &archive.cluster, &to].map(|it| encoded(it));
    Some(format!("{}api/v1/bundle/{namespace}/{cluster}?to={to}", context.root))
}

fn target_text(target: &Target) -> Markup {
    html! {
        @match target {
            Target::Latest => "the newest archived state",
            Target::Lsn(lsn) => { "position " (lsn) },
            Target::RestorePoint(name) => { "restore point " (name) },
            Target::Backup => "the state of a backup",
            // A fraction is said only where there is one.
            Target::At(at) => @if at.trunc_subsecs(0) == *at { (plain_time(*at)) } @else { (rfc3339(*at)) },
        }
    }
}

fn way(restore: &Restore) -> Markup {
    let path = &restore.window.path;
    let rest = path.len().saturating_sub(STRETCHES_MAX);
    html! {
        dl {
            div {
                dt { "From backup" }
                dd { code { (restore.backup_id()) } ", " (bytes(restore.base_bytes)) }
            }
            @for stretch in path.iter().take(STRETCHES_MAX) {
                div {
                    dt { "With WAL" }
                    dd {
                        code { (stretch.first) } " to " code { (stretch.last) }
                        ", timeline " (stretch.first.timeline)
                    }
                }
            }
            @if rest != 0 { div { dt { "" } dd { "and " (rest) " more stretches of WAL" } } }
            div { dt { "To read" } dd { "at most about " (bytes(restore.wal_bytes_max)) " of WAL" } }
            @if let Some(timeline) = restore.target_timeline() {
                div { dt { "Timeline" } dd { (timeline) ", which recovery must be given" } }
            }
            @if restore.needs_prefetch_off {
                div {
                    dt { "Setting" }
                    dd { code { "recovery_prefetch = off" } ": an object of the wrong size follows the target" }
                }
            }
            @for warning in warnings(restore) { div { dt { "Beware" } dd { (warning) } } }
            @for (timeline, backup) in &restore.elsewhere {
                div {
                    dt { "Elsewhere" }
                    dd { "timeline " (timeline) " also reaches this moment, in a different state, from backup " code { (backup) } }
                }
            }
        }
    }
}

/// One for each timeline on the way; the JSON of the plan has all of them.
const STRETCHES_MAX: usize = 20;

fn neighbours(context: &Context<'_>, obstruction: &Obstruction, address: &Address) -> Markup {
    let link = |at: DateTime<Utc>| address.clone().with("to", &rfc3339(at)).from(context.root);
    let nearest = [
        ("The nearest moment before: ", obstruction.nearest_before),
        ("The nearest moment after: ", obstruction.nearest_after),
    ];
    html! {
        p { "Because " (obstruction.why) "." }
        ul {
            @for (side, at) in nearest {
                li {
                    (side)
                    @match at { Some(at) => a href=(link(at)) { (rfc3339(at)) }, None => "none" }
                }
            }
        }
    }
}

fn manifest(yaml: &str, level: u8) -> Markup {
    html! {
        (heading(level, None, &html! { "The manifest to apply" }))
        p.note {
            "It creates a new cluster beside the old one. Replace any words in capitals. A click "
            "selects all of it."
        }
        pre.manifest tabindex="0" role="region" aria-label="Manifest" { (yaml) }
        details {
            summary { "The same in a text field, to select it with the keyboard" }
            textarea rows="12" readonly spellcheck="false" wrap="off" aria-label="Manifest" { (yaml) }
        }
    }
}
