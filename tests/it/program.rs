//! The built program as a process: the daemon with a configuration file, and `check`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use test_servers::barman::Barman;
use test_servers::barman::Endpoint;
use test_servers::http;
use test_servers::http::Response;
use test_servers::process::Account;
use test_servers::process::Finished;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::free_port;
use test_servers::process::run;
use test_servers::process::wait_until;

/// A running daemon. Its configuration goes when it ends.
pub(crate) struct Daemon {
    process: Server,
    pub(crate) address: String,
    directory: TempDir,
}

/// For archives whose tar files are placeholders: to whoever reads them they are damaged.
pub(crate) const READS_NOTHING: &str = "content: {wal: false, base_backups: {cadence: never}}\n";

impl Daemon {
    /// Watches one archive as `databases/main`: polls every second, lists all every two.
    pub(crate) async fn start(archive: &Barman) -> Self {
        let directory = Account::own().temporary_directory();
        let file = |name: &str| directory.path().join(name);
        let Endpoint { url, access_key_id, secret_access_key } = &archive.endpoint;
        fs::write(file("ACCESS_KEY_ID"), access_key_id).unwrap();
        fs::write(file("ACCESS_SECRET_KEY"), secret_access_key).unwrap();
        let config = format!(
            "poll_interval: 1s\n\
             full_listing_interval: 2s\n\
             kubernetes: {{enabled: false}}\n\
             credentials:\n\
             \x20 access_key_id_file: {}\n\
             \x20 secret_access_key_file: {}\n\
             archives:\n\
             - namespace: databases\n\
             \x20 cluster: main\n\
             \x20 server_name: {}\n\
             \x20 destination_path: {}\n\
             \x20 endpoint_url: {url}\n\
             \x20 region: auto\n",
            file("ACCESS_KEY_ID").display(),
            file("ACCESS_SECRET_KEY").display(),
            archive.server_name,
            archive.destination_path,
        );
        Self::configured(&config, None, directory).await
    }

    /// Runs with this configuration, beside which it keeps its log, and listens on a free port.
    pub(crate) async fn configured(
        config: &str,
        kubeconfig: Option<&Path>,
        directory: TempDir,
    ) -> Self {
        Self::confined(config, kubeconfig, directory, |command| command).await
    }

    /// The same by the command that this makes of the daemon's.
    pub(crate) async fn confined(
        config: &str,
        kubeconfig: Option<&Path>,
        directory: TempDir,
        confine: impl FnOnce(Command) -> Command,
    ) -> Self {
        let file = |name: &str| directory.path().join(name);
        let address = format!("127.0.0.1:{}", free_port());
        fs::write(file("config.yaml"), format!("listen: {address}\n{config}")).unwrap();
        let mut command = Account::own().server_command(Path::new(PROGRAM));
        command.arg("run").arg("--config").arg(file("config.yaml"));
        if let Some(kubeconfig) = kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let mut process = Server::start("the daemon", confine(command), &file("log"));
        process.answers(&format!("http://{address}/livez"), LIMIT).await;
        Self { process, address, directory }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        http::get(&format!("http://{}{path}", self.address)).await
    }

    /// What `/api/v1/status` says of the one archive.
    pub(crate) async fn archive(&self) -> Value {
        self.get("/api/v1/status").await.json()["archives"][0].clone()
    }

    /// Waits until the archive is as described, and returns it.
    pub(crate) async fn archive_when(
        &self,
        what: &str,
        mut accept: impl FnMut(&Value) -> bool,
    ) -> Value {
        wait_until(what, LIMIT, async || {
            let archive = self.archive().await;
            accept(&archive).then_some(archive)
        })
        .await
    }

    pub(crate) async fn archive_with_verdict(&self, verdict: &str) -> Value {
        self.archive_when(verdict, |archive| archive["verdict"] == verdict).await
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// The most memory it had at any time.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        self.process.peak_resident_bytes()
    }

    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.pid())).unwrap().count()
    }

    /// Ends it without a chance to do anything.
    pub(crate) async fn kill(&mut self) {
        self.process.stop(Signal::KILL, Duration::from_secs(10)).await;
    }

    /// Asks it to end as Kubernetes does, and returns its exit code.
    pub(crate) async fn terminate(&mut self, within: Duration) -> Option<i32> {
        self.process.stop(Signal::TERM, within).await.code()
    }
}

/// `check` on an archive in an object store.
pub(crate) async fn check(archive: &Barman, arguments: &[&str]) -> Finished {
    run(of_archive("check", archive, arguments), LIMIT).await
}

/// `restore-plan` on an archive in an object store.
pub(crate) async fn restore_plan(archive: &Barman, arguments: &[&str]) -> Finished {
    run(of_archive("restore-plan", archive, arguments), LIMIT).await
}

pub(crate) fn of_archive(subcommand: &str, archive: &Barman, arguments: &[&str]) -> Command {
    let Barman { endpoint, destination_path, server_name } = archive;
    let url = format!("{}/{server_name}", destination_path.trim_end_matches('/'));
    let mut command = at_endpoint(subcommand, &url, endpoint);
    command.args(arguments);
    command
}

/// `command` on an archive by its URL.
pub(crate) fn at_endpoint(subcommand: &str, archive: &str, endpoint: &Endpoint) -> Command {
    let mut command = program();
    command.env("AWS_ACCESS_KEY_ID", &endpoint.access_key_id);
    command.env("AWS_SECRET_ACCESS_KEY", &endpoint.secret_access_key);
    command.args([subcommand, "--endpoint-url", &endpoint.url, "--archive", archive]);
    command
}

/// `check` on a directory that holds an archive.
pub(crate) async fn check_directory(folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = program();
    command.args(["check", "--archive"]).arg(format!("file://{}", folder.display()));
    command.args(arguments);
    run(command, LIMIT).await
}

/// The document that a `check -o json` printed.
pub(crate) fn document(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

/// The codes of all findings, worst first.
pub(crate) fn codes(archive: &Value) -> Vec<&str> {
    let findings = archive["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

pub(crate) fn program() -> Command {
    Account::own().command(Path::new(PROGRAM))
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_cnpg-backup-verifier");

/// It takes a second or two; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
