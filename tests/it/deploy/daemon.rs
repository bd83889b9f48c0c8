//! The program understands what its Deployment tells it, and the Deployment fits what it offers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use test_servers::process::Account;
use test_servers::process::run;

use crate::deploy::manifests;
use crate::deploy::manifests::Object;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cnpg-backup-verifier");

#[tokio::test]
async fn the_program_understands_its_arguments_settings_and_variables() {
    let mut refused = BTreeSet::new();
    for component in manifests::folders("Component") {
        refused.extend(refused_settings(&manifests::build_with(&[&component]).await).await);
    }
    assert_eq!(refused, BTreeSet::new());
}

/// With both, the Jobs would have no credentials.
#[tokio::test]
async fn jobs_need_a_token_of_the_daemons_own() {
    let both = ["content-jobs", "secret-reading"];
    let both = both.map(|name| format!("deploy/kustomize/components/{name}"));
    let objects = manifests::build_with(&[&both[0], &both[1]]).await;
    let expected = BTreeSet::from(["content.base_backups.run_as".to_owned()]);
    assert_eq!(refused_settings(&objects).await, expected);
}

/// The keys of all settings that the program complains about, told as its container is told.
pub(super) async fn refused_settings(objects: &[Object]) -> BTreeSet<String> {
    let container = container(objects);
    let folder = Folder::of(objects);
    let mut command = Account::own().command(Path::new(PROGRAM));
    for argument in container["args"].as_array().unwrap() {
        command.arg(folder.place(argument.as_str().unwrap()));
    }
    for variable in container["env"].as_array().unwrap() {
        let value = match variable.pointer("/valueFrom/fieldRef/fieldPath") {
            Some(field) => {
                assert_eq!(field, "metadata.name");
                "cnpg-backup-verifier-1"
            }
            None => variable["value"].as_str().unwrap(),
        };
        command.env(variable["name"].as_str().unwrap(), folder.place(value));
    }
    // It reports all problems at once and ends; without one it would go on.
    command.arg("--listen=nowhere");
    let finished = run(command, manifests::LIMIT).await;
    assert_eq!(finished.code, Some(64), "{finished:?}");
    let keys = finished.stderr.lines().map(|line| line.split(": expected").next().unwrap());
    let mut keys: BTreeSet<String> = keys.map(str::to_owned).collect();
    assert!(keys.remove("--listen"), "{keys:?}");
    keys
}

#[tokio::test]
async fn probes_and_scrapes_go_where_the_program_answers() {
    let objects = manifests::build_with(&["deploy/kustomize/components/service-monitor"]).await;
    let container = container(&objects);
    assert_eq!(container["ports"][0]["containerPort"], 8080);
    let name = &container["ports"][0]["name"];
    let paths =
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")];
    for (probe, path) in paths {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(&container[probe]["httpGet"]["port"], name);
    }
    let service = of_kind(&objects, "Service");
    assert_eq!(&service.at("/spec/ports/0/targetPort"), &name);
    assert_eq!(service.at("/spec/ports/0/port"), 8080);
    let monitor = of_kind(&objects, "ServiceMonitor");
    assert_eq!(monitor.at("/spec/endpoints/0/port"), service.at("/spec/ports/0/name"));
    assert_eq!(monitor.at("/spec/endpoints/0/path"), "/metrics");
    assert_eq!(monitor.value.pointer("/spec/endpoints/0/honorLabels"), None);

    // Whoever selects pods or Services by labels finds ours.
    let pod = of_kind(&objects, "Deployment").at("/spec/template/metadata/labels");
    assert_eq!(of_kind(&objects, "Deployment").at("/spec/selector/matchLabels"), pod);
    assert_eq!(service.at("/spec/selector"), pod);
    assert_eq!(monitor.at("/spec/selector/matchLabels"), service.at("/metadata/labels"));
}

#[tokio::test]
async fn with_the_secret_of_the_object_store_no_other_is_needed() {
    let objects = manifests::build_with(&["deploy/kustomize/components/secret-reading"]).await;
    let deployment = of_kind(&objects, "Deployment").value.to_string();
    assert!(!deployment.contains("cnpg-backup-verifier-r2"), "{deployment}");
    assert!(!deployment.contains("/run/secrets"), "{deployment}");
    assert!(deployment.contains("FROM_OBJECT_STORE"), "{deployment}");
}

#[tokio::test]
async fn what_was_read_outlives_a_pod_only_on_a_volume_that_was_asked_for() {
    let ledger = async |components: &[&str]| {
        let objects = manifests::build_with(components).await;
        let deployment = of_kind(&objects, "Deployment");
        let volumes = deployment.at("/spec/template/spec/volumes").clone();
        let ledger = volumes.as_array().unwrap().iter().find(|it| it["name"] == "ledger").cloned();
        let is_claimed = objects.iter().any(|it| it.value["kind"] == "PersistentVolumeClaim");
        let strategy = deployment.value.pointer("/spec/strategy/rollingUpdate/maxSurge").cloned();
        (ledger.unwrap(), strategy, is_claimed)
    };
    let by_default = json!({"name": "ledger", "emptyDir": {"sizeLimit": "512Mi"}});
    assert_eq!(ledger(&[]).await, (by_default, None, false));
    let claim = json!({"claimName": "cnpg-backup-verifier-ledger"});
    let claimed = json!({"name": "ledger", "persistentVolumeClaim": claim});
    let component = "deploy/kustomize/components/ledger-volume";
    assert_eq!(ledger(&[component]).await, (claimed, Some(json!(0)), true));
}

#[tokio::test]
async fn the_image_is_the_version_of_this_source() {
    let objects = manifests::build_with(&[]).await;
    let image = format!("ghcr.io/monosense/cnpg-backup-verifier:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(container(&objects)["image"], Value::String(image));
}

/// What the pod's mounts hold, in a folder of our own.
pub(crate) struct Folder {
    folder: TempDir,
    mounts: BTreeMap<String, String>,
}

impl Folder {
    pub(crate) fn of(objects: &[Object]) -> Self {
        let folder = Account::own().temporary_directory();
        let pod = of_kind(objects, "Deployment").at("/spec/template/spec");
        let mut mounts = BTreeMap::new();
        for mount in container(objects)["volumeMounts"].as_array().unwrap() {
            let name = mount["name"].as_str().unwrap();
            mounts.insert(mount["mountPath"].as_str().unwrap().to_owned(), name.to_owned());
            let mut volumes = pod["volumes"].as_array().unwrap().iter();
            let volume = volumes.find(|volume| volume["name"] == name).unwrap();
            let inside = folder.path().join(name);
            fs::create_dir(&inside).unwrap();
            if let Some(config) = volume.pointer("/configMap/name") {
                let mut maps = objects.iter().filter(|object| object.kind() == "ConfigMap");
                let map = maps.find(|map| map.name() == config).unwrap();
                for (file, text) in map.at("/data").as_object().unwrap() {
                    fs::write(inside.join(file), text.as_str().unwrap()).unwrap();
                }
            } else if name != "ledger" {
                assert!(volume.get("secret").is_some(), "{volume}");
                for key in ["ACCESS_KEY_ID", "ACCESS_SECRET_KEY"] {
                    fs::write(inside.join(key), "key").unwrap();
                }
            }
        }
        Self { folder, mounts }
    }

    /// A text with the mounted paths in it replaced.
    pub(crate) fn place(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in &self.mounts {
            text = text.replace(path, self.folder.path().join(name).to_str().unwrap());
        }
        text
    }
}

pub(crate) fn container(objects: &[Object]) -> &Value {
    of_kind(objects, "Deployment").at("/spec/template/spec/containers/0")
}

fn of_kind<'a>(objects: &'a [Object], kind: &str) -> &'a Object {
    objects.iter().find(|object| object.kind() == kind).unwrap()
}
