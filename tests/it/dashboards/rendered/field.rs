//! How a value is shown: its unit, its mapping to a word, its colour. Only what our dashboards use;
//! anything else is a panic, so that a rendering does not lie about it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dashboards::model::Panel;

/// The settings of one series or column: the panel's, and what overrides them.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    settings: BTreeMap<String, &'a Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) colour: &'static str,
}

pub(crate) const TEXT: &str = "#ccccdc";

impl<'a> Field<'a> {
    pub(crate) fn of(panel: Panel<'a>, name: &str) -> Self {
        let mut settings = BTreeMap::new();
        for (key, value) in panel.defaults().as_object().unwrap() {
            if key == "custom" {
                let custom = value.as_object().unwrap().iter();
                settings.extend(custom.map(|(key, value)| (format!("custom.{key}"), value)));
            } else {
                settings.insert(key.clone(), value);
            }
        }
        for rule in panel.overrides() {
            let matcher = (
                rule["matcher"]["id"].as_str().unwrap(),
                rule["matcher"]["options"].as_str().unwrap(),
            );
            let applies = match matcher {
                ("byName", wanted) => wanted == name,
                ("byRegexp", "/.*/") => true,
                other => panic!("a matcher {other:?}"),
            };
            if applies {
                for property in rule["properties"].as_array().unwrap() {
                    let id = property["id"].as_str().unwrap();
                    settings.insert(id.to_owned(), &property["value"]);
                }
            }
        }
        Self { settings }
    }

    pub(crate) fn setting(&self, key: &str) -> Option<&'a Value> {
        self.settings.get(key).copied()
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.setting(key).and_then(Value::as_f64)
    }

    /// What is shown where there is no value.
    pub(crate) fn no_value(&self) -> &'a str {
        self.setting("noValue").and_then(Value::as_str).unwrap_or("No data")
    }

    pub(crate) fn show(&self, value: f64, now: f64) -> Shown {
        match self.mapped(value) {
            Some(shown) => shown,
            None => Shown { text: self.unit(value, now), colour: self.threshold(value) },
        }
    }

    fn mapped(&self, value: f64) -> Option<Shown> {
        for mapping in self.setting("mappings")?.as_array().unwrap() {
            let options = &mapping["options"];
            let result = match mapping["type"].as_str().unwrap() {
                "value" => options.get(value.to_string()),
                "special" if options["match"] == "nan" => {
                    value.is_nan().then(|| &options["result"])
                }
                other => panic!("a mapping of type {other}"),
            };
            if let Some(result) = result {
                let text = result["text"].as_str().unwrap().to_owned();
                return Some(Shown { text, colour: colour(result["color"].as_str().unwrap()) });
            }
        }
        None
    }

    pub(crate) fn threshold(&self, value: f64) -> &'static str {
        let steps = self.setting("thresholds").unwrap()["steps"].as_array().unwrap();
        let reached = |step: &&Value| step["value"].as_f64().is_none_or(|from| from <= value);
        colour(steps.iter().rfind(reached).unwrap()["color"].as_str().unwrap())
    }

    pub(crate) fn unit(&self, value: f64, now: f64) -> String {
        let decimals = self.number("decimals");
        let with = |value: f64, unit: &str| format!("{}{unit}", number(value, decimals));
        match self.setting("unit").unwrap().as_str().unwrap() {
            "none" | "short" => with(value, ""),
            "percentunit" => with(value * 100.0, "%"),
            "reqps" => with(value, " req/s"),
            "cps" => with(value, " c/s"),
            "currencyUSD" => format!("${}", number(value, decimals)),
            "s" => scaled(value, &SECONDS, decimals),
            "bytes" => scaled(value, &BYTES, decimals),
            "dateTimeFromNow" => from_now(value / 1000.0 - now),
            unit => with(value, unit.strip_prefix("suffix:").unwrap_or_else(|| panic!("{unit}"))),
        }
    }
}

const SECONDS: [(f64, &str); 6] = [
    (1.0, " s"),
    (60.0, " mins"),
    (3_600.0, " hours"),
    (86_400.0, " days"),
    (604_800.0, " weeks"),
    (31_536_000.0, " years"),
];

const BYTES: [(f64, &str); 5] = [
    (1.0, " B"),
    (1024.0, " KiB"),
    (1_048_576.0, " MiB"),
    (1_073_741_824.0, " GiB"),
    (1_099_511_627_776.0, " TiB"),
];

fn scaled(value: f64, scale: &[(f64, &str)], decimals: Option<f64>) -> String {
    if 0.0 < value && value < 1.0 && scale[0].1 == " s" {
        return format!("{} ms", number(value * 1000.0, decimals));
    }
    let (factor, unit) = scale.iter().rfind(|(from, _)| *from <= value.abs()).unwrap_or(&scale[0]);
    format!("{}{unit}", number(value / factor, decimals))
}

/// With the decimals asked for, else with three digits or so.
pub(crate) fn number(value: f64, decimals: Option<f64>) -> String {
    let automatic = match value.abs() {
        0.0 => 0,
        small if small < 0.1 => 4,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    let digits =
        decimals.map_or(automatic, |it| if it < 1.0 { 0 } else { 1 + usize::from(it >= 2.0) });
    let text = format!("{value:.digits$}");
    if decimals.is_none() && text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn from_now(seconds: f64) -> String {
    let span = scaled(
        seconds.abs(),
        &SECONDS[..4],
        Some(if seconds.abs() < 86_400.0 { 0.0 } else { 1.0 }),
    );
    if seconds <= 0.0 { format!("{span} ago") } else { format!("in {span}") }
}

/// Grafana's names on its dark theme.
pub(crate) fn colour(name: &str) -> &'static str {
    match name {
        "green" => "#73bf69",
        "orange" => "#ff9830",
        "purple" => "#b877d9",
        "red" => "#f2495c",
        "blue" => "#5794f2",
        "text" => TEXT,
        other => panic!("a colour {other}"),
    }
}
