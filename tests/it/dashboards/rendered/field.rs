//! How a value is shown: its unit, its mapping to a word, its colour. Only what our dashboards use;
//! anything else is a panic, so that a picture does not lie about it.

use serde_json::Value;

use crate::dashboards::model::Panel;

/// One series or column of a panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    panel: Panel<'a>,
    name: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) colour: &'static str,
}

pub(crate) const TEXT: &str = "#ccccdc";

impl<'a> Field<'a> {
    pub(crate) const fn of(panel: Panel<'a>, name: &'a str) -> Self {
        Self { panel, name }
    }

    /// The panel's, or what overrides it for this field.
    pub(crate) fn setting(&self, key: &str) -> Option<&'a Value> {
        let rules = self.panel.overrides().iter().filter(|rule| {
            match (&rule["matcher"]["id"], &rule["matcher"]["options"]) {
                (id, wanted) if id == "byName" => wanted == self.name,
                (id, wanted) if id == "byRegexp" && wanted == "/.*/" => true,
                other => panic!("a matcher {other:?}"),
            }
        });
        let properties = rules.flat_map(|rule| rule["properties"].as_array().unwrap());
        let overriding = properties.rev().find(|it| it["id"] == key);
        let own = || self.panel.defaults().pointer(&format!("/{}", key.replace('.', "/")));
        overriding.map(|it| &it["value"]).or_else(own)
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.setting(key).and_then(Value::as_f64)
    }

    /// What is shown where there is no value.
    pub(crate) fn no_value(&self) -> &'a str {
        self.setting("noValue").and_then(Value::as_str).unwrap_or("No data")
    }

    pub(crate) fn show(&self, value: f64, now: f64) -> Shown {
        self.mapped(value).unwrap_or_else(|| {
            let steps = self.setting("thresholds").unwrap()["steps"].as_array().unwrap();
            let reached = |step: &&Value| step["value"].as_f64().is_none_or(|from| from <= value);
            let step = steps.iter().rfind(reached).unwrap();
            Shown { text: self.unit(value, now), colour: colour(&step["color"]) }
        })
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
                return Some(Shown { text, colour: colour(&result["color"]) });
            }
        }
        None
    }

    pub(crate) fn unit(&self, value: f64, now: f64) -> String {
        let decimals = self.setting("decimals").and_then(Value::as_u64);
        let decimals = decimals.map(|it| usize::try_from(it).unwrap());
        let with = |value: f64, unit: &str| format!("{}{unit}", number(value, decimals));
        match self.setting("unit").unwrap().as_str().unwrap() {
            "none" | "short" => with(value, ""),
            "percentunit" => with(value * 100.0, "%"),
            "reqps" => with(value, " req/s"),
            "cps" => with(value, " c/s"),
            "currencyUSD" => format!("${}", number(value, decimals)),
            "s" if 0.0 < value && value < 1.0 => with(value * 1000.0, " ms"),
            "s" => scaled(value, &SECONDS, decimals),
            "bytes" => scaled(value, &BYTES, decimals),
            "Bps" => format!("{}/s", scaled(value, &BYTES, decimals)),
            "bool_yes_no" => if value == 0.0 { "No" } else { "Yes" }.to_owned(),
            "dateTimeFromNow" => from_now(value / 1000.0 - now),
            unit => with(value, unit.strip_prefix("suffix:").unwrap_or_else(|| panic!("{unit}"))),
        }
    }
}

const SECONDS: [(f64, &str); 4] =
    [(1.0, " s"), (60.0, " mins"), (3_600.0, " hours"), (86_400.0, " days")];

const BYTES: [(f64, &str); 5] = [
    (1.0, " B"),
    (1024.0, " KiB"),
    (1_048_576.0, " MiB"),
    (1_073_741_824.0, " GiB"),
    (1_099_511_627_776.0, " TiB"),
];

fn scaled(value: f64, scale: &[(f64, &str)], decimals: Option<usize>) -> String {
    let (factor, unit) = scale.iter().rfind(|(from, _)| *from <= value.abs()).unwrap_or(&scale[0]);
    format!("{}{unit}", number(value / factor, decimals))
}

/// With the decimals asked for, else with three digits or so.
fn number(value: f64, decimals: Option<usize>) -> String {
    let factors = [1.0, 10.0, 100.0, 1000.0];
    let needed = || factors.iter().position(|it| 100.0 <= value.abs() * it).unwrap_or(4);
    let digits = decimals.unwrap_or_else(needed);
    let text = format!("{value:.digits$}");
    if decimals.is_none() && text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn from_now(seconds: f64) -> String {
    let decimals = if seconds.abs() < 86_400.0 { 0 } else { 1 };
    let span = scaled(seconds.abs(), &SECONDS, Some(decimals));
    if seconds <= 0.0 { format!("{span} ago") } else { format!("in {span}") }
}

/// Grafana's names on its dark theme.
pub(crate) fn colour(name: &Value) -> &'static str {
    match name.as_str().unwrap() {
        "green" => "#73bf69",
        "orange" => "#ff9830",
        "purple" => "#b877d9",
        "red" => "#f2495c",
        "blue" => "#5794f2",
        "super-light-blue" => "#c0d8ff",
        "super-light-purple" => "#deb6f2",
        "text" => TEXT,
        other => panic!("a colour {other}"),
    }
}
