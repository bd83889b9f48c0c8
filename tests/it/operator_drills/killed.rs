//! Drills that end before their time, and what becomes of what they had made.

use std::time::Duration;

use chrono::DateTime;
use chrono::TimeDelta;
use chrono::Utc;
use cnpg_backup_verifier::service::clock;
use serde_json::Value;
use serde_json::json;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::wait_until;

use crate::operator_drills::FULL;
use crate::operator_drills::beside;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
use crate::operator_drills::report;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::Stage;

const LEASE: &str = "cnpg-backup-verifier-drill";

/// What is to be seen when a drill is killed.
const MOMENTS: [Moment; 7] = [
    ("the lease is taken", |stage, _| holder(stage).is_some()),
    ("there is a cluster", |stage, old| is_new(stage, "clusters", old)),
    ("there is a Job", |stage, old| is_new(stage, "jobs", old)),
    ("there is a pod", |stage, old| is_new(stage, "pods", old)),
    ("it has a password", |stage, old| is_new(stage, "secrets", old)),
    ("the cluster is being deleted", |stage, old| {
        let clusters = stage.admin().list("clusters", DRILLS);
        clusters
            .iter()
            .any(|it| !is_among(it, old) && it["metadata"].get("deletionTimestamp").is_some())
    }),
    ("there is a result", |stage, old| is_new(stage, "configmaps", old)),
];

type Moment = (&'static str, fn(&Stage, &[Value]) -> bool);

/// Of the lease.
pub(super) fn holder(stage: &Stage) -> Option<String> {
    let lease = stage.admin().get("leases", DRILLS, LEASE)?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

fn is_new(stage: &Stage, kind: &str, old: &[Value]) -> bool {
    stage.admin().list(kind, DRILLS).iter().any(|it| !is_among(it, old))
}

fn is_among(object: &Value, old: &[Value]) -> bool {
    old.iter().any(|it| it["metadata"]["uid"] == object["metadata"]["uid"])
}

/// Everything that a drill makes.
fn all(stage: &Stage) -> Vec<Value> {
    let kinds = ["clusters", "jobs", "pods", "secrets", "configmaps"];
    kinds.into_iter().flat_map(|kind| stage.admin().list(kind, DRILLS)).collect()
}

/// Whatever it was at, the next run removes what it left, and goes on.
#[tokio::test]
async fn nothing_is_left_of_twenty_killed_drills() {
    let stage = Stage::new().await;
    // A copy that somebody keeps is theirs, whatever marks it has.
    let label = json!({"backup-verifier.monosense.dev/drill-id": "260110120000-0000000a"});
    let kept = json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": "kept", "namespace": DRILLS, "labels": label},
        "spec": {"instances": 1, "storage": {"size": "1Gi"}},
    });
    stage.apply(&kept);
    let runs = MOMENTS.iter().cycle().take(3 * MOMENTS.len());
    let killed = async {
        for (number, moment) in runs.enumerate() {
            // In the last third it goes on for a little while.
            let delay = Duration::from_millis(if number < 14 { 0 } else { 150 });
            killed_at(&stage, *moment, delay).await;
        }
    };
    let slow = Habits { collects_after: Duration::from_millis(500), ..Habits::default() };
    tokio::select! {
        () = killed => {}
        () = Operator::new(&stage, slow).work() => unreachable!("it never ends"),
    }
    let before = stage.reports().len();
    lease_has_run_out(&stage);
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    assert_eq!(stage.left(), ["clusters kept"]);
    assert_eq!(stage.reports().len(), before + 1);
}

async fn killed_at(stage: &Stage, (what, is_there): Moment, delay: Duration) {
    lease_has_run_out(stage);
    let old = all(stage);
    let mut process = Server::start("a drill", stage.command(&FULL), &stage.log_file());
    wait_until(what, LIMIT, async || is_there(stage, &old).then_some(())).await;
    tokio::time::sleep(delay).await;
    process.stop(Signal::KILL, LIMIT).await;
}

/// As after a quarter of a minute.
fn lease_has_run_out(stage: &Stage) {
    if stage.admin().get("leases", DRILLS, LEASE).is_some() {
        let spec = json!({"spec": {"holderIdentity": null}});
        stage.admin().patch("leases", DRILLS, LEASE, &spec);
    }
}

/// Whoever was killed holds the lease for a while.
#[tokio::test]
async fn a_killed_drill_keeps_others_away_for_a_quarter_of_a_minute() {
    let stage = Stage::new().await;
    let story = async {
        killed_at(&stage, MOMENTS[2], Duration::ZERO).await;
        let refused = stage.run(&FULL).await;
        lease_is_free(&stage).await;
        (refused, stage.run(&FULL).await)
    };
    let (refused, finished) = tokio::select! {
        story = story => story,
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    };
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("only one runs at a time"), "{refused:#?}");
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(stage.left(), Vec::<String>::new());
}

async fn lease_is_free(stage: &Stage) {
    wait_until("the lease is free", LIMIT, async || {
        let lease = stage.admin().get("leases", DRILLS, LEASE);
        let renewed_at = lease.and_then(|it| it["spec"]["renewTime"].as_str()?.parse().ok());
        let is_free = renewed_at.is_none_or(|at: DateTime<Utc>| {
            TimeDelta::seconds(16) < clock::now().signed_duration_since(at)
        });
        is_free.then_some(())
    })
    .await;
}

/// The daemon hears of it, and nothing is restored beside it.
#[tokio::test]
async fn what_cannot_be_removed_is_a_result_and_blocks_the_next_drill() {
    let stage = Stage::new().await;
    tokio::select! {
        () = killed_at(&stage, MOMENTS[2], Duration::ZERO) => {}
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    }
    let left = stage.left();
    lease_has_run_out(&stage);
    // Nobody deletes what the cluster owns.
    let finished = stage.run(&["--kind", "full", "--timeout", "10s", "-o", "json"]).await;
    let told = report(&finished);
    assert_eq!(
        (finished.code, &told["class"]),
        (Some(3), &json!("cleanup_failed")),
        "{finished:#?}"
    );
    assert!(told["detail"].as_str().unwrap().contains("is in the way: not gone after"), "{told:#}");
    assert_eq!(stage.reports(), [told]);
    assert_eq!(stage.left(), left);
    let finished = beside(&stage, Habits::default(), &["--kind", "full", "-o", "json"]).await;
    assert_eq!(report(&finished)["class"], "succeeded", "{finished:#?}");
    assert_eq!((stage.reports().len(), stage.left()), (2, Vec::<String>::new()));
}

#[tokio::test]
async fn of_two_drills_at_once_one_runs() {
    let stage = Stage::new().await;
    let both = async {
        let second = async {
            wait_until("the first has begun", LIMIT, async || {
                (!stage.left().is_empty()).then_some(())
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
    assert_eq!((stage.reports().len(), stage.left()), (1, Vec::<String>::new()));
}
