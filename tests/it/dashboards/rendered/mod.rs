//! Draws the dashboards from what a real Prometheus answers after a month: for looking at them, and
//! to see that each panel says what the month was like. It is not Grafana: `dashboards/README.md`.

mod answer;
mod field;
mod page;
mod panel;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use test_servers::prometheus::Prometheus;

use crate::dashboards::history::History;
use crate::dashboards::model;
use crate::dashboards::model::Choice;
use crate::dashboards::model::Dashboard;
use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::answer::Span;
use crate::dashboards::rendered::answer::ask;
use crate::dashboards::rendered::field::Field;
use crate::dashboards::rendered::table::Cell;
use crate::dashboards::rendered::table::tabulate;
use crate::dashboards::story;

const ALL: Choice<'_> = Choice { rate_interval: "4h", ..model::ALL };

const ORDERS: Choice<'_> =
    Choice { kubernetes: "", namespace: "databases", cluster: "orders", ..ALL };

#[tokio::test]
async fn a_month_of_four_archives_is_told_by_the_dashboards() {
    let history = story::play();
    let prometheus = Prometheus::with_history(&history.open_metrics(), story::STEP).await;
    let span = Span { end: story::end(), days: 30, step_seconds: 3600 };

    let fleet = Dashboard::read("fleet");
    let drawn = answers(&prometheus, &fleet, &ALL, span).await;
    draw(&fleet, &drawn, span);
    assert_eq!(drawn.shown("Worst verdict"), ["✖ UNRECOVERABLE"]);
    assert_eq!(drawn.shown("Archives by verdict"), ["1", "0", "1", "2"]);
    assert_eq!(drawn.shown("Archives not read"), ["none"]);
    assert_eq!(drawn.shown("Verifier"), ["✔ up"]);
    let worst_first = ["billing", "photos", "orders", "wiki"];
    assert_eq!(drawn.column("Archives, the worst first", "Cluster"), worst_first);
    let findings = ["backup_failed", "backup_overdue", "wal_gap"];
    assert_eq!(drawn.column("Findings now", "Finding"), findings);
    assert_eq!(drawn.without_data(), Vec::<&str>::new());

    let cluster = Dashboard::read("cluster");
    let drawn = answers(&prometheus, &cluster, &ORDERS, span).await;
    draw(&cluster, &drawn, span);
    assert_eq!(drawn.shown("Verdict")[0], "✔ recoverable");
    assert_eq!(drawn.shown("The newest state"), ["✔ can be restored"]);
    assert_eq!(drawn.shown("Gaps to the newest"), ["none"]);
    // Nothing is wrong with it any more.
    assert_eq!(drawn.without_data(), ["Findings now"]);
    // At risk before the gap can be seen, while no WAL comes.
    let states = ["✔ recoverable", "▲ at risk", "✖ UNRECOVERABLE", "▲ at risk", "✔ recoverable"];
    assert_eq!(drawn.states("Verdict", 1), states);
}

/// The east is the month above. In the west what befell `orders` and `billing` is the other way round.
#[tokio::test]
async fn two_kubernetes_clusters_of_the_same_names_are_told_apart() {
    let told = story::play();
    let mut history = History::default();
    history.add_of("east", &told, ["orders", "orders"]);
    history.add_of("west", &told, ["orders", "billing"]);
    let prometheus = Prometheus::with_history(&history.open_metrics(), story::STEP).await;
    let span = Span { end: story::end(), days: 30, step_seconds: 3600 };

    let fleet = Dashboard::read("fleet");
    let drawn = answers(&prometheus, &fleet, &ALL, span).await;
    assert_eq!(drawn.shown("Archives by verdict"), ["2", "0", "2", "4"]);
    assert_eq!(drawn.column("Archives, the worst first", "Cluster")[..2], ["billing", "orders"]);
    assert_eq!(drawn.column("Archives, the worst first", "Kubernetes")[..2], ["east", "west"]);
    let (_, lines) = drawn.panel("Verdict of each archive", 0);
    let names: BTreeSet<&str> = lines.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert!(names.contains("databases/billing (billing) east"), "{names:?}");

    let cluster = Dashboard::read("cluster");
    for (kubernetes, state) in [("east", "✖ cannot be restored"), ("west", "✔ can be restored")]
    {
        let choice = Choice { kubernetes, cluster: "billing", ..ORDERS };
        let drawn = answers(&prometheus, &cluster, &choice, span).await;
        assert_eq!(drawn.shown("The newest state"), [state], "{kubernetes}");
    }
}

struct Drawn<'a> {
    panels: Vec<(Panel<'a>, Vec<Series>)>,
    now: f64,
}

async fn answers<'a>(
    prometheus: &Prometheus,
    dashboard: &'a Dashboard,
    choice: &Choice<'_>,
    span: Span,
) -> Drawn<'a> {
    let mut panels = Vec::new();
    for panel in dashboard.panels() {
        panels.push((panel, ask(prometheus, panel, choice, span).await));
    }
    Drawn { panels, now: span.now() }
}

fn draw(dashboard: &Dashboard, drawn: &Drawn<'_>, span: Span) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboards");
    fs::create_dir_all(&folder).unwrap();
    let page = page::draw(dashboard, &drawn.panels, span);
    fs::write(folder.join(format!("{}.html", dashboard.name)), page).unwrap();
}

impl<'a> Drawn<'a> {
    /// The panel of this title, the `nth` if several have it.
    fn panel(&self, title: &str, nth: usize) -> &(Panel<'a>, Vec<Series>) {
        self.panels.iter().filter(|(panel, _)| panel.title() == title).nth(nth).unwrap()
    }

    /// The newest values as a person reads them.
    fn shown(&self, title: &str) -> Vec<String> {
        let (panel, series) = self.panel(title, 0);
        let show = |it: &Series| Field::of(*panel, &it.name).show(it.last(), self.now).text;
        series.iter().map(show).collect()
    }

    /// One column of a table, from top to bottom.
    fn column(&self, title: &str, column: &str) -> Vec<String> {
        let (panel, series) = self.panel(title, 0);
        let rows = tabulate(*panel, series).rows;
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
        };
        let mut cells: Vec<String> = rows.iter().map(|row| text(&row[column])).collect();
        cells.dedup();
        cells
    }

    /// The states of the first line of a timeline, one after the other.
    fn states(&self, title: &str, nth: usize) -> Vec<String> {
        let (panel, series) = self.panel(title, nth);
        let field = Field::of(*panel, &series[0].name);
        let points = series[0].points.iter();
        let mut states: Vec<String> =
            points.map(|(_, value)| field.show(*value, self.now).text).collect();
        states.dedup();
        states
    }

    fn without_data(&self) -> Vec<&'a str> {
        let panels = self.panels.iter().filter(|(panel, _)| !panel.is_row());
        panels.filter(|(_, series)| series.is_empty()).map(|(panel, _)| panel.title()).collect()
    }
}
