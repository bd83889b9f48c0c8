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

const STYLE: &str = "
body { margin: 8px; background: #111217; color: #ccccdc; font: 13px Inter, 'DejaVu Sans', sans-serif; }
header { padding: 4px 4px 10px; } header b { font-size: 17px; margin-right: 10px; }
header i { float: right; color: #8e8e99; }
main { position: relative; width: 1576px; }
section, h2 { position: absolute; box-sizing: border-box; }
section { background: #181b1f; border: 1px solid #2c2f36; border-radius: 3px; padding: 4px 8px; overflow: hidden; }
h2 { font-size: 14px; margin: 0; padding: 7px 4px; }
h3 { font-size: 13px; font-weight: 600; margin: 2px 0 4px; white-space: nowrap; }
.stats { display: flex; gap: 6px; height: calc(100% - 28px); }
.stats div { flex: 1; display: flex; flex-direction: column; align-items: center; justify-content: center; border-radius: 3px; text-align: center; overflow: hidden; }
.stats b { white-space: nowrap; font-weight: 600; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 10px 10px; align-items: center; margin-top: 8px; }
.bars div { background: #24272d; height: 22px; } .bars i { display: block; height: 100%; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: #6e9fff; }
th, td { padding: 5px 8px; border-bottom: 1px solid #2c2f36; white-space: nowrap; }
td.link { color: #6e9fff; }
text { fill: #ccccdc; font-size: 12px; } text.axis { fill: #8e8e99; font-size: 11px; }
text.state { fill: #111217; font-size: 12px; } line.grid { stroke: #2c2f36; }
.legend { line-height: 18px; height: 20px; overflow: hidden; white-space: nowrap; }
.legend span { margin-right: 12px; font-size: 11px; }
.legend i { display: inline-block; width: 14px; height: 4px; margin: 0 5px 3px 0; }
.nothing { display: flex; height: 80%; align-items: center; justify-content: center; font-size: 15px; }
";
