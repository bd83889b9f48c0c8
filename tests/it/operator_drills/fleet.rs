//! Daemon and runner as `deploy` installs them, with nothing else set: what is due is drilled, until nothing is.

use std::process::Command;

use cnpg_backup_verifier::domain::cluster::DrillKind;
use serde_json::Value;
use serde_json::json;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::run;
use test_servers::process::wait_until;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::operator_drills::operator::Habits;
use crate::operator_drills::operator::Operator;
use crate::operator_drills::stage::ACCOUNT;
use crate::operator_drills::stage::DRILLS;
use crate::operator_drills::stage::FOLDER;
use crate::operator_drills::stage::LIMIT;
use crate::operator_drills::stage::SOURCES;
use crate::operator_drills::stage::Stage;
use crate::program::Daemon;
use crate::program::codes;
use crate::program::program;

const DAEMON: &str = "deploy/kubernetes/apps/databases/cnpg-backup-verifier/app";

/// Account and rights of the daemon, and the store that the cluster archives to.
async fn installed() -> Stage {
    let stage = Stage::new().await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cnpg-system"}});
    stage.apply(&namespace);
    for object in manifests::built_from(DAEMON).await {
        if object.kind() == "ServiceAccount" || object.kind().contains("Role") {
            stage.apply(&object.value);
        }
    }
    stage.apply(&stage.store_in(SOURCES, "store", "s3://backups/prod/"));
    stage
}

/// What a container is told by variables, as far as it is no file.
fn variables(container: &Value) -> Vec<(String, String)> {
    let all = container["env"].as_array().unwrap().iter();
    let pairs = all.filter_map(|it| Some((it["name"].as_str()?, it["value"].as_str()?)));
    let plain = pairs.filter(|(_, value)| !value.starts_with('/'));
    plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn daemon(stage: &Stage) -> Daemon {
    let objects = manifests::built_from(DAEMON).await;
    let of_kind = |kind: &str| -> &Object { objects.iter().find(|it| it.kind() == kind).unwrap() };
    let config = of_kind("ConfigMap").text("/data/config.yaml").to_owned();
    let [access_key_id, secret_access_key] = stage.keys();
    let keys = json!({
        "access_key_id_file": access_key_id, "secret_access_key_file": secret_access_key,
    });
    let config =
        format!("{config}\npoll_interval: 1s\nfull_listing_interval: 2s\ncredentials: {keys}\n");
    let variables = variables(of_kind("Deployment").at("/spec/template/spec/containers/0"));
    let kubeconfig = stage.api.kubeconfig(SOURCES, "cnpg-backup-verifier");
    let directory = Account::own().temporary_directory();
    Daemon::confined(&config, Some(&kubeconfig), directory, |mut command| {
        command.envs(variables);
        command
    })
    .await
}

/// As its pod runs, but for the address of the daemon.
async fn runner(stage: &Stage, daemon: &Daemon) -> Command {
    let cron_job = manifests::one(FOLDER, "CronJob").await;
    let container = cron_job.at("/spec/jobTemplate/spec/template/spec/containers/0");
    let arguments = container["args"].as_array().unwrap().iter();
    let mut arguments: Vec<&str> = arguments.map(|it| it.as_str().unwrap()).collect();
    let at = arguments.iter().position(|it| it.starts_with("http://")).unwrap();
    let address = format!("http://{}", daemon.address);
    arguments[at] = &address;
    let config = manifests::read(&format!("{FOLDER}/config.yaml"));
    let [access_key_id, secret_access_key] = stage.keys();
    let mut command = program();
    command.args(arguments).envs(variables(container));
    command.env("CNPG_BACKUP_VERIFIER_CONFIG", stage.write("runner.yaml", &config));
    command.env("CNPG_BACKUP_VERIFIER_CREDENTIALS_ACCESS_KEY_ID_FILE", access_key_id);
    command.env("CNPG_BACKUP_VERIFIER_CREDENTIALS_SECRET_ACCESS_KEY_FILE", secret_access_key);
    command.env("KUBECONFIG", stage.api.kubeconfig(DRILLS, ACCOUNT));
    command
}

async fn drill(stage: &Stage, daemon: &Daemon) -> Finished {
    run(runner(stage, daemon).await, LIMIT).await
}

/// What the daemon names next, once that is another one than before; `None` if nothing is due.
async fn next(daemon: &Daemon, before: Option<&str>) -> Option<String> {
    wait_until("the daemon names another drill", LIMIT, async || {
        let answer = daemon.get("/api/v1/drills/next").await;
        match answer.status.as_u16() {
            200 => {
                let kind = answer.json()["kind"].as_str().unwrap().to_owned();
                (before != Some(&kind)).then_some(Some(kind))
            }
            503 => None,
            204 => before.is_some().then_some(None),
            other => panic!("HTTP {other}: {}", answer.body),
        }
    })
    .await
}

#[tokio::test]
async fn both_kinds_are_due_and_drilled_and_told_though_the_daemon_restarts() {
    let stage = installed().await;
    let mut first_daemon = daemon(&stage).await;
    let first = next(&first_daemon, None).await.unwrap();

    // It ends while the drill runs, and another one finds what came of it.
    let command = runner(&stage, &first_daemon).await;
    let story = async {
        let begun = async {
            wait_until("the drill has begun", LIMIT, async || {
                (!stage.left().is_empty()).then_some(())
            })
            .await;
            first_daemon.kill().await;
            daemon(&stage).await
        };
        tokio::join!(run(command, LIMIT), begun)
    };
    let (finished, daemon) = tokio::select! {
        both = story => both,
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    };
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let second = next(&daemon, Some(&first)).await.unwrap();
    let finished = tokio::select! {
        finished = drill(&stage, &daemon) => finished,
        () = Operator::new(&stage, Habits::default()).work() => unreachable!("it never ends"),
    };
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(next(&daemon, Some(&second)).await, None);
    let finished = drill(&stage, &daemon).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "# no drill is due\n"));

    let mut kinds = [first.as_str(), second.as_str()];
    kinds.sort_unstable();
    assert_eq!(kinds, [DrillKind::Full.code(), DrillKind::Pitr.code()]);
    let archive = daemon.archive().await;
    let drills = archive["drills"].as_array().unwrap();
    assert!(drills.len() == 2 && drills.iter().all(|it| it["class"] == "succeeded"), "{archive:#}");
    assert!(archive["proof"]["restored"].is_string(), "{archive:#}");
    assert!(archive["recovery_time"]["upper_seconds"].as_i64().unwrap() < 7200, "{archive:#}");
    let of_drills =
        codes(&archive).into_iter().filter(|it| it.contains("drill") || it.contains("slow"));
    assert_eq!(of_drills.collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(stage.left(), Vec::<String>::new());
    assert_eq!(stage.admin().list("clusters", DRILLS).len(), 0);
}
