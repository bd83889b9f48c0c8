use super::*;
use crate::domain::drill_check::RightAnswer;

const DRILLS: &str = "
drills:
  namespace: restore-drills
  pitr: {cadence: weekly}
  full: {cadence: never}
  recovery_time_objective: 45m
  checks:
    - {name: rows, cluster: databases/main, database: app, query: SELECT count(*) FROM a, expected: 3}
    - {name: fresh, database: app, query: SELECT max(at) FROM a;, max_age: 1h}
";

#[test]
fn drills_have_a_place_a_cadence_an_objective_and_checks() {
    let drills = read(DRILLS).unwrap().drills;
    assert_eq!(drills.namespace.as_deref(), Some("restore-drills"));
    assert_eq!(drills.every(DrillKind::Pitr), Some(TimeDelta::days(7)));
    assert_eq!(drills.every(DrillKind::Full), None);
    assert_eq!(drills.recovery_time_objective, TimeDelta::minutes(45));
    let asked = |cluster| -> Vec<&str> {
        drills.checks_of("databases", cluster).map(|it| it.name.as_str()).collect()
    };
    assert_eq!((asked("main"), asked("other")), (vec!["rows", "fresh"], vec!["fresh"]));
    let answers: Vec<&RightAnswer> = drills.checks.iter().map(|it| &it.answer).collect();
    let expected = [RightAnswer::Text("3".to_owned()), RightAnswer::Age(TimeDelta::hours(1))];
    assert_eq!(answers, expected.each_ref());
    assert_eq!(drills.checks[1].query, "SELECT max(at) FROM a");

    let by_default = read(ARCHIVE).unwrap().drills;
    assert_eq!(by_default, DrillsConfig::default());
    assert_eq!(by_default.every(DrillKind::Pitr), Some(TimeDelta::days(30)));
    assert_eq!(by_default.every(DrillKind::Full), Some(TimeDelta::days(90)));
    let variables = [("DRILLS_NAMESPACE", "other"), ("DRILLS_FULL_CADENCE", "120d")];
    let drills = read_with(DRILLS, &variables, None).unwrap().drills;
    assert_eq!(drills.namespace.as_deref(), Some("other"));
    assert_eq!(drills.every(DrillKind::Full), Some(TimeDelta::days(120)));
}

#[test]
fn a_check_of_a_drill_is_checked_itself() {
    let found = |check: &str| problems(&format!("drills: {{checks: [{{{check}}}]}}\n"));
    let asked = "name: a, database: b, query: SELECT 1";
    for (check, expected) in [
        ("database: b, query: SELECT 1, expected: 1", "drills.checks[0].name: expected a name"),
        (asked, "drills.checks[0].expected: expected either expected or max_age, found neither"),
        (&format!("{asked}, expected: 1, max_age: 1h"), "max_age, found both"),
        (&format!("{asked}, expected: true"), "found true without quotes"),
        ("name: a, database: b, query: DROP TABLE c, expected: 1", "begins with SELECT or WITH"),
        (&format!("{asked}, cluster: c, expected: 1"), "such as databases/main"),
        (&format!("{asked}, max_age: 60"), "drills.checks[0].max_age: expected a duration"),
    ] {
        let found = found(check);
        assert!(found.contains(expected), "{check}: {found}");
    }
    let one = format!("{{{asked}, expected: 1}}");
    let twice = problems(&format!("drills: {{checks: [{one}, {one}]}}\n"));
    assert!(twice.starts_with("drills.checks[1].name: expected a different name"), "{twice}");
    let check = |it| format!("{{name: a{it}, database: b, query: SELECT 1, expected: 1}}");
    let many: Vec<String> = (0..101).map(check).collect();
    let many = problems(&format!("drills: {{checks: [{}]}}\n", many.join(", ")));
    assert_eq!(many, "drills.checks: expected at most 100 checks, found 101");
}

#[test]
fn drills_need_kubernetes_and_run_within_bounds() {
    let text = format!("{ARCHIVE}kubernetes: {{enabled: false}}\ndrills: {{namespace: a}}\n");
    let found = problems(&text);
    assert!(found.starts_with("drills.namespace: expected nothing, since"), "{found}");
    for wrong in [
        "pitr: {cadence: 30}",
        "full: {cadence: 1m}",
        "recovery_time_objective: 1s",
        "namespace: a/b",
    ] {
        assert!(problems(&format!("drills: {{{wrong}}}\n")).starts_with("drills."), "{wrong}");
    }
}
