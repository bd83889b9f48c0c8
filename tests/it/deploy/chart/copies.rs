//! A chart is a folder of its own, so it holds copies of what lies elsewhere. They are made here, and
//! held to what they were made of.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::deploy::chart::helm::CHART;
use crate::deploy::manifests;

#[test]
fn alerts_and_dashboards_are_those_of_the_repository() {
    let copies = [
        ("alerts/rules.yaml", "rules.yaml"),
        ("dashboards/fleet.json", "dashboards/fleet.json"),
        ("dashboards/cluster.json", "dashboards/cluster.json"),
    ];
    for (original, copy) in copies {
        let copy = format!("{CHART}/files/{copy}");
        let expected = manifests::read(original);
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(manifests::root().join(&copy), &expected).unwrap();
        }
        let is_same = manifests::read(&copy) == expected;
        assert!(is_same, "{copy}: UPDATE_GENERATED=1 cargo test --test it deploy::chart::copies");
    }
    let found: BTreeSet<String> =
        manifests::files(&format!("{CHART}/files"), "").into_iter().collect();
    let known = copies.map(|(_, copy)| format!("{CHART}/files/{copy}"));
    assert_eq!(found, known.into());
    let dashboards = manifests::files("dashboards", ".json").into_iter().collect::<BTreeSet<_>>();
    assert_eq!(dashboards, ["cluster", "fleet"].map(|it| format!("dashboards/{it}.json")).into());
}

/// A release changes `Cargo.toml` and these three.
#[test]
fn the_versions_are_those_of_the_program() {
    let text = manifests::read(&format!("{CHART}/Chart.yaml"));
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(chart["version"], version);
    assert_eq!(chart["appVersion"], version);
    assert_eq!(chart["name"], env!("CARGO_PKG_NAME"));
    let annotation = |name: &str| -> Value {
        let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap();
        serde_saphyr::from_str(text).unwrap()
    };
    let image = format!("ghcr.io/monosense/cnpg-backup-verifier:{version}");
    assert_eq!(annotation("images"), json!([{"name": "cnpg-backup-verifier", "image": image}]));
    let kinds = ["added", "changed", "deprecated", "removed", "fixed", "security"];
    for change in annotation("changes").as_array().unwrap() {
        assert!(kinds.contains(&change["kind"].as_str().unwrap()), "{change}");
    }
    let published = "https://github.com/monosense/cnpg-backup-verifier/blob/main/";
    for link in annotation("links").as_array().unwrap() {
        let file = link["url"].as_str().unwrap().strip_prefix(published);
        assert!(file.is_none_or(|file| manifests::root().join(file).exists()), "{link}");
    }
}
