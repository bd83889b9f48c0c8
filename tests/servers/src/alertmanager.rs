//! A real Alertmanager on loopback, and amtool.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::http;
use crate::process::{Account, Finished, Server, free_port, run, wait_until};
use crate::tools;

/// A running server, alone: it looks for no others.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Server,
    port: u16,
    _directory: TempDir,
}

impl Alertmanager {
    /// Starts it with a configuration in YAML.
    pub async fn start(configuration: &str) -> Self {
        let directory = Account::own().temporary_directory();
        let file = directory.path().join("alertmanager.yml");
        std::fs::write(&file, configuration).expect("a new file");
        let port = free_port();
        let mut command = Account::own().server_command(&tools::debian("prometheus-alertmanager"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.path={}", directory.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.args(["--cluster.listen-address=", "--log.level=warn"]);
        let log = directory.path().join("log");
        let mut process = Server::start("Alertmanager", command, &log);
        process.answers(&format!("http://127.0.0.1:{port}/-/ready"), LIMIT).await;
        Self { _process: process, port, _directory: directory }
    }

    /// Where it listens, like `127.0.0.1:9093`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Reports an alert that began now, by its labels.
    pub async fn add(&self, labels: &[(&str, &str)]) {
        let url = format!("--alertmanager.url=http://{}", self.address());
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut arguments = vec!["alert", "add", &url];
        arguments.extend(labels.iter().map(String::as_str));
        amtool(&arguments).await.expect_success();
    }

    /// Every alert with its labels, and under `status` by which others it is inhibited.
    pub async fn alerts(&self) -> Vec<serde_json::Value> {
        let answer = http::get(&format!("http://{}/api/v2/alerts", self.address())).await.json();
        answer.as_array().expect("a list of alerts").clone()
    }

    /// Asks for the alerts until they are accepted, and returns them.
    pub async fn alerts_until(
        &self,
        what: &str,
        mut accept: impl FnMut(&[serde_json::Value]) -> bool,
    ) -> Vec<serde_json::Value> {
        wait_until(what, LIMIT, async || {
            let alerts = self.alerts().await;
            accept(&alerts).then_some(alerts)
        })
        .await
    }
}

/// Runs amtool, with `check-config FILE` or `config routes test ...` say.
pub async fn amtool(arguments: &[&str]) -> Finished {
    let mut command = Account::own().command(&tools::debian("amtool"));
    command.args(arguments);
    run(command, LIMIT).await
}

/// Which receivers an alert with these labels reaches, by the routes of a configuration file.
pub async fn receivers(configuration: &Path, labels: &[(&str, &str)]) -> Vec<String> {
    let file = format!("--config.file={}", configuration.display());
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments = vec!["config", "routes", "test", &file];
    arguments.extend(labels.iter().map(String::as_str));
    let printed = amtool(&arguments).await.expect_success();
    printed.trim().split(',').map(str::to_owned).collect()
}

/// It starts within a second; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
