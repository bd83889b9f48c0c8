//! All panels of a dashboard on Grafana's grid of 24 columns, as one page without script.

use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::dashboards::model::Dashboard;
use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::answer::Span;
use crate::dashboards::rendered::panel;

pub(crate) fn draw(
    dashboard: &Dashboard,
    panels: &[(Panel<'_>, Vec<Series>)],
    span: Span,
) -> String {
    let rows = dashboard.panels().map(|panel| place(panel, "y") + place(panel, "h")).max();
    let title = dashboard.json["title"].as_str().unwrap();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    b { (title) }
                    " last " (span.days) " days until " (span.end.format("%Y-%m-%d %H:%M UTC"))
                    i { "Query results drawn by the tests of cnpg-backup-verifier, not by Grafana" }
                }
                // Grafana's rows of 30 pixels, and 8 between them.
                main style=(format!("height:{}px", rows.unwrap() * 38)) {
                    @for (panel, series) in panels { (framed(*panel, series, span)) }
                }
            }
        }
    };
    page.into_string()
}

fn place(panel: Panel<'_>, key: &str) -> u64 {
    panel.json["gridPos"][key].as_u64().unwrap()
}

fn framed(panel: Panel<'_>, series: &[Series], span: Span) -> Markup {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place(panel, key));
    let area = format!("grid-area: {} / {} / span {h} / span {w}", y + 1, x + 1);
    if panel.is_row() {
        return html! { h2 style=(area) { "▾ " (panel.title()) } };
    }
    html! {
        section style=(area) title=(panel.text("description")) {
            h3 { (panel.title()) }
            (panel::draw(panel, series, span))
        }
    }
}
