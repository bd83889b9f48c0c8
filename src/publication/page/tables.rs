//! Every picture as a table, and what does not fit into a picture.

use maud::Markup;
use maud::html;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::GapEffect;
use crate::assessment::finding::duration;
use crate::assessment::loss::Loss;
use crate::assessment::loss::Losses;
use crate::publication::page::chart::Bar;
use crate::publication::page::chart::Chart;
use crate::publication::page::words::plain_time;
use crate::publication::wording::bytes;
use crate::publication::wording::count;

/// What fits on a page; the JSON has everything.
const ROWS_MAX: usize = 50;

/// The moments of the picture.
pub(super) fn moments(chart: &Chart) -> Markup {
    let (reachable, lost) = chart.words();
    let mut rows: Vec<(Bar, &str)> = Vec::new();
    rows.extend(chart.reachable.iter().map(|stretch| (*stretch, reachable)));
    rows.extend(chart.lost.iter().map(|stretch| (*stretch, lost)));
    rows.sort_by_key(|(stretch, _)| std::cmp::Reverse(stretch.first_at));
    let many = rows.len();
    let caption = html! { "The picture as a table, newest first" };
    let head = ["Moments", "First", "Last", "Length"];
    let rows = rows.iter().take(ROWS_MAX).map(|(stretch, what)| {
        html! {
            th scope="row" data-label="Moments" { (what) }
            td data-label="First" { (plain_time(stretch.first_at)) }
            td data-label="Last" { (plain_time(stretch.last_at)) }
            td data-label="Length" { (duration(stretch.last_at - stretch.first_at)) }
        }
    });
    html! {
        details {
            summary { "The same as a table" }
            (table(&caption, &head, rows, many))
            (switches(chart))
        }
    }
}

fn switches(chart: &Chart) -> Markup {
    let caption = html! { "Timeline switches; their exact time is not stored" };
    let head = ["Timeline", "First segment", "Not before", "Not after"];
    let rows = chart.switches.iter().take(ROWS_MAX).map(|switch| {
        html! {
            th scope="row" data-label="Timeline" { (switch.timeline) }
            td data-label="First segment" { code { (switch.first_segment) } }
            td data-label="Not before" { (plain_time(switch.between.first_at)) }
            td data-label="Not after" { (plain_time(switch.between.last_at)) }
        }
    });
    html! {
        @if !chart.switches.is_empty() { (table(&caption, &head, rows, chart.switches.len())) }
    }
}

pub(super) fn backups(assessment: &Assessment) -> Markup {
    let many = assessment.backups.len();
    let caption = html! { "Base backups, newest first" };
    let head = ["Backup", "State", "Ended", "Size", "Reaches"];
    let rows = assessment.backups.iter().rev().take(ROWS_MAX);
    let rows = rows.map(|backup| backup_row(assessment, backup));
    html! {
        @if many != 0 {
            details { summary { (count(many, "base backup")) } (table(&caption, &head, rows, many)) }
        }
    }
}

fn backup_row(assessment: &Assessment, backup: &AssessedBackup) -> Markup {
    let window = assessment.windows.iter().find(|window| window.backup_id == backup.id);
    html! {
        th scope="row" data-label="Backup" { code { (backup.id) } }
        td data-label="State" {
            (backup.kind.code())
            @if let Some(reason) = &backup.unusable { p.note { (reason) } }
        }
        td data-label="Ended" { @match backup.ended_at { Some(at) => (plain_time(at)), None => "-" } }
        td data-label="Size" { (bytes(backup.size_bytes)) }
        td data-label="Reaches" {
            @match window { Some(window) => (plain_time(window.last.at)), None => "-" }
            @if let Some(timeline) = window.and_then(|window| window.target_timeline) {
                p.note { "only with targetTLI " (timeline) }
            }
        }
    }
}

pub(super) fn gaps(assessment: &Assessment) -> Markup {
    let many = assessment.gaps.len();
    let losses = Losses::of(&assessment.windows);
    let caption = html! { "Missing WAL, newest first" };
    let head = ["First", "Last", "Segments", "Effect", "Lost from", "Until"];
    let rows = assessment.gaps.iter().rev().take(ROWS_MAX).map(|gap| {
        let effect = match gap.effect {
            GapEffect::StopsRecovery => "nothing after it can be restored",
            GapEffect::Hole => "moments inside it cannot be restored",
            GapEffect::Harmless => "none: no backup needs it",
        };
        let lost = match gap.effect {
            GapEffect::StopsRecovery | GapEffect::Hole => losses.by(gap),
            GapEffect::Harmless => Loss::default(),
        };
        html! {
            th scope="row" data-label="First" { code { (gap.first) } }
            td data-label="Last" { code { (gap.last) } }
            td data-label="Segments" { (gap.count) }
            td data-label="Effect" { (effect) @if gap.is_acknowledged { "; accepted" } }
            td data-label="Lost from" { @match lost.from { Some(at) => (plain_time(at)), None => "-" } }
            td data-label="Until" {
                @match lost.until { Some(at) => (plain_time(at)), None => "-" }
                @if let Some(length) = lost.length() { p.note { (duration(length)) } }
            }
        }
    });
    html! {
        @if many != 0 {
            details { summary { (count(many, "gap")) " in the WAL" } (table(&caption, &head, rows, many)) }
        }
    }
}

pub(super) fn table(
    caption: &Markup,
    head: &[&str],
    rows: impl Iterator<Item = Markup>,
    many: usize,
) -> Markup {
    let rest = many.saturating_sub(ROWS_MAX);
    html! {
        table.rows {
            caption { (caption) }
            thead { tr { @for name in head { th scope="col" { (name) } } } }
            tbody { @for row in rows { tr { (row) } } }
        }
        @if rest != 0 { p.note { "And " (rest) " more; the JSON has them." } }
    }
}
