//! Stats, bar gauges and tables as HTML.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use maud::Markup;
use maud::html;

use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;
use crate::dashboards::rendered::chart::Room;
use crate::dashboards::rendered::chart::nothing;
use crate::dashboards::rendered::field::Field;
use crate::dashboards::rendered::field::TEXT;

/// Text on a coloured ground.
const ON_COLOUR: &str = "#111217";

pub(crate) fn stat(panel: Panel<'_>, series: &[Series], room: Room, now: f64) -> Markup {
    if series.is_empty() {
        return nothing(Field::of(panel, "").no_value());
    }
    let options = &panel.json["options"];
    let is_background = options["colorMode"] == "background";
    let has_name = options["textMode"] == "value_and_name";
    let cell = room.width / series.len() as f64;
    let longest = |text: &str| text.chars().count().max(4) as f64;
    html! {
        div.stats {
            @for series in series {
                @let shown = Field::of(panel, &series.name).show(series.last(), now);
                @let is_plain = options["colorMode"] == "none" || shown.colour == TEXT;
                @let size = (cell / longest(&shown.text) * 1.45).min(room.height * 0.4);
                @let size = size.clamp(13.0, 38.0);
                @let (back, fore) = match (is_plain, is_background) {
                    (true, _) => ("transparent", TEXT),
                    (false, true) => (shown.colour, ON_COLOUR),
                    (false, false) => ("transparent", shown.colour),
                };
                div style=(format!("background:{back};color:{fore}")) {
                    @if has_name { small { (series.name) } }
                    b style=(format!("font-size:{size:.0}px")) { (shown.text) }
                }
            }
        }
    }
}

pub(crate) fn bar_gauge(panel: Panel<'_>, series: &[Series], now: f64) -> Markup {
    if series.is_empty() {
        return nothing(Field::of(panel, "").no_value());
    }
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

/// One row of a table: the values by column.
type Row = BTreeMap<String, Cell>;

#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Merges the answers by the labels that all of them have, then renames and orders the columns, as the transformations
/// of the panel say.
pub(crate) fn tabulate(panel: Panel<'_>, series: &[Series]) -> Table {
    let transformations = panel.json["transformations"].as_array().unwrap();
    let organize = &transformations.iter().find(|it| it["id"] == "organize").unwrap()["options"];
    let is_merged = transformations.iter().any(|it| it["id"] == "merge");
    let is_common = |label: &str| series.iter().all(|it| it.labels.contains_key(label));
    let mut merged: BTreeMap<Vec<_>, Row> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for series in series {
        let common = series.labels.iter().filter(|(label, _)| is_common(label));
        let row = merged.entry(common.collect()).or_default();
        for (label, value) in &series.labels {
            row.insert(label.clone(), Cell::Text(value.clone()));
            names.insert(label.clone());
        }
        let column =
            if is_merged { format!("Value #{}", series.query) } else { "Value".to_owned() };
        row.insert(column.clone(), Cell::Number(series.last()));
        names.insert(column);
    }
    let is_shown = |name: &&String| organize["excludeByName"][name.as_str()] != true;
    let mut columns: Vec<&String> = names.iter().filter(is_shown).collect();
    columns.sort_by_key(|name| organize["indexByName"][name.as_str()].as_u64().unwrap_or(99));
    let renamed = |name: &str| organize["renameByName"][name].as_str().unwrap_or(name).to_owned();
    let rows = merged
        .into_values()
        .map(|row| row.into_iter().map(|(name, cell)| (renamed(&name), cell)).collect());
    let mut table = Table {
        columns: columns.into_iter().map(|name| renamed(name)).collect(),
        rows: rows.collect(),
    };
    for sort in panel.json["options"]["sortBy"].as_array().unwrap() {
        let by = sort["displayName"].as_str().unwrap();
        let is_descending = sort["desc"] == true;
        table.rows.sort_by(|a, b| {
            let order = compare(a.get(by), b.get(by));
            if is_descending { order.reverse() } else { order }
        });
    }
    table
}

fn compare(a: Option<&Cell>, b: Option<&Cell>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(Cell::Number(a)), Some(Cell::Number(b))) => a.total_cmp(b),
        (Some(Cell::Text(a)), Some(Cell::Text(b))) => a.cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

pub(crate) fn table(panel: Panel<'_>, series: &[Series], now: f64) -> Markup {
    if series.is_empty() {
        return nothing(Field::of(panel, "").no_value());
    }
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
    let kind =
        field.setting("custom.cellOptions").map_or("auto", |it| it["type"].as_str().unwrap());
    let is_link = field.setting("links").is_some();
    match cell {
        None => html! { td { (field.no_value()) } },
        Some(Cell::Text(text)) => html! { td class=(if is_link { "link" } else { "" }) { (text) } },
        Some(Cell::Number(value)) => {
            let shown = field.show(*value, now);
            let style = match kind {
                "color-background" => {
                    format!("background:{};color:{ON_COLOUR};font-weight:600", shown.colour)
                }
                "color-text" => format!("color:{}", shown.colour),
                _ => String::new(),
            };
            html! { td style=(style) { (shown.text) } }
        }
    }
}
