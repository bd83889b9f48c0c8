//! Holds `docs/api.md` to what is really serialised, in both directions.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::Assessment;
use cnpg_backup_verifier::assessment::WalStretch;
use cnpg_backup_verifier::domain::recovery_target::Target;
use cnpg_backup_verifier::publication::due_drill;
use cnpg_backup_verifier::publication::restore_plan::PlanDocument;
use cnpg_backup_verifier::publication::snapshot::DiscoveryState;
use cnpg_backup_verifier::publication::snapshot::OrphanSearch;
use cnpg_backup_verifier::publication::status_json;
use cnpg_backup_verifier::publication::view::View;
use serde_json::Value;

use crate::samples;

#[test]
fn every_field_of_the_status_document_is_described() {
    let search = OrphanSearch { unread: vec!["list s3://cnpg/: denied".to_owned()] };
    let mut fleet =
        samples::fleet(samples::KINDS).discovered(Some(DiscoveryState::Up)).searched(Some(search));
    for watched in &mut fleet.archives {
        let assessment = Arc::make_mut(&mut watched.assessment);
        for window in assessment.windows.iter_mut() {
            (window.apart_from, window.system) = (Some(window.first.at), Some(7));
        }
    }
    let text = status_json::render(&View::new(&fleet, fleet.generated_at)).unwrap();
    let mut found = BTreeSet::new();
    collect(&serde_json::from_str(&text).unwrap(), "", &mut found);
    assert_eq!(described("## Status"), found);
}

#[test]
fn every_field_of_a_restore_plan_is_described() {
    let mut found = BTreeSet::new();
    for watched in &samples::fleet(samples::KINDS).archives {
        let mut assessment = Assessment::clone(&watched.assessment);
        for window in assessment.windows.iter_mut() {
            let (first, last) = (window.last.segment, window.last.segment);
            window.path = vec![WalStretch { first, last, count: 1 }];
        }
        let earlier = assessment.checked_at - TimeDelta::hours(3);
        for target in [Target::Latest, Target::At(earlier)] {
            let json = PlanDocument::new(&assessment, target).json().unwrap();
            collect(&serde_json::from_str(&json).unwrap(), "", &mut found);
        }
    }
    assert_eq!(described("## Restore plan"), found);
}

#[test]
fn every_field_of_the_next_drill_is_described() {
    let fleet = samples::fleet(1);
    let now = fleet.generated_at + TimeDelta::days(100);
    let mut fleet = fleet;
    for watched in &mut fleet.archives {
        let assessment = Arc::make_mut(&mut watched.assessment);
        (assessment.checked_at, assessment.observed_at) = (now, Some(now));
    }
    let view = View::new(&fleet, now);
    let next = serde_json::to_value(due_drill::next(&view).unwrap()).unwrap();
    let mut found = BTreeSet::new();
    collect(&next, "", &mut found);
    assert_eq!(described("## Next drill"), found);
}

/// Paths such as `archives[].gaps[].first`. What is inside `evidence` differs from code to code.
fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !path.ends_with("evidence") => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.insert(path.clone());
                collect(value, &path, found);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| collect(item, &format!("{path}[]"), found));
        }
        _ => {}
    }
}

/// The first cells of the table in a section.
fn described(heading: &str) -> BTreeSet<String> {
    let text = fs::read_to_string("docs/api.md").unwrap();
    let (_, section) = text.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}
