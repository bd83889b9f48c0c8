//! What a daemon would have answered to many scrapes, as one text with times.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::DateTime;
use chrono::Utc;

/// Values by series, each with its time.
#[derive(Debug, Default)]
pub(crate) struct History {
    series: BTreeMap<String, Vec<(i64, String)>>,
}

impl History {
    /// Takes the text of one scrape in the format 0.0.4, but not the series that are left out.
    pub(crate) fn scrape(&mut self, at: DateTime<Utc>, text: &str, left_out: fn(&str) -> bool) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if !left_out(line) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                self.add(at, series, value);
            }
        }
    }

    pub(crate) fn add(&mut self, at: DateTime<Utc>, series: &str, value: impl ToString) {
        let values = self.series.entry(series.to_owned()).or_default();
        values.push((at.timestamp(), value.to_string()));
    }

    /// Adds what a scrape of another history stores that tells the Kubernetes cluster, with two of its
    /// names in each other's place.
    pub(crate) fn add_of(&mut self, kubernetes: &str, other: &Self, [a, b]: [&str; 2]) {
        for (series, values) in &other.series {
            let series = series.replace(a, "\0").replace(b, a).replace('\0', b);
            let (name, labels) = series.split_once('{').unwrap_or((&series, "}"));
            let series = format!("{name}{{cluster=\"{kubernetes}\",{labels}");
            self.series.insert(series.replace(",}", "}"), values.clone());
        }
    }

    pub(crate) fn open_metrics(&self) -> String {
        let mut text = String::new();
        for (series, values) in &self.series {
            for (at, value) in values {
                writeln!(text, "{series} {value} {at}").unwrap();
            }
        }
        text + "# EOF\n"
    }
}
