//! Time series and state timelines as SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::DateTime;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::answer::Span;
use crate::dashboards::rendered::field::Field;
use crate::dashboards::rendered::field::TEXT;
use crate::dashboards::rendered::field::colour;

/// The inside of a panel, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Of Grafana's classic palette.
const PALETTE: [&str; 8] =
    ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0"];

struct Axes {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    begin: i64,
    end: i64,
    max: f64,
}

impl Axes {
    fn x(&self, at: i64) -> f64 {
        let part = (at - self.begin) as f64 / (self.end - self.begin) as f64;
        self.left + part * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - value / self.max * (self.bottom - self.top)
    }

    /// Some days at the foot.
    fn days(&self) -> Markup {
        let parts = if self.right - self.left < 250.0 { 1 } else { 4 };
        html! {
            @for part in 0..=parts {
                @let at = self.begin + (self.end - self.begin) * part / parts;
                @let day = DateTime::from_timestamp(at, 0).unwrap().format("%m-%d");
                @let anchor =
                    if part == 0 { "start" } else if part == parts { "end" } else { "middle" };
                text x=(self.x(at)) y=(self.bottom + 15.0) text-anchor=(anchor) class="axis" {
                    (day)
                }
            }
        }
    }
}

pub(crate) fn time_series(panel: Panel<'_>, series: &[Series], room: Room, span: Span) -> Markup {
    let fields: Vec<Field<'_>> = series.iter().map(|it| Field::of(panel, &it.name)).collect();
    let drawn = stacked(series, &fields);
    let highest = drawn.iter().flatten().map(|(_, _, top)| *top).fold(0.0, f64::max);
    let axes = Axes {
        left: 76.0,
        right: room.width - 6.0,
        top: 8.0,
        bottom: room.height - 42.0,
        begin: span.begin().timestamp(),
        end: span.end.timestamp(),
        max: if highest == 0.0 { 1.0 } else { highest * 1.05 },
    };
    let step = span.step_seconds;
    let of_axis = Field::of(panel, "");
    html! {
        svg width=(room.width) height=(room.height - 22.0) {
            @for part in 0..=3 {
                @let value = axes.max * f64::from(part) / 3.0;
                @let y = axes.y(value);
                line x1=(axes.left) x2=(axes.right) y1=(y) y2=(y) class="grid" {}
                text x=(axes.left - 6.0) y=(y + 4.0) text-anchor="end" class="axis" {
                    (of_axis.unit(if part == 0 { 0.0 } else { value }, axes.end as f64))
                }
            }
            (axes.days())
            @for (index, (points, field)) in drawn.iter().zip(&fields).enumerate() {
                @let stroke = stroke(field, index);
                @let opacity = field.number("custom.fillOpacity").unwrap_or(0.0) / 100.0;
                @let (line, area) = paths(points, &axes, step, field);
                @if opacity > 0.0 { path d=(area) fill=(stroke) fill-opacity=(opacity) {} }
                @let is_dashed = field.setting("custom.lineStyle").is_some();
                @let dashes = if is_dashed { "7 5" } else { "none" };
                path d=(line) fill="none" stroke=(stroke) stroke-width="1.8"
                    stroke-dasharray=(dashes) {}
            }
        }
        div.legend {
            @for (index, (series, field)) in series.iter().zip(&fields).enumerate() {
                span { i style=(format!("background:{}", stroke(field, index))) {} (series.name) }
            }
        }
    }
}

fn stroke(field: &Field<'_>, index: usize) -> &'static str {
    let own = field.setting("color").unwrap();
    if own["mode"] == "fixed" {
        colour(own["fixedColor"].as_str().unwrap())
    } else {
        PALETTE[index % PALETTE.len()]
    }
}

/// Time, foot and top of each point.
fn stacked(series: &[Series], fields: &[Field<'_>]) -> Vec<Vec<(i64, f64, f64)>> {
    let mut feet: BTreeMap<i64, f64> = BTreeMap::new();
    let mut drawn = Vec::new();
    for (series, field) in series.iter().zip(fields) {
        let is_stacked =
            field.setting("custom.stacking").is_some_and(|stacking| stacking["mode"] == "normal");
        let points = series.points.iter().filter(|(_, value)| value.is_finite());
        let points = points.map(|(at, value)| {
            let foot = if is_stacked { *feet.get(at).unwrap_or(&0.0) } else { 0.0 };
            if is_stacked {
                feet.insert(*at, foot + value);
            }
            (*at, foot, foot + value)
        });
        drawn.push(points.collect());
    }
    drawn
}

/// The line and the area below it; a missing point breaks both.
fn paths(
    points: &[(i64, f64, f64)],
    axes: &Axes,
    step: i64,
    field: &Field<'_>,
) -> (String, String) {
    let interpolation = field.setting("custom.lineInterpolation");
    let is_stepped = interpolation.is_some_and(|it| it == "stepAfter");
    let (mut line, mut area) = (String::new(), String::new());
    for run in points.chunk_by(|before, after| after.0 - before.0 <= step) {
        let mut tops = Vec::new();
        let mut feet = Vec::new();
        for (index, (at, foot, top)) in run.iter().enumerate() {
            if is_stepped && index > 0 {
                tops.push((axes.x(*at), axes.y(run[index - 1].2)));
                feet.push((axes.x(*at), axes.y(run[index - 1].1)));
            }
            tops.push((axes.x(*at), axes.y(*top)));
            feet.push((axes.x(*at), axes.y(*foot)));
        }
        let mut command = 'M';
        for (x, y) in &tops {
            write!(line, "{command}{x:.1} {y:.1}").unwrap();
            write!(area, "{command}{x:.1} {y:.1}").unwrap();
            command = 'L';
        }
        for (x, y) in feet.iter().rev() {
            write!(area, "L{x:.1} {y:.1}").unwrap();
        }
        area.push('Z');
    }
    (line, area)
}

pub(crate) fn state_timeline(
    panel: Panel<'_>,
    series: &[Series],
    room: Room,
    span: Span,
) -> Markup {
    let longest = series.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    let axes = Axes {
        left: longest as f64 * 6.6 + 12.0,
        right: room.width - 6.0,
        top: 4.0,
        bottom: room.height - 24.0,
        begin: span.begin().timestamp(),
        end: span.end.timestamp(),
        max: 1.0,
    };
    let row = (axes.bottom - axes.top) / series.len() as f64;
    let step = span.step_seconds;
    html! {
        svg width=(room.width) height=(room.height) {
            (axes.days())
            @for (index, series) in series.iter().enumerate() {
                @let field = Field::of(panel, &series.name);
                @let top = axes.top + row * index as f64;
                @let baseline = top + row / 2.0 + 4.0;
                text x=(axes.left - 8.0) y=(baseline) text-anchor="end" { (series.name) }
                @for (from, to, value) in states(&series.points, step) {
                    @let shown = field.show(value, axes.end as f64);
                    @let (left, right) = (axes.x(from), axes.x(to.min(axes.end)));
                    @let needed = shown.text.chars().count() as f64 * 6.8 + 8.0;
                    @let width = (right - left).max(1.0);
                    rect x=(left) y=(top + row * 0.08) width=(width) height=(row * 0.84)
                        fill=(shown.colour) fill-opacity="0.8" {
                        title { (shown.text) }
                    }
                    @if needed < width {
                        text x=(left + 5.0) y=(baseline) class="state" { (shown.text) }
                    }
                }
            }
        }
    }
}

/// Neighbours of one value become one state.
fn states(points: &[(i64, f64)], step: i64) -> Vec<(i64, i64, f64)> {
    let runs = points.chunk_by(|before, after| before.1 == after.1 && after.0 - before.0 <= step);
    runs.map(|run| (run[0].0, run[run.len() - 1].0 + step, run[0].1)).collect()
}

pub(crate) fn nothing(text: &str) -> Markup {
    html! { div.nothing style=(PreEscaped(format!("color:{TEXT}"))) { (text) } }
}
