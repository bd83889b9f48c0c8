//! The rows of a table, as the transformations of its panel say.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::dashboards::model::Panel;
use crate::dashboards::rendered::answer::Series;

#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Cell {
    Text(String),
    Number(f64),
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    /// The values by column.
    pub(crate) rows: Vec<BTreeMap<String, Cell>>,
}

/// Merges the answers by the labels that all of them have, then renames, orders and sorts.
pub(crate) fn tabulate(panel: Panel<'_>, series: &[Series]) -> Table {
    let transformations = panel.json["transformations"].as_array().unwrap();
    let organize = &transformations.iter().find(|it| it["id"] == "organize").unwrap()["options"];
    let is_merged = transformations.iter().any(|it| it["id"] == "merge");
    let renamed = |name: &str| organize["renameByName"][name].as_str().unwrap_or(name).to_owned();
    let is_common = |label: &str| series.iter().all(|it| it.labels.contains_key(label));
    let mut merged: BTreeMap<Vec<_>, BTreeMap<String, Cell>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for series in series {
        let common = series.labels.iter().filter(|(label, _)| is_common(label));
        let row = merged.entry(common.collect()).or_default();
        let labels = series.labels.iter();
        let mut cells: BTreeMap<String, Cell> =
            labels.map(|(label, value)| (label.clone(), Cell::Text(value.clone()))).collect();
        let value = if is_merged { format!("Value #{}", series.query) } else { "Value".to_owned() };
        cells.insert(value, Cell::Number(series.last()));
        names.extend(cells.keys().cloned());
        row.extend(cells.into_iter().map(|(name, cell)| (renamed(&name), cell)));
    }
    names.retain(|name| organize["excludeByName"][name.as_str()] != true);
    let mut columns = Vec::from_iter(names);
    columns.sort_by_key(|name| organize["indexByName"][name.as_str()].as_u64().unwrap_or(99));
    let columns = columns.iter().map(|name| renamed(name)).collect();
    let mut rows = Vec::from_iter(merged.into_values());
    for sort in panel.json["options"]["sortBy"].as_array().unwrap() {
        let by = sort["displayName"].as_str().unwrap();
        rows.sort_by(|a, b| {
            let order = a.get(by).partial_cmp(&b.get(by)).unwrap();
            if sort["desc"] == true { order.reverse() } else { order }
        });
    }
    Table { columns, rows }
}
