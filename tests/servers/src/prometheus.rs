//! A real Prometheus that scrapes every second, and promtool.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::http;
use crate::process::{Account, Finished, Server, free_port, run, run_with_input, wait_until};
use crate::tools;

/// A running server. It takes a second to answer, and another to have scraped.
#[derive(Debug)]
pub struct Prometheus {
    _process: Server,
    port: u16,
    _directory: TempDir,
}

/// One element of a query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Prometheus {
    /// Scrapes `/metrics` of each target, like `127.0.0.1:8080`, and evaluates the rule files.
    pub async fn start(targets: &[&str], rule_files: &[PathBuf]) -> Self {
        Self::start_alerting(targets, rule_files, &[]).await
    }

    /// Sends its alerts to each Alertmanager as well, like `127.0.0.1:9093`.
    pub async fn start_alerting(
        targets: &[&str],
        rule_files: &[PathBuf],
        alertmanagers: &[&str],
    ) -> Self {
        let directory = Account::own().temporary_directory();
        Self::run(directory, &configure(targets, rule_files, alertmanagers), &[]).await
    }

    async fn run(directory: TempDir, configuration: &str, flags: &[&str]) -> Self {
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, configuration).expect("a new file");
        let port = free_port();
        let mut command = Account::own().server_command(&tools::debian("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.args(["--log.level=warn", "--rules.alert.resend-delay=2s"]);
        // A history may be older than the 15 days that are kept unless said.
        command.arg("--storage.tsdb.retention.time=10y").args(flags);
        let log = directory.path().join("log");
        let mut process = Server::start("Prometheus", command, &log);
        process.answers(&format!("http://127.0.0.1:{port}/-/ready"), LIMIT).await;
        Self { _process: process, port, _directory: directory }
    }

    /// Answers from a history, without a target: samples with their times in OpenMetrics' format,
    /// at most `step` apart in each series.
    pub async fn with_history(open_metrics: &str, step: Duration) -> Self {
        let directory = Account::own().temporary_directory();
        let [samples, data] = ["samples", "data"].map(|name| directory.path().join(name));
        std::fs::write(&samples, open_metrics).expect("a new file");
        let mut command = Account::own().command(&tools::debian("promtool"));
        // A hidden flag; without it a month becomes 360 blocks of two hours.
        command.args(["tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics"]);
        command.args([&samples, &data]);
        let made = run(command, LIMIT).await;
        assert!(made.success(), "{made:?}");
        let lookback = format!("--query.lookback-delta={}s", step.as_secs());
        Self::run(directory, &configure(&[], &[], &[]), &[&lookback]).await
    }

    /// Asks an instant query; panics with Prometheus' words when it is wrong.
    pub async fn query(&self, expression: &str) -> Vec<Sample> {
        let expression = encode(expression);
        let answer = self.api(&format!("query?query={expression}")).await;
        let result = answer["data"]["result"].as_array().expect("an instant vector").clone();
        result
            .iter()
            .map(|element| {
                let labels = element["metric"].as_object().expect("labels");
                let value = element["value"][1].as_str().expect("a sample");
                let text =
                    |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                Sample {
                    labels: labels
                        .iter()
                        .map(|(name, value)| (name.clone(), text(value)))
                        .collect(),
                    value: value.parse().expect("a number"),
                }
            })
            .collect()
    }

    /// Asks until the answer is accepted, and returns it.
    pub async fn query_until(
        &self,
        expression: &str,
        within: Duration,
        mut accept: impl FnMut(&[Sample]) -> bool,
    ) -> Vec<Sample> {
        wait_until(expression, within, async || {
            let samples = self.query(expression).await;
            accept(&samples).then_some(samples)
        })
        .await
    }

    /// Gets `/api/v1/PATH`, like `alerts`, `rules` or `targets`.
    pub async fn api(&self, path: &str) -> serde_json::Value {
        let answer = http::get(&format!("{}/api/v1/{path}", self.url())).await.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Runs `promtool check metrics` on the text of a scrape. It is not content with OpenMetrics.
pub async fn check_metrics(text: &str) -> Finished {
    let mut command = Account::own().command(&tools::debian("promtool"));
    command.args(["check", "metrics"]);
    run_with_input(command, text, LIMIT).await
}

/// Runs promtool, with `check rules FILE` or `test rules FILE` say. A test of rules over weeks takes it half a
/// minute where nothing else runs.
pub async fn promtool(arguments: &[&str]) -> Finished {
    let mut command = Account::own().command(&tools::debian("promtool"));
    command.args(arguments);
    run(command, LIMIT * 5).await
}

fn configure(targets: &[&str], rule_files: &[PathBuf], alertmanagers: &[&str]) -> String {
    let mut text = String::from("global: {scrape_interval: 1s, evaluation_interval: 1s}\n");
    writeln!(text, "rule_files: {rule_files:?}").expect("a String takes everything");
    writeln!(text, "alerting: {{alertmanagers: [static_configs: [targets: {alertmanagers:?}]]}}")
        .expect("a String takes everything");
    text.push_str("scrape_configs:\n  - job_name: test\n    static_configs:\n");
    writeln!(text, "      - targets: {targets:?}").expect("a String takes everything");
    text
}

/// Encodes everything but letters and digits, as RFC 3986 allows.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

/// It starts within seconds; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
