//! What the runbooks have people run in the daemon's pod: the program that its image holds, told by the
//! variables and the configuration of the Deployment, and allowed what the pod is allowed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use test_servers::process::Account;
use test_servers::process::run;

use crate::deploy::daemon::Folder;
use crate::deploy::daemon::container;
use crate::deploy::manifests;
use crate::deploy::manifests::Object;
use crate::kubernetes::world::LIMIT;
use crate::kubernetes::world::World;
use crate::made_archive::MadeArchive;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cnpg-backup-verifier");

const MAIN: &str = "main";

/// All but what names the program.
const IN_THE_POD: &str = "kubectl exec -n VERIFIER_NAMESPACE deployment/cnpg-backup-verifier -- ";

/// Where nothing can be asked in the pod.
const NOT_IN_THE_POD: [(&str, &str); 3] = [
    ("BackupVerifierAbsent", "there is no pod"),
    ("disaster-recovery-cadence", "it is asked from outside on purpose"),
    ("kubernetes_unreadable", "it would ask Kubernetes first"),
];

#[tokio::test]
async fn what_is_run_in_the_pod_answers_by_what_the_deployment_tells_it() {
    let world = World::begin().await;
    world.install_cluster(MAIN, &MadeArchive::healthy(8)).await;
    let pod = Pod::of(&world).await;
    let mut ran = BTreeSet::new();
    for (file, command) in commands() {
        let Some(command) = command.strip_prefix(IN_THE_POD) else {
            assert!(!command.contains(" /cnpg-backup-verifier "), "{file}: {command}");
            continue;
        };
        if !ran.insert(command.to_owned()) {
            continue;
        }
        // What it prints is looked at here, not stored.
        let words: Vec<&str> = command.split(" > ").next().unwrap().split_whitespace().collect();
        assert!(words[1..].join(" ").contains("--namespace NAMESPACE --cluster CLUSTER"), "{file}");
        let finished = run(pod.command(&world, &words), LIMIT).await;
        assert_eq!(finished.code, Some(0), "{file}: {command}: {finished:#?}");
        let is_read = finished.stdout.contains("8 of 8 segments, 2 of 2 base backups");
        assert_eq!(is_read, words.ends_with(&["--depth", "full"]), "{file}: {finished:#?}");
        let is_told =
            [MAIN, world.namespace.as_str()].iter().all(|it| finished.stdout.contains(it));
        assert!(is_told, "{file}: {command}: {finished:#?}");
    }
    assert!(5 < ran.len(), "{ran:#?}");
}

/// Who has a daemon need not set anything: that comes first.
#[test]
fn whatever_is_asked_from_a_workstation_is_asked_in_the_pod_before() {
    for file in runbooks() {
        let name = Path::new(&file).file_stem().unwrap().to_str().unwrap();
        let asked = |start: &str| {
            let ours = commands_of(&file).into_iter().enumerate();
            let of_start =
                ours.filter_map(|(at, it)| Some((at, it.strip_prefix(start)?.to_owned())));
            of_start.map(|(at, it)| (at, it.split(' ').next().unwrap().to_owned())).next()
        };
        let Some((at, verb)) = asked("cnpg-backup-verifier ") else { continue };
        let in_the_pod = asked(&format!("{IN_THE_POD}/cnpg-backup-verifier "));
        let is_excused = NOT_IN_THE_POD.iter().any(|(excused, _)| *excused == name);
        assert_eq!(in_the_pod.is_none(), is_excused, "{file}");
        if let Some((before, same)) = in_the_pod {
            assert!(before < at && same == verb, "{file}: {same}, then {verb}");
        }
    }
}

/// The container of the base.
struct Pod {
    objects: Vec<Object>,
    folder: Folder,
    kubeconfig: PathBuf,
}

impl Pod {
    /// Mounted are the keys of this world, and the configuration as it is but for where the plugin runs.
    async fn of(world: &World) -> Self {
        let objects = manifests::build_with(&[]).await;
        let folder = Folder::of(&objects);
        let (id, secret) = (world.s3.access_key(), world.s3.secret_key());
        for (name, key) in [("ACCESS_KEY_ID", id), ("ACCESS_SECRET_KEY", secret)] {
            fs::write(folder.place(&format!("/run/secrets/r2/{name}")), key).unwrap();
        }
        let config = folder.place("/etc/cnpg-backup-verifier/config.yaml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("cnpg-system", &world.operator_namespace)).unwrap();
        world.write_new_token().await;
        Self { objects, folder, kubeconfig: world.write_kubeconfig() }
    }

    /// These words, in place of the container's own.
    fn command(&self, world: &World, words: &[&str]) -> Command {
        let entrypoint = format!("ENTRYPOINT [\"{}\"]", words[0]);
        assert!(manifests::read("Dockerfile").contains(&entrypoint), "{entrypoint}");
        let mut command = Account::own().command(Path::new(PROGRAM));
        for word in &words[1..] {
            command.arg(match *word {
                "NAMESPACE" => world.namespace.as_str(),
                "CLUSTER" => MAIN,
                moment if moment.starts_with("2026-") => "latest",
                other => other,
            });
        }
        for variable in container(&self.objects)["env"].as_array().unwrap() {
            let value = variable["value"].as_str().unwrap();
            command.env(variable["name"].as_str().unwrap(), self.folder.place(value));
        }
        // In a pod the way to the API server and the account's token lie where every client looks.
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }
}

fn runbooks() -> Vec<String> {
    let files = manifests::files("docs/runbooks", ".md");
    assert!(80 < files.len(), "{files:?}");
    files
}

fn commands() -> Vec<(String, String)> {
    let of_file = |file: String| {
        let commands = commands_of(&file).into_iter();
        commands.map(move |command| (file.clone(), command)).collect::<Vec<_>>()
    };
    runbooks().into_iter().flat_map(of_file).collect()
}

/// Every line of every `sh` block, continued lines joined, one blank between words.
fn commands_of(file: &str) -> Vec<String> {
    let text = manifests::read(file);
    let blocks = text.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    let mut commands = Vec::new();
    for block in blocks {
        let block = block.replace("\\\n", " ");
        let lines = block.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
        commands.extend(lines.filter(|line| !line.is_empty()));
    }
    commands
}
