//! Restore drills that ran by themselves: how each ended, where its time went, and how long a recovery
//! would take by them.

use chrono::TimeDelta;
use maud::Markup;
use maud::html;

use crate::assessment::Assessment;
use crate::assessment::finding::duration;
use crate::assessment::forecast::Forecast;
use crate::domain::drill::DrillReport;
use crate::domain::drill::PhaseName;
use crate::publication::drills::compared;
use crate::publication::drills::ending;
use crate::publication::drills::forecast as forecast_in_words;
use crate::publication::drills::milliseconds;
use crate::publication::drills::recovery_time;
use crate::publication::drills::target;
use crate::publication::page::picture::percent;
use crate::publication::page::tables::table;
use crate::publication::page::words::heading;
use crate::publication::page::words::plain_time;

/// Nothing where no drill runs by itself.
pub(super) fn drills(assessment: &Assessment, level: u8, id: &str) -> Markup {
    let reports = assessment.cluster.as_ref().map_or(&[][..], |it| &it.drill_reports);
    let are_run = assessment.promises.drills.are_run && assessment.cluster.is_some();
    html! {
        @if are_run || !reports.is_empty() {
            section.drills {
                (heading(level, None, &html! { "Restore drills" }))
                (outlook(assessment, id))
                @if reports.is_empty() {
                    p { "None has run yet." }
                } @else {
                    @let longest = reports.iter().map(|it| total(it)).max().unwrap_or(0);
                    @let caption = html! { "The last restore drills, newest first" };
                    @let head = ["Ended", "Restored", "Outcome", "Took", "Where the time went"];
                    @let rows = reports.iter().map(|it| row(it, longest));
                    (table(&caption, &head, rows, reports.len()))
                    (legend())
                }
            }
        }
    }
}

/// How long a recovery would take, against how long it may.
fn outlook(assessment: &Assessment, id: &str) -> Markup {
    let objective = assessment.promises.drills.recovery_time_objective;
    html! {
        p {
            @match &assessment.forecast {
                Some(forecast) => {
                    "A recovery to the newest state would take " (forecast_in_words(forecast)) "."
                }
                None => "No drill has shown yet how long a recovery to the newest state would take.",
            }
            " The objective is " (duration(objective)) "."
        }
        @if let Some(forecast) = &assessment.forecast { (against(forecast, objective, id)) }
    }
}

fn against(forecast: &Forecast, objective: TimeDelta, id: &str) -> Markup {
    let end = forecast.upper.max(objective).num_milliseconds();
    let place = |at: TimeDelta| share(at.num_milliseconds(), end).saturating_mul(9) / 10;
    let (lower, upper) = (place(forecast.lower), place(forecast.upper));
    let width = (upper - lower).max(WIDTH_MIN);
    let class = if objective < forecast.upper { "estimate late" } else { "estimate" };
    html! {
        figure.chart {
            svg width="100%" height="44" role="img" aria-labelledby={ (id) "-time" } {
                title id={ (id) "-time" } {
                    "Estimated " (duration(forecast.lower)) " to " (duration(forecast.upper))
                    ", objective " (duration(objective))
                }
                rect.track x="0" y="4" width="100%" height="16" {}
                rect class=(class) x=(percent(lower)) y="4" width=(percent(width)) height="16" {}
                @let at = percent(place(objective));
                line.target x1=(at) x2=(at) y1="0" y2="24" {}
                text x="0" y="40" text-anchor="start" { "0" }
                text x=(at) y="40" text-anchor="end" { "objective " (duration(objective)) }
            }
        }
    }
}

fn row(report: &DrillReport, longest: i64) -> Markup {
    let took = recovery_time(report).map_or_else(|| "-".to_owned(), duration);
    html! {
        th scope="row" data-label="Ended" { (plain_time(report.ended_at)) }
        td data-label="Restored" {
            (target(report))
            @if let Some(backup) = &report.backup_id { p.note { "from " code { (backup) } } }
        }
        td data-label="Outcome" {
            (ending(report))
            @if let Some(compared) = compared(report) { p.note { (compared) } }
            @if !report.detail.is_empty() { p.note { (report.detail) } }
        }
        td data-label="Took" { (took) }
        td data-label="Where the time went" { (phases(report, longest)) }
    }
}

/// All bars of a table have one scale.
fn phases(report: &DrillReport, longest: i64) -> Markup {
    let mut first = 0;
    let parts: Vec<(PhaseName, i64, i64, f64)> = report
        .phases
        .iter()
        .map(|phase| {
            let width = share(milliseconds(phase.seconds), longest);
            let part = (phase.name, first, width, phase.seconds);
            first += width;
            part
        })
        .collect();
    let words: Vec<String> = parts
        .iter()
        .map(|(name, _, _, seconds)| format!("{} {}", name.code(), took(*seconds)))
        .collect();
    html! {
        @if parts.is_empty() {
            "-"
        } @else {
            svg.phases width="100%" height="16" role="img" aria-label=(words.join(", ")) {
                @for (name, first, width, seconds) in &parts {
                    rect class={ "phase " (name.code()) } x=(percent(*first)) y="0" width=(percent(*width)) height="16" {
                        title { (name.code()) ": " (took(*seconds)) }
                    }
                }
            }
            p.note { (words.join(", ")) }
        }
    }
}

fn legend() -> Markup {
    let words = |phase| match phase {
        PhaseName::Start => "start: until the pod runs",
        PhaseName::Base => "base: the base backup",
        PhaseName::Replay => "replay: WAL",
        PhaseName::Promote => "promote: until it takes connections",
        PhaseName::Check => "check: the questions asked of the data",
    };
    html! {
        ul.legend {
            @for phase in PhaseName::ALL {
                li { span class={ "swatch phase " (phase.code()) } {} (words(phase)) }
            }
        }
    }
}

fn took(seconds: f64) -> String {
    duration(TimeDelta::milliseconds(milliseconds(seconds)))
}

fn total(report: &DrillReport) -> i64 {
    report.phases.iter().map(|it| milliseconds(it.seconds)).sum()
}

/// In hundredths of a percent.
fn share(part: i64, whole: i64) -> i64 {
    let hundredths = i128::from(part) * 10_000 / i128::from(whole.max(1));
    i64::try_from(hundredths).unwrap_or(10_000).clamp(0, 10_000)
}

/// What is short is seen all the same.
const WIDTH_MIN: i64 = 40;
