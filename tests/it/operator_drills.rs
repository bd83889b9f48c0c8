//! Drills by CloudNativePG, from the command to what is left of it, with an operator that restores
//! really: Barman, PostgreSQL and replay on loopback.

mod api;
mod due;
mod failures;
mod fleet;
mod harm;
mod killed;
mod objects;
mod operator;
mod reading;
mod sizes;
mod stage;

use serde_json::Value;
use serde_json::json;
use test_servers::process::Finished;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::wait_until;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::deploy::schemas;
use crate::operator_drills::operator::Fate;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
use crate::operator_drills::operator::VERSION;
use crate::operator_drills::stage::ACCOUNT;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::Stage;

/// Runs a command while the operator works.
async fn beside(stage: &Stage, habits: Habits, arguments: &[&str]) -> Finished {
    tokio::select! {
        finished = stage.run(arguments) => finished,
        () = Operator::new(stage, habits).work() => unreachable!("it never ends"),
    }
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

#[tokio::test]
async fn both_kinds_are_restored_proven_written_down_and_removed() {
    let stage = Stage::new().await;
    for kind in ["full", "pitr"] {
        let finished =
            beside(&stage, Habits::default(), &["--kind", kind, "--seed", "1", "-o", "json"]).await;
        let report = report(&finished);
        assert_eq!(
            (finished.code, &report["class"]),
            (Some(0), &json!("succeeded")),
            "{finished:#?}"
        );
        assert_eq!((&report["kind"], &report["way"]), (&json!(kind), &json!("operator")));
        let phases = report["phases"].as_array().unwrap().iter();
        let phases: Vec<&str> = phases.map(|it| it["name"].as_str().unwrap()).collect();
        // The log of the pod tells three of them, and where recovery ended; a server without a kubelet has
        // none.
        if stage.api.is_double() {
            assert_eq!(phases, ["start", "base", "replay", "promote", "check"], "{report:#}");
            assert_eq!(report["predicted"]["lsn"], report["reached"]["lsn"], "{report:#}");
        } else {
            assert_eq!(phases, ["start", "check"], "{report:#}");
        }
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.len() == 2 && checks.iter().all(|it| it["is_passed"] == true), "{report:#}");
        assert!(report["predicted"]["lsn"].is_string(), "{report:#}");
        if kind == "pitr" {
            assert!(report["target"]["time"].is_string(), "{report:#}");
        }
        assert_eq!(report["versions"]["operator"], VERSION, "{report:#}");
        assert_eq!(stage.reports().last(), Some(&report));
        assert_eq!(stage.left(), Vec::<String>::new());
    }
}

/// The class and the detail of what was written down, after which nothing may be left.
async fn failed(stage: &Stage, habits: Habits, arguments: &[&str]) -> (String, String) {
    let finished = beside(stage, habits, &[arguments, &["-o", "json"]].concat()).await;
    let report = report(&finished);
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(stage.reports().last(), Some(&report), "{finished:#?}");
    assert_eq!(stage.left(), Vec::<String>::new(), "{finished:#?}");
    let text = |key: &str| report[key].as_str().unwrap().to_owned();
    (text("class"), text("detail"))
}

const FULL: [&str; 2] = ["--kind", "full"];

#[tokio::test]
async fn the_rights_are_enough_and_none_is_unused_and_logs_may_be_forbidden() {
    let stage = Stage::new().await;
    let finished = beside(&stage, Habits::default(), &FULL).await;
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let used = stage.api.permission_use(&stage.user());
    let unused: Vec<String> = used.unused.iter().map(ToString::to_string).collect();
    // What only the eleventh result needs.
    assert_eq!((used.refused, unused), (vec![], vec!["delete configmaps".to_owned()]));
    let role = stage.admin().get("roles", DRILLS, ACCOUNT).unwrap();
    let mut rules = role["rules"].clone();
    rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["pods/log"]));
    stage.admin().patch("roles", DRILLS, ACCOUNT, &json!({"rules": rules}));
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    let report = report(&finished);
    assert_eq!(report["class"], "succeeded", "{finished:#?}");
    let phases = report["phases"].as_array().unwrap().iter();
    let phases: Vec<&str> = phases.map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["start", "check"], "{report:#}");
}

/// As a server that is strict would have it.
#[tokio::test]
async fn what_a_drill_writes_is_what_its_schema_says() {
    let stage = Stage::new().await;
    let finished = beside(&stage, Habits::default(), &FULL).await;
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let mut written = stage.admin().list("configmaps", DRILLS);
    written.retain(|it| it["data"]["report.json"].is_string());
    written.extend(stage.admin().list("leases", DRILLS));
    for object in &mut written {
        let kept = ["name", "namespace", "labels", "annotations"];
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| kept.contains(&key.as_str()));
    }
    let texts = written.iter().map(ToString::to_string);
    let objects: Vec<Object> =
        texts.flat_map(|text| manifests::objects("a drill", &text)).collect();
    let kinds: Vec<&str> = objects.iter().map(Object::kind).collect();
    assert_eq!(kinds, ["ConfigMap", "Lease"]);
    assert_eq!(schemas::problems(&objects).await, [Vec::<String>::new(), Vec::new()]);
    // The server wants microseconds, all six of them (`RFC3339Micro` in `meta/v1/micro_time.go`).
    let renewed_at = objects[1].text("/spec/renewTime");
    assert!(renewed_at.len() == 27 && renewed_at.ends_with('Z'), "{renewed_at}");
}

#[tokio::test]
async fn a_drill_that_is_ended_by_a_signal_cleans_up() {
    let stage = Stage::new().await;
    let ended = async {
        let mut process = Server::start("a drill", stage.command(&FULL), &stage.log_file());
        wait_until("it has begun", LIMIT, async || (!stage.left().is_empty()).then_some(())).await;
        process.stop(Signal::TERM, LIMIT).await
    };
    let waits = Habits::of(Fate::Waits);
    let status = tokio::select! {
        status = ended => status,
        () = Operator::new(&stage, waits).work() => unreachable!("it never ends"),
    };
    assert_eq!(status.code(), Some(3));
    assert_eq!(stage.left(), Vec::<String>::new());
    let report = stage.reports().pop().unwrap();
    assert_eq!(report["class"], "timeout", "{report:#}");
}
