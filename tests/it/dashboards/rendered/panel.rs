//! Each kind of panel as HTML; `page.css` gives it its size.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use maud::Markup;
use maud::html;

use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::answer::Span;
use crate::dashboards::rendered::field::Field;
use crate::dashboards::rendered::field::TEXT;
use crate::dashboards::rendered::field::colour;
use crate::dashboards::rendered::table::Cell;
use crate::dashboards::rendered::table::tabulate;

/// Of Grafana's classic palette.
const PALETTE: [&str; 8] =
    ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0"];

pub(crate) fn draw(panel: Panel<'_>, series: &[Series], span: Span) -> Markup {
    if series.is_empty() {
        return html! { div.nothing { (Field::of(panel, "").no_value()) } };
    }
    match panel.kind() {
        "stat" => stat(panel, series, span.now()),
        "bargauge" => bar_gauge(panel, series, span.now()),
        "table" => table(panel, series, span.now()),
        "timeseries" => time_series(panel, series, span),
        "state-timeline" => state_timeline(panel, series, span),
        other => panic!("a panel of type {other}"),
    }
}

fn stat(panel: Panel<'_>, series: &[Series], now: f64) -> Markup {
    let options = &panel.json["options"];
    html! {
        div.stats {
            @for series in series {
                @let shown = Field::of(panel, &series.name).show(series.last(), now);
                @let is_plain = shown.colour == TEXT;
                @let mode = if is_plain { "none" } else { options["colorMode"].as_str().unwrap() };
                @let length = shown.text.chars().count().max(4);
                div class=(mode) style=(format!("--colour:{};--length:{length}", shown.colour)) {
                    @if options["textMode"] == "value_and_name" { small { (series.name) } }
                    b { (shown.text) }
                }
            }
        }
    }
}

fn bar_gauge(panel: Panel<'_>, series: &[Series], now: f64) -> Markup {
    html! {
        div.bars {
            @for series in series {
                @let field = Field::of(panel, &series.name);
                @let shown = field.show(series.last(), now);
                @let part = (series.last() / field.number("max").unwrap()).clamp(0.0, 1.0) * 100.0;
                span { (series.name) }
                div { i style=(format!("width:{part:.1}%;background:{}", shown.colour)) {} }
                b style=(format!("color:{}", shown.colour)) { (shown.text) }
            }
        }
    }
}

fn table(panel: Panel<'_>, series: &[Series], now: f64) -> Markup {
    let table = tabulate(panel, series);
    html! {
        table {
            tr { @for column in &table.columns { th { (column) } } }
            @for row in &table.rows {
                tr { @for column in &table.columns { (cell(panel, column, row.get(column), now)) } }
            }
        }
    }
}

fn cell(panel: Panel<'_>, column: &str, cell: Option<&Cell>, now: f64) -> Markup {
    let field = Field::of(panel, column);
    match cell {
        None => html! { td { (field.no_value()) } },
        Some(Cell::Text(text)) => {
            let class = if field.setting("links").is_some() { "link" } else { "" };
            html! { td class=(class) { (text) } }
        }
        Some(Cell::Number(value)) => {
            let shown = field.show(*value, now);
            let kind = field.setting("custom.cellOptions").map(|it| it["type"].as_str().unwrap());
            let class = match kind {
                Some("color-background") => "background",
                Some("color-text") => "value",
                _ => "none",
            };
            let style = format!("--colour:{}", shown.colour);
            html! { td class=(class) style=(style) { (shown.text) } }
        }
    }
}

/// In a square of a hundred units, which the page stretches.
fn time_series(panel: Panel<'_>, series: &[Series], span: Span) -> Markup {
    let drawn = stacked(panel, series);
    let highest = drawn.iter().flatten().map(|(_, _, top)| *top).fold(0.0, f64::max);
    let max = if highest == 0.0 { 1.0 } else { highest * 1.05 };
    let at = |at: i64, value: f64| format!("{:.2} {:.2}", x(at, span), 100.0 * (1.0 - value / max));
    html! {
        div.chart {
            div.scale {
                @for part in [3.0, 2.0, 1.0, 0.0] {
                    span { (Field::of(panel, "").unit(max * part / 3.0, span.now())) }
                }
            }
            svg viewBox="0 0 100 100" preserveAspectRatio="none" {
                path.grid d="M0 0H100M0 33.3H100M0 66.7H100M0 100H100" {}
                @for (index, (points, series)) in drawn.iter().zip(series).enumerate() {
                    @let field = Field::of(panel, &series.name);
                    @let stroke = stroke(field, index);
                    @let opacity = field.number("custom.fillOpacity").unwrap() / 100.0;
                    @let is_dashed = field.setting("custom.lineStyle").is_some();
                    // A missing point breaks the line.
                    @for run in points.chunk_by(|a, b| b.0 - a.0 <= span.step_seconds) {
                        @let tops = Vec::from_iter(run.iter().map(|it| at(it.0, it.2))).join("L");
                        @let feet = Vec::from_iter(run.iter().rev().map(|it| at(it.0, it.1)));
                        @let area = format!("M{tops}L{}Z", feet.join("L"));
                        path d=(area) fill=(stroke) fill-opacity=(opacity) {}
                        path.line.dashed[is_dashed] d=(format!("M{tops}")) stroke=(stroke) {}
                    }
                }
            }
            span {}
            (days(span))
        }
        div.legend {
            @for (index, series) in series.iter().enumerate() {
                @let stroke = stroke(Field::of(panel, &series.name), index);
                span { i style=(format!("background:{stroke}")) {} (series.name) }
            }
        }
    }
}

fn stroke(field: Field<'_>, index: usize) -> &'static str {
    let own = field.setting("color").unwrap();
    if own["mode"] == "fixed" { colour(&own["fixedColor"]) } else { PALETTE[index % PALETTE.len()] }
}

/// Time, foot and top of each point.
fn stacked(panel: Panel<'_>, series: &[Series]) -> Vec<Vec<(i64, f64, f64)>> {
    let is_stacked = panel.defaults()["custom"]["stacking"]["mode"] == "normal";
    let mut feet: BTreeMap<i64, f64> = BTreeMap::new();
    let mut drawn = Vec::new();
    for series in series {
        let points = series.points.iter().filter(|(_, value)| value.is_finite());
        let points = points.map(|(at, value)| {
            let foot = if is_stacked { feet.get(at).copied().unwrap_or(0.0) } else { 0.0 };
            feet.insert(*at, foot + value);
            (*at, foot, foot + value)
        });
        drawn.push(points.collect());
    }
    drawn
}

fn state_timeline(panel: Panel<'_>, series: &[Series], span: Span) -> Markup {
    let step = span.step_seconds;
    let rows = format!("grid-template-rows:repeat({},1fr) 16px", series.len());
    html! {
        div.states style=(rows) {
            @for series in series {
                @let field = Field::of(panel, &series.name);
                span { (series.name) }
                div {
                    // Neighbours of one value are one state.
                    @for run in series.points.chunk_by(|a, b| a.1 == b.1 && b.0 - a.0 <= step) {
                        @let shown = field.show(run[0].1, span.now());
                        @let left = x(run[0].0, span);
                        @let width = x(run[run.len() - 1].0 + step, span).min(100.0) - left;
                        @let place = format!("left:{left:.2}%;width:{width:.2}%");
                        i style=(format!("{place};background:{}", shown.colour)) { (shown.text) }
                    }
                }
            }
            span {}
            (days(span))
        }
    }
}

/// How far into the time that is shown, in percent.
fn x(at: i64, span: Span) -> f64 {
    let begin = span.begin().timestamp();
    (at - begin) as f64 / (span.end.timestamp() - begin) as f64 * 100.0
}

fn days(span: Span) -> Markup {
    let days = [0, 1, 2].map(|half| span.begin() + TimeDelta::hours(span.days * 12 * half));
    html! { footer { @for day in days { span { (day.format("%m-%d")) } } } }
}
