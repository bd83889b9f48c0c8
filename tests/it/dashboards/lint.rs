//! The rules of Grafana's `dashboard-linter` that apply, and ours.
//!
//! Left out, since counters and gauges are summed over `job`, `instance` and `pod` on purpose (a
//! restart of the verifier must not look like another archive): `template-job-rule`,
//! `template-instance-rule`, `target-job-rule`, `target-instance-rule`. That no answer carries
//! these labels is checked on a real Prometheus in `live.rs`.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::dashboards::expression;
use crate::dashboards::model::ALL;
use crate::dashboards::model::Dashboard;
use crate::dashboards::model::NAMES;
use crate::dashboards::model::Panel;

/// Grafana's ids of the units in use, so that a misspelt one does not become a suffix.
const UNITS: [&str; 13] = [
    "Bps",
    "bool_yes_no",
    "bytes",
    "cps",
    "currencyUSD",
    "dateTimeFromNow",
    "none",
    "percentunit",
    "reqps",
    "s",
    "short",
    "suffix: days",
    "suffix: days ago",
];

#[test]
fn a_dashboard_says_what_it_is() {
    for dashboard in Dashboard::all() {
        let json = &dashboard.json;
        assert_eq!(json["uid"], format!("cnpg-backup-verifier-{}", dashboard.name));
        assert_eq!(json["schemaVersion"], 39);
        assert_eq!(json["editable"], false);
        assert_eq!(json["graphTooltip"], 1);
        assert_eq!(json["time"], json!({"from": "now-30d", "to": "now"}));
        assert_eq!(json["tags"], json!(["postgresql", "cloudnativepg", "backup"]));
        assert!(!text(&json["title"]).is_empty() && !text(&json["description"]).is_empty());
        assert_eq!(json.get("id"), None, "an id belongs to one Grafana");
    }
}

/// Keys in alphabetical order, two blanks: a panel moved by hand makes a small difference.
#[test]
fn the_files_are_formatted() {
    for name in NAMES {
        let formatted = serde_json::to_string_pretty(&Dashboard::read(name).json).unwrap() + "\n";
        assert!(Dashboard::text(name) == formatted, "{name}.json is not formatted");
    }
}

#[test]
fn variables_are_those_that_queries_use() {
    for dashboard in Dashboard::all() {
        let names: Vec<&str> = dashboard.variables().iter().map(|it| text(&it["name"])).collect();
        let expected =
            ["datasource", "kubernetes", "namespace", "cluster", "server", "status_page"];
        assert_eq!(names, expected);
        let datasource = &dashboard.variables()[0];
        assert_eq!(datasource["label"], "Data source");
        assert_eq!(
            (&datasource["type"], &datasource["query"]),
            (&json!("datasource"), &json!("prometheus"))
        );
        for variable in &dashboard.variables()[1..5] {
            let query = text(&variable["query"]["query"]);
            assert_eq!(variable["refresh"], 2, "refreshed when the time range changes");
            assert_eq!(variable["datasource"]["uid"], "$datasource");
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (selector, label) = inner.rsplit_once(", ").unwrap();
            assert!(["cluster", "cnpg_namespace", "cnpg_cluster", "server_name"].contains(&label));
            assert_eq!(
                label != "cluster",
                selector.contains("cluster=~\"$kubernetes\""),
                "{query}"
            );
            let mut selector = selector.to_owned();
            for variable in ["$kubernetes", "$namespace", "$cluster"] {
                selector = selector.replace(variable, ".*");
            }
            expression::read(&selector).unwrap();
            if variable["includeAll"] == true {
                assert_eq!(
                    (&variable["multi"], &variable["allValue"]),
                    (&json!(true), &json!(".*"))
                );
            }
        }
    }
}

/// Of a fleet all may be chosen together; two clusters of one name would mix on the other dashboard.
#[test]
fn one_kubernetes_is_chosen_for_one_cluster_and_any_number_for_the_fleet() {
    for (dashboard, is_many) in Dashboard::all().iter().zip([true, false]) {
        let kubernetes = &dashboard.variables()[1];
        assert_eq!(kubernetes["includeAll"], is_many);
        assert_eq!(kubernetes["multi"], is_many);
        for target in dashboard.targets() {
            let query = target.expression();
            let asked = expression::read(&target.expanded(&ALL)).unwrap();
            assert_eq!(asked.mixed, Vec::<String>::new(), "{}", target.place());
            let chosen = query.matches("{cluster=~\"$kubernetes\"").count();
            assert_eq!(chosen, asked.selectors, "{}: {query}", target.place());
            // A line says where it is, if several places can be chosen.
            let legend = target.json["legendFormat"].as_str().unwrap();
            let of_one_place = ["{{cnpg_cluster}}", "{{object_store}}", "{{version}}"];
            let of_one_place = of_one_place.iter().any(|label| legend.contains(label));
            assert_eq!(legend.contains("{{cluster}}"), is_many && of_one_place, "{legend}");
        }
    }
}

#[test]
fn ids_are_unique_and_panels_do_not_overlap() {
    for dashboard in Dashboard::all() {
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in dashboard.panels() {
            assert!(ids.insert(panel.json["id"].as_u64().unwrap()), "{}", panel.title());
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|it| panel.json["gridPos"][it].as_u64().unwrap());
            assert!(x + w <= 24, "{} is outside", panel.title());
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{} overlaps at {cell:?}", panel.title());
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_what_is_good() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.panels().filter(|panel| !panel.is_row()) {
            let title = panel.title();
            assert!(!title.is_empty() && !panel.text("description").is_empty(), "{title:?}");
            for unit in values_of(panel, "unit") {
                assert!(UNITS.contains(&text(unit)), "{title}: {unit}");
            }
            assert!(panel.defaults()["unit"].is_string(), "{title} has no unit");
            assert_eq!(
                panel.json["datasource"],
                json!({"type": "prometheus", "uid": "$datasource"})
            );
            let mut targets = BTreeSet::new();
            for target in panel.targets() {
                assert!(targets.insert(text(&target.json["refId"])), "{}", target.place());
                assert_eq!(target.json["datasource"], panel.json["datasource"]);
            }
            assert!(!targets.is_empty(), "{title} asks for nothing");
        }
    }
}

/// Who cannot tell red from green reads a word, or a number whose good side is said.
#[test]
fn colour_is_never_alone() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.panels().filter(|panel| !panel.is_row()) {
            let title = panel.title();
            let coloured = values_of(panel, "thresholds")
                .any(|it| it["steps"].as_array().is_some_and(|steps| steps.len() > 1));
            if coloured {
                assert!(panel.text("description").contains("Good is"), "{title}");
            }
            for mapping in values_of(panel, "mappings").flat_map(|it| it.as_array().unwrap()) {
                let results = match text(&mapping["type"]) {
                    "value" => mapping["options"].as_object().unwrap().values().collect(),
                    "special" | "range" => vec![&mapping["options"]["result"]],
                    other => panic!("{title}: a mapping of type {other}"),
                };
                for result in results {
                    assert!(!text(&result["text"]).is_empty(), "{title}: {result}");
                    assert!(!text(&result["color"]).is_empty(), "{title}: {result}");
                }
            }
        }
    }
}

#[test]
fn every_query_is_promql_and_rates_counters_over_the_rate_interval() {
    for dashboard in Dashboard::all() {
        for target in dashboard.targets() {
            let place = target.place();
            let asked = expression::read(&target.expanded(&ALL));
            let asked = asked.unwrap_or_else(|error| panic!("{place}: {error}"));
            let is_counter = |metric: &&String| {
                ["_total", "_bucket", "_sum", "_count"].iter().any(|it| metric.ends_with(it))
            };
            let counters: BTreeSet<&String> = asked.metrics.iter().filter(is_counter).collect();
            assert_eq!(counters, asked.rated.iter().collect(), "{place}: rates of counters only");
            let ranges = target.expression().matches('[').count();
            let of_rates = target.expression().matches("[$__rate_interval]").count();
            assert_eq!(ranges, of_rates, "{place}");
        }
    }
}

#[test]
fn links_lead_to_the_other_dashboard_the_page_and_the_runbooks() {
    for (dashboard, other) in Dashboard::all().iter().zip(["cluster", "fleet"]) {
        let links = dashboard.json["links"].as_array().unwrap();
        let urls: Vec<&str> = links.iter().map(|link| text(&link["url"])).collect();
        let other = format!("/d/cnpg-backup-verifier-{other}");
        let runbooks = "https://github.com/monosense/cnpg-backup-verifier/blob/main/docs/runbooks";
        assert_eq!(urls, [&other, "$status_page", runbooks]);
        assert_eq!((&links[0]["includeVars"], &links[0]["keepTime"]), (&json!(true), &json!(true)));
        let from_panels = dashboard.panels().filter(|panel| !panel.is_row()).flat_map(|panel| {
            values_of(panel, "links").flat_map(|it| it.as_array().unwrap()).collect::<Vec<_>>()
        });
        let from_panels: BTreeSet<&str> = from_panels.map(|link| text(&link["url"])).collect();
        let runbook = format!("{runbooks}/${{__value.text}}.md");
        assert!(from_panels.contains(runbook.as_str()), "{from_panels:#?}");
        assert!(from_panels.contains("$status_page"), "{from_panels:#?}");
    }
}

/// The values of a setting: the default one, and those of single series or columns.
fn values_of<'a>(panel: Panel<'a>, setting: &str) -> impl Iterator<Item = &'a Value> {
    let of_overrides = panel.overrides().iter().flat_map(|it| it["properties"].as_array().unwrap());
    let of_overrides = of_overrides.filter(move |it| it["id"] == setting).map(|it| &it["value"]);
    let default = panel.defaults().get(setting);
    default.into_iter().chain(of_overrides.collect::<Vec<_>>())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
