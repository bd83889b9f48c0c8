use serde_json::Value;
use serde_json::json;

use super::*;

const FILES: [&str; 2] = ["/run/secrets/r2/ACCESS_KEY_ID", "/run/secrets/r2/ACCESS_SECRET_KEY"];

fn daemon() -> Value {
    json!({
        "containers": [
            {"name": "injected", "image": "mesh:1"},
            {
                "name": "cnpg-backup-verifier",
                "image": "registry.example/verifier@sha256:1",
                "args": ["run"],
                "env": [
                    {"name": "SSL_CERT_FILE", "value": "/etc/ca/ca.pem"},
                    {"name": "CNPG_BACKUP_VERIFIER_CONTENT_BASE_BACKUPS_RUN_AS", "value": "job"},
                ],
                "securityContext": {"readOnlyRootFilesystem": true},
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                "volumeMounts": [
                    {"name": "credentials", "mountPath": "/run/secrets/r2", "readOnly": true},
                    {"name": "ca", "mountPath": "/etc/ca"},
                    {"name": "ledger", "mountPath": "/var/lib/cnpg-backup-verifier"},
                    {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                ],
            },
        ],
        "imagePullSecrets": [{"name": "registry"}],
        "nodeName": "one",
        "serviceAccountName": "cnpg-backup-verifier",
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532},
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists"},
            {"key": "databases", "operator": "Exists"},
        ],
        "volumes": [
            {"name": "credentials", "secret": {"secretName": "cnpg-backup-verifier-r2"}},
            {"name": "ca", "configMap": {"name": "ca"}},
            {"name": "ledger", "emptyDir": {}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        ],
    })
}

fn mold(pod: &Value) -> Result<Mold, String> {
    Mold::of(serde_json::from_value(pod.clone()).unwrap(), &FILES)
}

fn job(queue: Option<&str>) -> Value {
    let order = JobOrder {
        key: "0123456789abcdef0123456789abcdef".to_owned(),
        archive: "a".repeat(32),
        backup: "20260801T020000".to_owned(),
        address: "s3://backups/main".to_owned(),
        arguments: vec!["read-backup".to_owned(), "--archive=s3://b/$(HOME)/$x".to_owned()],
        settings: vec![("NAME".to_owned(), "value".to_owned())],
        deadline: Duration::from_mins(30),
        priority_class: Some("low".to_owned()),
        queue: queue.map(str::to_owned),
    };
    serde_json::to_value(order.job(&mold(&daemon()).unwrap())).unwrap()
}

#[test]
fn a_job_is_made_after_the_pod_and_takes_over_nothing_that_it_does_not_need() {
    let job = job(None);
    let pod = &job["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "registry.example/verifier@sha256:1");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["securityContext"], daemon()["securityContext"]);
    assert_eq!(container["securityContext"], json!({"readOnlyRootFilesystem": true}));
    assert_eq!(pod["tolerations"], json!([{"key": "databases", "operator": "Exists"}]));
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&pod["volumes"]), ["credentials", "ca"]);
    assert_eq!(names(&container["volumeMounts"]), ["credentials", "ca"]);
    assert_eq!(names(&container["env"]), ["SSL_CERT_FILE", "NAME"]);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(container["resources"]["limits"], json!({"memory": "256Mi"}));
    for absent in ["serviceAccountName", "nodeName"] {
        assert_eq!(pod.get(absent), None);
    }
}

#[test]
fn a_job_ends_by_itself_and_a_disruption_is_no_failure() {
    let job = job(None);
    let (spec, pod) = (&job["spec"], &job["spec"]["template"]["spec"]);
    assert_eq!(
        (&spec["backoffLimit"], &spec["ttlSecondsAfterFinished"]),
        (&json!(0), &json!(3600))
    );
    let policy = json!({"rules": [{
        "action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }]});
    assert_eq!(spec["podFailurePolicy"], policy);
    // On the Job it would count while no pod runs.
    assert_eq!(
        (pod["activeDeadlineSeconds"].clone(), spec.get("activeDeadlineSeconds")),
        (json!(1800), None)
    );
    assert_eq!(
        (&pod["restartPolicy"], &pod["priorityClassName"]),
        (&json!("Never"), &json!("low"))
    );
    // What looks like a variable is none.
    assert_eq!(pod["containers"][0]["args"][1], "--archive=s3://b/$$(HOME)/$$x");
}

#[test]
fn a_queue_lets_it_begin() {
    let (alone, queued) = (job(None), job(Some("verification")));
    assert_eq!((alone["spec"].get("suspend"), &queued["spec"]["suspend"]), (None, &json!(true)));
    assert_eq!(queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "verification");
    assert_eq!(alone["metadata"]["labels"].get("kueue.x-k8s.io/queue-name"), None);
    let name = alone["metadata"]["name"].as_str().unwrap();
    // It becomes a label of the pods.
    assert!(name.len() <= 63, "{name}");
}

#[test]
fn a_pod_that_others_cannot_be_made_after_is_told() {
    let mut pod = daemon();
    pod["volumes"][0] = json!({"name": "credentials", "emptyDir": {}});
    assert_eq!(mold(&pod).unwrap_err(), "the volume credentials of its pod is not for other pods");
    pod["volumes"][0] = json!({
        "name": "credentials", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]},
    });
    assert!(mold(&pod).is_err());
    let mut pod = daemon();
    pod["containers"][1]["volumeMounts"][0]["mountPath"] = json!("/run/secrets/r");
    let told = mold(&pod).unwrap_err();
    assert_eq!(told, "no volume of its pod holds /run/secrets/r2/ACCESS_KEY_ID");
    pod["containers"][1]["name"] = json!("other");
    assert_eq!(mold(&pod).unwrap_err(), "its pod has no container cnpg-backup-verifier");
}
