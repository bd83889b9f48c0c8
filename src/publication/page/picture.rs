//! The recovery window as a bar. Positions are percentages, so that it fits any screen and its
//! lines and letters keep their size.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use maud::Markup;
use maud::html;

use crate::assessment::BackupKind;
use crate::assessment::finding::duration;
use crate::publication::page::chart::Bar;
use crate::publication::page::chart::Chart;
use crate::publication::page::words::plain_time;
use crate::publication::wording::count;
use crate::publication::wording::utc;

/// `id` is unique on the page; patterns and labels are found by it.
pub(super) fn picture(chart: &Chart, id: &str) -> Markup {
    let (reachable, lost) = chart.words();
    let class = if chart.unread_since.is_some() { "reachable then" } else { "reachable" };
    html! {
        figure.chart {
            svg width="100%" height="92" role="img"
                aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-desc" } {
                title id={ (id) "-title" } { "Which moments can be restored" }
                desc id={ (id) "-desc" } { (in_words(chart)) }
                defs { (hatch(id)) (dots(id)) }
                rect.track x="0" y="24" width="100%" height="28" {}
                @for stretch in chart.reachable.iter().rev().take(SHAPES_MAX) {
                    (bar(chart, *stretch, class, None, reachable))
                }
                @for stretch in chart.lost.iter().rev().take(SHAPES_MAX) {
                    @let pattern = format!("url(#{id}-hatch)");
                    (bar(chart, *stretch, "lost", Some(&pattern), lost))
                }
                @if let Some(first_at) = chart.unread_since {
                    @let pattern = format!("url(#{id}-dots)");
                    @let stretch = Bar { first_at, last_at: chart.last_at };
                    (bar(chart, stretch, "unread", Some(&pattern), "not read"))
                }
                @for switch in chart.switches.iter().rev().take(SHAPES_MAX) { (whisker(chart, switch.between)) }
                @for (position, kind) in ticks(chart) { (tick(position, kind)) }
                @if let Some(retention) = &chart.retention {
                    (vertical(if retention.is_before { 0 } else { chart.position(retention.at) }, "target"))
                }
                (vertical(10_000, "now"))
                (axis(chart))
            }
            (legend(chart))
        }
    }
}

fn bar(chart: &Chart, stretch: Bar, class: &str, fill: Option<&str>, what: &str) -> Markup {
    let first = chart.position(stretch.first_at);
    // What is short is seen all the same.
    let width = (chart.position(stretch.last_at) - first).max(WIDTH_MIN);
    let first = first.min(10_000 - width);
    html! {
        rect class=(class) x=(percent(first)) y="24" width=(percent(width)) height="28" fill=[fill] {
            title { (what) ": " (utc(stretch.first_at)) " to " (utc(stretch.last_at)) }
        }
    }
}

/// From the last moment on the old timeline to the first on the new one.
fn whisker(chart: &Chart, between: Bar) -> Markup {
    let (first, last) = (chart.position(between.first_at), chart.position(between.last_at));
    html! {
        line.switch x1=(percent(first)) x2=(percent(last)) y1="12" y2="12" {}
        svg.diamond x=(percent(i64::midpoint(first, last))) y="12" overflow="visible" {
            path d="M0-6 6 0 0 6-6 0Z" {}
        }
    }
}

fn tick(position: i64, kind: BackupKind) -> Markup {
    html! {
        svg x=(percent(position)) y="52" overflow="visible" {
            @match kind {
                BackupKind::Usable => path.usable d="M0-8V10" {},
                BackupKind::Unusable | BackupKind::Failed => path.unusable d="M-4 4 4 12M4 4-4 12" {},
                BackupKind::Running => circle.running cx="0" cy="8" r="4" {},
            }
        }
    }
}

/// So many that they cannot be told apart are drawn once.
fn ticks(chart: &Chart) -> BTreeSet<(i64, BackupKind)> {
    let place = |at| chart.position(at) / TICK_DISTANCE * TICK_DISTANCE;
    chart.backups.iter().map(|tick| (place(tick.at), tick.kind)).collect()
}

fn vertical(position: i64, class: &str) -> Markup {
    let x = percent(position);
    html! { line class=(class) x1=(x) x2=(x) y1="18" y2="66" {} }
}

/// Three labels are what a phone has room for.
fn axis(chart: &Chart) -> Markup {
    let width = chart.last_at - chart.first_at;
    let format = if width < TimeDelta::days(300) { "%-d %b %H:%M" } else { "%-d %b %Y" };
    let label = |at: DateTime<Utc>| at.format(format).to_string();
    html! {
        text x="0" y="84" text-anchor="start" { (label(chart.first_at)) }
        text x="50%" y="84" text-anchor="middle" { (label(chart.first_at + width / 2)) }
        text.is-now x="100%" y="84" text-anchor="end" { "now" }
    }
}

fn hatch(id: &str) -> Markup {
    html! {
        pattern id={ (id) "-hatch" } width="8" height="8" patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)" {
            rect.hatch-ground width="8" height="8" {}
            rect.hatch-line width="3" height="8" {}
        }
    }
}

fn dots(id: &str) -> Markup {
    html! {
        pattern id={ (id) "-dots" } width="8" height="8" patternUnits="userSpaceOnUse" {
            rect.dots-ground width="8" height="8" {}
            circle.dot cx="4" cy="4" r="1.5" {}
        }
    }
}

/// What each sign means, and the same in numbers.
fn legend(chart: &Chart) -> Markup {
    let (reachable, lost) = chart.words();
    let class = if chart.unread_since.is_some() { "reachable then" } else { "reachable" };
    let of_kind = |kinds: &[BackupKind]| {
        chart.backups.iter().filter(|tick| kinds.contains(&tick.kind)).count()
    };
    let usable = of_kind(&[BackupKind::Usable]);
    let unusable = of_kind(&[BackupKind::Unusable, BackupKind::Failed]);
    let running = of_kind(&[BackupKind::Running]);
    html! {
        figcaption {
            ul.legend {
                @if !chart.reachable.is_empty() {
                    li { (swatch(class)) (reachable) }
                }
                @if !chart.lost.is_empty() { li { (swatch("lost")) (lost) } }
                @if chart.has_uncovered() { li { (swatch("track")) "no backup reaches there" } }
                @if let Some(since) = chart.unread_since {
                    li { (swatch("unread")) span { "not read since " (plain_time(since)) } }
                }
                @if usable != 0 { li { (sign(BackupKind::Usable)) (count(usable, "usable base backup")) } }
                @if unusable != 0 {
                    li { (sign(BackupKind::Unusable)) (count(unusable, "unusable base backup")) }
                }
                @if running != 0 {
                    li { (sign(BackupKind::Running)) (count(running, "running base backup")) }
                }
                @for switch in chart.switches.iter().rev().take(SWITCHES_NAMED_MAX).rev() {
                    li {
                        svg.sign width="16" height="16" aria-hidden="true" focusable="false" {
                            path.diamond d="M8 2 14 8 8 14 2 8Z" {}
                        }
                        "timeline " (switch.timeline)
                    }
                }
                @if let Some(retention) = &chart.retention {
                    li {
                        svg.sign width="16" height="16" aria-hidden="true" focusable="false" {
                            line.target x1="8" x2="8" y1="0" y2="16" {}
                        }
                        "retention, " (duration(chart.last_at - retention.at))
                        @if retention.is_before { ", starts further left" }
                    }
                }
            }
        }
    }
}

fn swatch(class: &str) -> Markup {
    html! { span class={ "swatch " (class) } {} }
}

fn sign(kind: BackupKind) -> Markup {
    html! {
        svg.sign width="16" height="16" aria-hidden="true" focusable="false" {
            @match kind {
                BackupKind::Usable => path.usable d="M8 1V15" {},
                BackupKind::Unusable | BackupKind::Failed => path.unusable d="M4 4 12 12M12 4 4 12" {},
                BackupKind::Running => circle.running cx="8" cy="8" r="4" {},
            }
        }
    }
}

/// For those who cannot see it; the tables have every number.
fn in_words(chart: &Chart) -> String {
    let spans = |stretches: &[Bar]| -> String {
        let some: Vec<String> = stretches
            .iter()
            .rev()
            .take(SPANS_IN_WORDS_MAX)
            .map(|span| format!("{} to {}", utc(span.first_at), utc(span.last_at)))
            .collect();
        some.join(", and ")
    };
    let (reachable, lost) = chart.words();
    let mut text = format!("From {} to {}. ", utc(chart.first_at), utc(chart.last_at));
    if chart.reachable.is_empty() {
        text += "Nothing can be restored. ";
    } else {
        text += &format!("What {reachable}: {}. ", spans(&chart.reachable));
    }
    if !chart.lost.is_empty() {
        text += &format!("What {lost}: {}. ", spans(&chart.lost));
    }
    if let Some(since) = chart.unread_since {
        text += &format!("Not read since {}. ", utc(since));
    }
    text += &format!("{}.", count(chart.backups.len(), "base backup"));
    text
}

const SPANS_IN_WORDS_MAX: usize = 3;

/// More stretches than that cannot be told apart; the newest ones count.
const SHAPES_MAX: usize = 200;

/// The others stand in the table.
const SWITCHES_NAMED_MAX: usize = 4;

/// In hundredths of a percent: two pixels of a phone.
const WIDTH_MIN: i64 = 60;

/// In hundredths of a percent: at most 400 ticks, however many backups there are.
const TICK_DISTANCE: i64 = 25;

/// `12.34%`
pub(super) fn percent(hundredths: i64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
