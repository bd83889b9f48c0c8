//! All panels of a dashboard on Grafana's grid of 24 columns, as one page without script.

use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::dashboards::model::Dashboard;
use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::answer::Span;
use crate::dashboards::rendered::chart::Room;
use crate::dashboards::rendered::chart::nothing;
use crate::dashboards::rendered::chart::state_timeline;
use crate::dashboards::rendered::chart::time_series;
use crate::dashboards::rendered::draw::bar_gauge;
use crate::dashboards::rendered::draw::stat;
use crate::dashboards::rendered::draw::table;
use crate::dashboards::rendered::field::Field;

/// A unit of the grid, in pixels: Grafana's 30 and 8 between panels, on a screen 1600 wide.
const UNIT: (f64, f64) = (66.0, 38.0);
const BETWEEN: f64 = 8.0;
const HEAD: f64 = 26.0;

pub(crate) fn draw(
    dashboard: &Dashboard,
    panels: &[(Panel<'_>, Vec<Series>)],
    span: Span,
) -> String {
    let bottom = dashboard.panels().map(|panel| place(panel, "y") + place(panel, "h"));
    let height = bottom.fold(0.0, f64::max) * UNIT.1;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (dashboard.json["title"].as_str().unwrap()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    b { (dashboard.json["title"].as_str().unwrap()) }
                    " last " (span.days) " days until " (span.end.format("%Y-%m-%d %H:%M UTC"))
                    i { "Query results drawn by the tests of cnpg-backup-verifier, not by Grafana" }
                }
                main style=(format!("height:{height}px")) {
                    @for (panel, series) in panels { (place_panel(*panel, series, span)) }
                }
            }
        }
    };
    page.into_string()
}

fn place(panel: Panel<'_>, key: &str) -> f64 {
    panel.json["gridPos"][key].as_f64().unwrap()
}

fn place_panel(panel: Panel<'_>, series: &[Series], span: Span) -> Markup {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place(panel, key));
    let (width, height) = (w * UNIT.0 - BETWEEN, h * UNIT.1 - BETWEEN);
    let style =
        format!("left:{}px;top:{}px;width:{width}px;height:{height}px", x * UNIT.0, y * UNIT.1);
    if panel.is_row() {
        return html! { h2 style=(style) { "▾ " (panel.title()) } };
    }
    let room = Room { width: width - 18.0, height: height - HEAD - 10.0 };
    html! {
        section style=(style) title=(panel.text("description")) {
            h3 { (panel.title()) }
            (inside(panel, series, room, span))
        }
    }
}

fn inside(panel: Panel<'_>, series: &[Series], room: Room, span: Span) -> Markup {
    let now = span.end.timestamp() as f64;
    match panel.kind() {
        "stat" => stat(panel, series, room, now),
        "bargauge" => bar_gauge(panel, series, now),
        "table" => table(panel, series, now),
        _ if series.is_empty() => nothing(Field::of(panel, "").no_value()),
        "timeseries" => time_series(panel, series, room, span),
        "state-timeline" => state_timeline(panel, series, room, span),
        other => panic!("a panel of type {other}"),
    }
}

const STYLE: &str = include_str!("page.css");
