//! Drills by CloudNativePG, from the command to what is left of it, with an operator that restores
//! really: Barman, PostgreSQL and replay on loopback.

mod due;
mod operator;
mod stage;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use test_servers::barman::Barman;
use test_servers::barman::Endpoint;
use test_servers::kubernetes::Fault;
use test_servers::kubernetes::Trigger;
use test_servers::process::Finished;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::wait_until;

use crate::deploy::manifests;
use crate::deploy::schemas;
use crate::operator_drills::operator::Fate;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
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
        assert_eq!(phases, ["start", "base", "replay", "promote", "check"], "{report:#}");
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.len() == 2 && checks.iter().all(|it| it["is_passed"] == true), "{report:#}");
        assert!(report["predicted"]["lsn"].is_string(), "{report:#}");
        assert_eq!(report["predicted"]["lsn"], report["reached"]["lsn"], "{report:#}");
        if kind == "pitr" {
            assert!(report["target"]["time"].is_string(), "{report:#}");
        }
        assert_eq!(stage.reports().await.last(), Some(&report));
        assert_eq!(stage.left().await, Vec::<String>::new());
    }
}

/// The class and the detail of what was written down, after which nothing may be left.
async fn failed(stage: &Stage, habits: Habits, arguments: &[&str]) -> (String, String) {
    let finished = beside(stage, habits, &[arguments, &["-o", "json"]].concat()).await;
    let report = report(&finished);
    assert_ne!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(stage.reports().await.last(), Some(&report), "{finished:#?}");
    assert_eq!(stage.left().await, Vec::<String>::new(), "{finished:#?}");
    let text = |key: &str| report[key].as_str().unwrap().to_owned();
    (text("class"), text("detail"))
}

const FULL: [&str; 2] = ["--kind", "full"];

#[tokio::test]
async fn what_goes_wrong_has_its_class_and_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let wrong_keys = Barman {
        endpoint: Endpoint {
            secret_access_key: "wrong".to_owned(),
            ..stage.barman.endpoint.clone()
        },
        ..stage.barman.clone()
    };
    let of = |fate| Habits { fate, ..Habits::default() };
    // Of old operators and new ones.
    for tells_unrecoverable in [false, true] {
        let barman = Some(wrong_keys.clone());
        let habits = Habits { barman, tells_unrecoverable, ..Habits::default() };
        let (class, detail) = failed(&stage, habits, &FULL).await;
        assert_eq!(class, "denied", "{detail}");
    }
    for (fate, class) in [(Fate::RunsOutOfMemory, "oom"), (Fate::IsKilled, "unschedulable")] {
        let (found, detail) = failed(&stage, of(fate), &FULL).await;
        assert_eq!(found, class, "{detail}");
    }
    let hanging = [FULL[0], FULL[1], "--timeout", "10s"];
    let (class, detail) = failed(&stage, of(Fate::Waits), &hanging).await;
    assert_eq!(class, "timeout", "{detail}");
    let faults = stage.server.as_double().faults();
    faults.inject(Trigger::next(1).verb("create").resource("clusters"), Fault::OverQuota);
    let (class, detail) = failed(&stage, Habits::default(), &FULL).await;
    assert_eq!(class, "quota", "{detail}");
}

/// PostgreSQL promotes all the same, and answers.
#[tokio::test]
async fn a_segment_that_is_gone_when_it_is_restored_is_told() {
    let stage = Stage::new().await;
    let habits = Habits { loses: Some(stage.segments[2].clone()), ..Habits::default() };
    let (class, detail) = failed(&stage, habits, &FULL).await;
    assert_eq!(class, "stopped_early", "{detail}");
    assert!(detail.contains("the archive reaches to"), "{detail}");
}

#[tokio::test]
async fn a_drill_that_would_prove_nothing_or_do_harm_is_refused_before_it_begins() {
    let stage = Stage::new().await;
    let refused = async |arguments: &[&str], why: &str| {
        let finished = stage.run(&[&FULL[..], arguments].concat()).await;
        assert_eq!(finished.code, Some(64), "{finished:#?}");
        assert!(finished.stderr.contains(why), "{finished:#?}");
        assert_eq!(stage.left().await, Vec::<String>::new());
    };
    stage.server.apply(&stage.store("s3://backups/other/")).await;
    refused(&[], "no ObjectStore in namespace").await;
    refused(&["--plan"], "no ObjectStore in namespace").await;
    stage.server.apply(&stage.store("s3://backups/prod/")).await;
    let planned = stage.run(&[&FULL[..], &["--plan"]].concat()).await;
    assert_eq!(planned.code, Some(0), "{planned:#?}");
    for line in
        ["kind: Cluster", "backupID:", "max_logical_replication_workers", "schedulerName: own"]
    {
        assert!(planned.stdout.contains(line), "{line}: {planned:#?}");
    }
    assert!(!planned.stdout.contains("isWALArchiver"), "{planned:#?}");
    // As CloudNativePG's own definition has it.
    let objects = manifests::objects("the plan", &planned.stdout);
    assert_eq!(schemas::problems(&objects).await, [Vec::<String>::new()]);
    assert_eq!(stage.left().await, Vec::<String>::new());
    assert_eq!(stage.reports().await, Vec::<Value>::new());
}

/// Whatever it was at, the next run removes what it left, and restores.
#[tokio::test]
async fn what_a_killed_drill_left_is_removed_by_the_next_one() {
    let stage = Stage::new().await;
    for phase in ["clusters", "jobs", "secrets"] {
        tokio::select! {
            () = killed_at(&stage, phase) => {}
            () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
        }
        assert!(!stage.left().await.is_empty(), "{phase}");
        assert_eq!(stage.reports().await, Vec::<Value>::new());
    }
    // A copy that somebody keeps is theirs, whatever marks it has.
    let label = json!({"backup-verifier.monosense.dev/drill-id": "260110120000-0000000a"});
    let kept = json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": "kept", "namespace": stage.drills, "labels": label},
        "spec": {"instances": 1, "storage": {"size": "1Gi"}},
    });
    stage.server.apply(&kept).await;
    lease_is_free(&stage).await;
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    assert_eq!(stage.left().await, ["clusters kept"]);
    assert_eq!(stage.reports().await.len(), 1);
}

/// Kills the command as soon as there is something of this kind.
async fn killed_at(stage: &Stage, kind: &str) {
    let log = stage.log_file();
    lease_is_free(stage).await;
    let before = stage.list(kind).await;
    let mut process = Server::start("a drill", stage.command(&FULL), &log);
    wait_until(kind, LIMIT, async || {
        let is_new =
            |it: &Value| before.iter().all(|old| old["metadata"]["uid"] != it["metadata"]["uid"]);
        stage.list(kind).await.iter().any(is_new).then_some(())
    })
    .await;
    process.stop(Signal::KILL, LIMIT).await;
}

/// Whoever was killed holds the lease for a while.
async fn lease_is_free(stage: &Stage) {
    wait_until("the lease is free", LIMIT, async || {
        let lease = stage.object("leases", "cnpg-backup-verifier-drill");
        let lease = stage.server.get(&lease).await;
        let renewed_at = lease.and_then(|it| it["spec"]["renewTime"].as_str()?.parse().ok());
        let is_free = renewed_at.is_none_or(|at: DateTime<Utc>| {
            TimeDelta::seconds(16) < clock::now().signed_duration_since(at)
        });
        is_free.then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_two_drills_at_once_one_runs() {
    let stage = Stage::new().await;
    let both = async {
        let second = async {
            wait_until("the first has begun", LIMIT, async || {
                (!stage.left().await.is_empty()).then_some(())
            })
            .await;
            stage.run(&FULL).await
        };
        tokio::join!(stage.run(&FULL), second)
    };
    let (first, second) = tokio::select! {
        both = both => both,
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    };
    assert_eq!((first.code, second.code), (Some(0), Some(3)), "{first:#?}\n{second:#?}");
    assert!(second.stderr.contains("only one runs at a time"), "{second:#?}");
    assert_eq!((stage.reports().await.len(), stage.left().await), (1, Vec::<String>::new()));
}

#[tokio::test]
async fn the_rights_are_enough_and_none_is_unused_and_logs_may_be_forbidden() {
    let stage = Stage::new().await;
    let finished = beside(&stage, Habits::default(), &FULL).await;
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let used = stage.server.as_double().permission_use(&stage.user());
    let unused: Vec<String> = used.unused.iter().map(ToString::to_string).collect();
    // What only the eleventh result needs.
    assert_eq!((used.refused, unused), (vec![], vec!["delete configmaps".to_owned()]));
    let role = stage.object("roles", "cnpg-restore-drills");
    let mut rules = stage.server.get(&role).await.unwrap()["rules"].take();
    rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["pods/log"]));
    stage.server.patch(&role, &json!({"rules": rules})).await;
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    let report = report(&finished);
    assert_eq!(report["class"], "succeeded", "{finished:#?}");
    let phases = report["phases"].as_array().unwrap().iter();
    let phases: Vec<&str> = phases.map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["start", "check"], "{report:#}");
}

#[tokio::test]
async fn a_drill_that_is_ended_by_a_signal_cleans_up() {
    let stage = Stage::new().await;
    let ended = async {
        let mut process = Server::start("a drill", stage.command(&FULL), &stage.log_file());
        wait_until("it has begun", LIMIT, async || (!stage.left().await.is_empty()).then_some(()))
            .await;
        process.stop(Signal::TERM, LIMIT).await
    };
    let waits = Habits { fate: Fate::Waits, ..Habits::default() };
    let status = tokio::select! {
        status = ended => status,
        () = Operator::new(&stage, waits).work() => unreachable!("it never ends"),
    };
    assert_eq!(status.code(), Some(3));
    assert_eq!(stage.left().await, Vec::<String>::new());
    let report = stage.reports().await.pop().unwrap();
    assert_eq!(report["class"], "timeout", "{report:#}");
}
