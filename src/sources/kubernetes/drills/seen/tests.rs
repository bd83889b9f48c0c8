use serde_json::json;

use super::*;

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn labels() -> Value {
    json!({"cnpg.io/jobRole": "full-recovery"})
}

fn state_of(status: Value) -> PodState {
    let metadata = json!({"name": "p", "labels": labels()});
    let pod: Pod = object(json!({"metadata": metadata, "status": status}));
    recovery(None, &[], &[pod], &[]).pods.remove(0).state
}

#[test]
fn a_pod_that_failed_says_what_ended_it() {
    let failed = |fields: Value| {
        let mut status = json!({"phase": "Failed"});
        status.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        match state_of(status) {
            PodState::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    };
    let ended = |name: &str, state: Value| {
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": state}})
    };
    let main = ended("full-recovery", json!({"exitCode": 1, "reason": "Error"}));
    assert_eq!(failed(json!({"containerStatuses": [main]})), "exit code 1");
    let sidecar = ended("plugin-barman-cloud", json!({"exitCode": 137, "reason": "OOMKilled"}));
    let both = json!({"containerStatuses": [main], "initContainerStatuses": [sidecar]});
    assert_eq!(failed(both), "OOMKilled");
    let evicted = json!({"reason": "Evicted", "message": "low on\nmemory"});
    assert_eq!(failed(evicted), "Evicted: low onmemory");
    assert_eq!(failed(json!({})), "for an unknown reason");
}

#[test]
fn a_pod_that_waits_says_what_for() {
    let waiting = json!({"name": "full-recovery", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}});
    let pending = |why: Option<&str>| PodState::Pending(why.map(str::to_owned));
    assert_eq!(
        state_of(json!({"containerStatuses": [waiting]})),
        pending(Some("ErrImagePull: no"))
    );
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes"});
    let status = json!({"phase": "Pending", "conditions": [condition]});
    assert_eq!(state_of(status), pending(Some("Unschedulable: 0/3 nodes")));
    assert_eq!(state_of(json!({"phase": "Pending"})), pending(None));
    assert_eq!(state_of(json!({"phase": "Running"})), PodState::Running);
}

#[test]
fn only_the_job_that_restores_counts() {
    let job = |name: &str, role: &str, status: Value| -> Job {
        let labels = json!({"cnpg.io/jobRole": role});
        let annotations = json!({"cnpg.io/operatorVersion": "1.28.1"});
        let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
        object(json!({"metadata": metadata, "status": status}))
    };
    let failed = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"});
    let jobs =
        [job("a", "join", json!({})), job("b", "full-recovery", json!({"conditions": [failed]}))];
    let seen = recovery(None, &jobs, &[], &[]);
    let failure = Some("BackoffLimitExceeded".to_owned());
    let operator = Some("1.28.1".to_owned());
    assert_eq!(seen.job, Some(SeenJob { failure, operator, ..SeenJob::default() }));
    assert_eq!(recovery(None, &jobs[..1], &[], &[]).job, None);
}

#[test]
fn a_cluster_that_somebody_copied_is_not_ours() {
    let id = "260110120000-0000000a";
    let cluster = |name: &str| -> DynamicObject {
        object(json!({"metadata": {"name": name, "uid": "u", "labels": {ID_LABEL: id}}}))
    };
    assert_eq!(own_cluster(&cluster(&format!("drill-{id}"))).unwrap().uid, "u");
    assert_eq!(own_cluster(&cluster("kept")), None);
}

#[test]
fn a_cluster_is_healthy_when_it_is_ready_as_well() {
    let cluster = |phase: &str, ready: &str| {
        let condition = json!({"type": "Ready", "status": ready,
            "lastTransitionTime": "2026-01-10T12:00:00Z"});
        let status = json!({"phase": phase, "conditions": [condition]});
        seen_cluster(&object(json!({"metadata": {"name": "a"}, "status": status})))
    };
    assert!(cluster("Cluster in healthy state", "True").is_healthy());
    assert!(!cluster("Cluster in healthy state", "False").is_healthy());
    assert!(!cluster("Setting up primary", "True").is_healthy());
}
