//! What Prometheus answers to the queries of a panel.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use test_servers::prometheus::Prometheus;

use crate::dashboards::model::Choice;
use crate::dashboards::model::Panel;
use crate::dashboards::model::Target;

/// One series: a single value of an instant query, or many.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Which query of the panel it answers: `A`, `B`.
    pub(crate) query: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// As its legend format says.
    pub(crate) name: String,
    /// Seconds since 1970, and the value.
    pub(crate) points: Vec<(i64, f64)>,
}

/// The time that a dashboard shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) end: DateTime<Utc>,
    pub(crate) days: i64,
    pub(crate) step_seconds: i64,
}

impl Span {
    pub(crate) fn begin(self) -> DateTime<Utc> {
        self.end - TimeDelta::days(self.days)
    }

    pub(crate) fn now(self) -> f64 {
        self.end.timestamp() as f64
    }
}

impl Series {
    pub(crate) fn last(&self) -> f64 {
        self.points.last().unwrap().1
    }
}

pub(crate) async fn ask(
    prometheus: &Prometheus,
    panel: Panel<'_>,
    choice: &Choice<'_>,
    span: Span,
) -> Vec<Series> {
    let mut answers = Vec::new();
    for target in panel.targets() {
        let query = target.expanded(choice);
        let query = utf8_percent_encode(&query, NON_ALPHANUMERIC);
        let (begin, end, step) =
            (span.begin().timestamp(), span.end.timestamp(), span.step_seconds);
        let answer = if target.is_instant() {
            prometheus.api(&format!("query?query={query}&time={end}")).await
        } else {
            let range = format!("start={begin}&end={end}&step={step}");
            prometheus.api(&format!("query_range?query={query}&{range}")).await
        };
        let found = answer["data"]["result"].as_array().unwrap();
        answers.extend(found.iter().map(|element| series(target, element)));
    }
    answers
}

fn series(target: Target<'_>, element: &Value) -> Series {
    let labels: BTreeMap<String, String> =
        serde_json::from_value(element["metric"].clone()).unwrap();
    let points = match element.get("values") {
        Some(values) => values.as_array().unwrap().iter().map(point).collect(),
        None => vec![point(&element["value"])],
    };
    let mut name = target.json["legendFormat"].as_str().unwrap().to_owned();
    for (label, value) in &labels {
        name = name.replace(&format!("{{{{{label}}}}}"), value);
    }
    // Grafana takes a label that is not there for an empty one.
    let name_end = name.find(" {{").unwrap_or(name.len());
    name.truncate(name_end);
    if name == "__auto" {
        name = labels.values().cloned().collect::<Vec<_>>().join(" ");
    }
    Series { query: target.json["refId"].as_str().unwrap().to_owned(), labels, name, points }
}

fn point(value: &Value) -> (i64, f64) {
    (value[0].as_i64().unwrap(), value[1].as_str().unwrap().parse().unwrap())
}
