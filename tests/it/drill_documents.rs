//! Holds docs/drills.md to the program: how drills end, and the document that they leave.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::DateTime;
use cnpg_backup_verifier::domain::cluster::DrillKind;
use cnpg_backup_verifier::domain::drill::CheckResult;
use cnpg_backup_verifier::domain::drill::DrillClass;
use cnpg_backup_verifier::domain::drill::DrillGroup;
use cnpg_backup_verifier::domain::drill::DrillPhase;
use cnpg_backup_verifier::domain::drill::DrillReport;
use cnpg_backup_verifier::domain::drill::DrillTarget;
use cnpg_backup_verifier::domain::drill::DrillVersions;
use cnpg_backup_verifier::domain::drill::DrillVolume;
use cnpg_backup_verifier::domain::drill::DrillWay;
use cnpg_backup_verifier::domain::drill::PhaseName;
use cnpg_backup_verifier::domain::drill::RecoveryEnd;
use serde_json::Value;

#[test]
fn the_table_of_classes_is_how_a_drill_can_end() {
    let documented: BTreeMap<String, String> = rows("## How a drill can fail")
        .into_iter()
        .map(|cells| (cells[0].replace('`', ""), cells[1].clone()))
        .collect();
    let group = |class: &DrillClass| match class.group() {
        DrillGroup::Success => "success",
        DrillGroup::Archive => "archive",
        DrillGroup::Settings => "settings",
        DrillGroup::Platform => "platform",
        DrillGroup::Cleanup => "cleanup",
    };
    let known = DrillClass::ALL.iter();
    let known = known.map(|class| (class.code().to_owned(), group(class).to_owned()));
    assert_eq!(documented, known.collect());
}

#[test]
fn the_table_of_fields_is_the_document_of_a_drill() {
    let rows = rows("## The document");
    let documented: BTreeSet<String> = rows.iter().map(|cells| cells[0].replace('`', "")).collect();
    let mut written = BTreeSet::new();
    fields(&serde_json::to_value(report()).unwrap(), "", &mut written);
    assert_eq!(documented, written);
    let of_phases = &rows.iter().find(|cells| cells[0] == "`phases[].name`").unwrap()[2];
    for phase in PhaseName::ALL {
        assert!(of_phases.contains(&format!("`{}`: ", phase.code())), "{phase:?}: {of_phases}");
    }
}

/// With something in every field.
fn report() -> DrillReport {
    let end = RecoveryEnd {
        system_identifier: Some(1),
        timeline: 1,
        lsn: "0/7000000".parse().unwrap(),
        last_transaction_at: Some(DateTime::UNIX_EPOCH),
    };
    DrillReport {
        form: DrillReport::FORM,
        kind: DrillKind::Pitr,
        way: DrillWay::Local,
        namespace: String::new(),
        cluster: String::new(),
        server_name: "main".to_owned(),
        began_at: DateTime::UNIX_EPOCH,
        ended_at: DateTime::UNIX_EPOCH,
        class: DrillClass::Succeeded,
        detail: String::new(),
        backup_id: None,
        target: DrillTarget { lsn: "0/7000000".parse().ok(), ..DrillTarget::default() },
        phases: vec![DrillPhase { name: PhaseName::Base, seconds: 1.0 }],
        volume: DrillVolume::default(),
        predicted: Some(end.clone()),
        reached: Some(end),
        checks: vec![CheckResult { name: String::new(), is_passed: true, detail: String::new() }],
        versions: DrillVersions::default(),
    }
}

/// The paths of all fields, as the tables write them.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|it| fields(it, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// The cells of the first table below a heading, without its head.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drills.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with('|'));
    let lines = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = lines.map(|line| line.trim_matches('|').split('|'));
    cells.map(|cells| cells.map(|it| it.trim().to_owned()).collect()).collect()
}
