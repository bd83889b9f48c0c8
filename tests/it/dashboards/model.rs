//! A dashboard as it is stored, and the queries that Grafana would send for it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// The names of the files, without `.json`.
pub(crate) const NAMES: [&str; 2] = ["fleet", "cluster"];

#[derive(Clone, Debug)]
pub(crate) struct Dashboard {
    pub(crate) name: &'static str,
    pub(crate) json: Value,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a> {
    dashboard: &'static str,
    pub(crate) json: &'a Value,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) panel: Panel<'a>,
    pub(crate) json: &'a Value,
}

/// What a person chose at the top of a dashboard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    /// Nothing where no label tells it.
    pub(crate) kubernetes: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) server: &'a str,
    /// What Grafana derives from the scrape interval and the width of a panel.
    pub(crate) rate_interval: &'a str,
}

/// `All` of each variable, as its `allValue` says.
pub(crate) const ALL: Choice<'_> =
    Choice { kubernetes: ".*", namespace: ".*", cluster: ".*", server: ".*", rate_interval: "1m" };

impl Dashboard {
    pub(crate) fn all() -> [Self; 2] {
        NAMES.map(Self::read)
    }

    pub(crate) fn read(name: &'static str) -> Self {
        let json = serde_json::from_str(&Self::text(name)).unwrap();
        Self { name, json }
    }

    pub(crate) fn text(name: &str) -> String {
        fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()
    }

    /// Every panel, rows included, in the order of the page.
    pub(crate) fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        let panels = self.json["panels"].as_array().unwrap().iter();
        panels.map(|json| Panel { dashboard: self.name, json })
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = Target<'_>> {
        self.panels().flat_map(Panel::targets)
    }

    pub(crate) fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }
}

impl<'a> Panel<'a> {
    pub(crate) fn kind(self) -> &'a str {
        self.text("type")
    }

    pub(crate) fn title(self) -> &'a str {
        self.text("title")
    }

    pub(crate) fn is_row(self) -> bool {
        self.kind() == "row"
    }

    /// An absent text is an empty one.
    pub(crate) fn text(self, key: &str) -> &'a str {
        self.json[key].as_str().unwrap_or("")
    }

    pub(crate) fn defaults(self) -> &'a Value {
        &self.json["fieldConfig"]["defaults"]
    }

    pub(crate) fn overrides(self) -> &'a [Value] {
        self.json["fieldConfig"]["overrides"].as_array().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn targets(self) -> impl Iterator<Item = Target<'a>> {
        let targets = self.json["targets"].as_array().map_or(&[][..], Vec::as_slice);
        targets.iter().map(move |json| Target { panel: self, json })
    }
}

impl<'a> Target<'a> {
    pub(crate) fn expression(self) -> &'a str {
        self.json["expr"].as_str().unwrap()
    }

    pub(crate) fn is_instant(self) -> bool {
        self.json["instant"] == true
    }

    /// `fleet: Verifier: A`
    pub(crate) fn place(self) -> String {
        let Panel { dashboard, .. } = self.panel;
        format!("{dashboard}: {}: {}", self.panel.title(), self.json["refId"].as_str().unwrap())
    }

    /// The query with every variable replaced, as Grafana sends it.
    pub(crate) fn expanded(self, choice: &Choice<'_>) -> String {
        let values = [
            ("$kubernetes", choice.kubernetes),
            ("$namespace", choice.namespace),
            ("$cluster", choice.cluster),
            ("$server", choice.server),
            ("$__rate_interval", choice.rate_interval),
        ];
        let mut query = self.expression().to_owned();
        for (variable, value) in values {
            query = query.replace(variable, value);
        }
        assert!(!query.contains('$'), "{}: an unknown variable in {query}", self.place());
        query
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}
