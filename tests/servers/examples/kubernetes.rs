//! The API server double as a program, for the demo: `kubernetes DIRECTORY`.
//!
//! Applies every `*.yaml` of the directory, takes each Deployment for available, and writes two
//! kubeconfigs beside them: `admin.kubeconfig` for people, and `daemon.kubeconfig` for the
//! `ServiceAccount` `databases/cnpg-backup-verifier`. Runs until it is ended.
#![expect(clippy::print_stdout, reason = "whoever starts it waits for the line")]

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use test_servers::kubernetes::ApiServer;
use test_servers::kubernetes::User;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = PathBuf::from(env::args_os().nth(1).context("usage: kubernetes DIRECTORY")?);
    let mut ended = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let server = ApiServer::start().await?;
    server.install_all_crds();
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&directory).context("list the directory")? {
        let path = entry.context("list the directory")?.path();
        files.extend(path.extension().is_some_and(|it| it == "yaml").then_some(path));
    }
    files.sort();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let applied = server.admin().try_apply(&text);
        applied.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    }
    for deployment in server.admin().list("deployments", "") {
        let place = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str);
        let (Some(namespace), Some(name)) = (place("/metadata/namespace"), place("/metadata/name"))
        else {
            anyhow::bail!("a Deployment without a name");
        };
        let status = json!({"replicas": 1, "readyReplicas": 1, "availableReplicas": 1});
        server.admin().patch_status("deployments", namespace, name, &status);
    }
    let daemon = User::service_account("databases", "cnpg-backup-verifier");
    for (name, user) in [("admin", User::admin()), ("daemon", daemon)] {
        let to = directory.join(format!("{name}.kubeconfig"));
        fs::copy(server.kubeconfig(&user), to).context("write a kubeconfig")?;
    }
    println!("ready at {}", server.url());
    ended.recv().await;
    Ok(())
}
