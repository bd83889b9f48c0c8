//! The table of values is made of the comments in `values.yaml`, what is to be typed works, and the notes
//! behind an installation say what is missing.

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::deploy::chart::helm;
use crate::deploy::chart::helm::CHART;
use crate::deploy::chart::values;
use crate::deploy::manifests;
use crate::deploy::schemas;

const BEGIN: &str = "<!-- Made of values.yaml by \
    `UPDATE_GENERATED=1 cargo test --test it deploy::chart::readme`. -->\n";
const END: &str = "<!-- End of what is made. -->\n";

/// A value that `values.yaml` describes.
struct Row {
    path: Vec<String>,
    description: String,
}

#[test]
fn the_table_of_values_is_made_of_their_comments() {
    let file = format!("{CHART}/README.md");
    let text = manifests::read(&file);
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let expected = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(manifests::root().join(&file), &expected).unwrap();
    }
    let is_same = manifests::read(&file) == expected;
    assert!(is_same, "{file}: UPDATE_GENERATED=1 cargo test --test it deploy::chart::readme");
}

#[test]
fn every_value_is_described() {
    let rows = rows();
    let paths: Vec<String> = rows.iter().map(|row| format!("/{}", row.path.join("/"))).collect();
    let is_described = |pointer: &str| {
        paths.iter().any(|path| pointer == path || pointer.starts_with(&format!("{path}/")))
    };
    for leaf in values::leaves() {
        assert!(is_described(&leaf.pointer), "{} has no `# --`", leaf.pointer);
    }
    for path in &paths {
        assert!(defaults().pointer(path).is_some(), "{path} is no value");
    }
}

/// What a reader copies: values that the schema takes, and the files and folders that are there.
#[tokio::test]
async fn every_command_of_helm_is_understood() {
    let mut cases = Vec::new();
    for file in ["deploy/README.md", "deploy/chart/README.md", "README.md"] {
        let text = manifests::read(file).replace("\\\n", " ");
        let text = text.replace("REGISTRY/", "registry.example.com/");
        let lines = text.lines().map(str::trim);
        for line in
            lines.filter(|it| it.starts_with("helm install") || it.starts_with("helm upgrade"))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_published =
                words.contains(&"oci://ghcr.io/monosense/charts/cnpg-backup-verifier");
            assert!(is_published || words.contains(&"deploy/chart"), "{file}: {line}");
            let mut values = json!({});
            for pair in words.windows(2).filter(|pair| pair[0] == "--set") {
                let (key, value) = pair[1].split_once('=').unwrap();
                let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                let set = key.rsplit('.').fold(value, |inner, key| json!({key: inner}));
                values = helm::merged(values, &set);
            }
            cases.push((format!("{file}: {line}"), values));
        }
    }
    let shown = schemas::blocks(&manifests::read("deploy/chart/README.md")).into_iter();
    cases.extend(shown.map(|text| (text.clone(), serde_saphyr::from_str(&text).unwrap())));
    assert_eq!(cases.len(), 6, "{cases:?}");
    let values: Vec<Value> = cases.iter().map(|(_, values)| values.clone()).collect();
    for ((line, _), answer) in cases.iter().zip(helm::render(&values).await) {
        assert_eq!(answer.error(), None, "{line}");
    }
}

#[tokio::test]
async fn the_notes_say_what_is_missing() {
    let on = json!({"enabled": true});
    let monitored = json!({"serviceMonitor": on, "prometheusRule": on, "release": "prom"});
    let cases = [
        json!({}),
        json!({"monitoring": monitored}),
        json!({"instanceMetrics": {"enabled": false}}),
    ];
    let answers = helm::render(&cases).await;
    let [bare, monitored, silent] = [0, 1, 2].map(|index| answers[index].notes());
    assert!(bare.contains("port-forward -n backups service/cnpg-backup-verifier 8080\n"));
    assert!(bare.contains("It cannot alert anyone yet"), "{bare}");
    assert!(bare.contains("create secret generic cnpg-backup-verifier-r2 -n backups"), "{bare}");
    assert!(!monitored.contains("cannot alert anyone"), "{monitored}");
    assert!(monitored.contains("the label release=prom."), "{monitored}");
    assert!(silent.contains("looks like a stuck archiver") && !bare.contains("stuck"), "{silent}");
}

fn table() -> String {
    let defaults = defaults();
    let mut table = "| Value | Default | What it is |\n| --- | --- | --- |\n".to_owned();
    for Row { path, description } in rows() {
        let default = defaults.pointer(&format!("/{}", path.join("/"))).unwrap();
        let description = description.replace('|', "\\|");
        table += &format!("| `{}` | `{default}` | {description} |\n", path.join("."));
    }
    table
}

/// The paragraphs that begin with `# --`, each with the path of the key below it.
fn rows() -> Vec<Row> {
    let text = manifests::read(&format!("{CHART}/values.yaml"));
    let mut rows = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut description: Option<String> = None;
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(comment) = content.strip_prefix("# ").or_else(|| content.strip_prefix('#')) {
            description = match (comment.strip_prefix("-- "), description) {
                (Some(begin), _) => Some(begin.to_owned()),
                (None, Some(begun)) => Some(format!("{begun} {comment}")),
                (None, None) => None,
            };
            continue;
        }
        let depth = (line.len() - content.len()) / 2;
        match content.split_once(':') {
            Some((key, _)) => {
                path.truncate(depth);
                path.push(key.to_owned());
                let described = description.take();
                rows.extend(described.map(|description| Row { path: path.clone(), description }));
            }
            None => assert!(content.is_empty() && description.is_none(), "{line}"),
        }
    }
    assert!(60 < rows.len(), "{} rows", rows.len());
    rows
}

fn defaults() -> Value {
    serde_saphyr::from_str(&manifests::read(&format!("{CHART}/values.yaml"))).unwrap()
}
