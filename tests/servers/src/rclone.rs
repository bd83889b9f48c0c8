//! An S3 server by other people: `rclone serve s3` over a directory.
//!
//! A bucket is a directory and an object a file in it, so a test can look at what was stored and
//! take a file away behind everybody's back. The server notices within a second.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::barman::Endpoint;
use crate::process::{Account, Server, Signal, accepts_connections, free_port};
use crate::tools;

/// A server with one access key.
#[derive(Debug)]
pub struct Rclone {
    process: Option<Server>,
    port: u16,
    access_key_id: String,
    secret_access_key: String,
    directory: TempDir,
}

impl Rclone {
    /// Starts a server with no buckets.
    pub async fn start() -> Self {
        let directory = Account::own().temporary_directory();
        std::fs::create_dir(directory.path().join("buckets")).expect("a new directory");
        let mut server = Self {
            process: None,
            port: free_port(),
            access_key_id: "test-access-key".to_owned(),
            secret_access_key: "test-secret-key".to_owned(),
            directory,
        };
        server.resume().await;
        server
    }

    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: format!("http://127.0.0.1:{}", self.port),
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
        }
    }

    /// Makes a bucket. Its name needs three characters or more.
    pub fn create_bucket(&self, bucket: &str) {
        std::fs::create_dir(self.path(bucket, "")).expect("a new bucket");
    }

    /// The file of an object, whether it exists or not.
    #[must_use]
    pub fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.directory.path().join("buckets").join(bucket).join(key)
    }

    /// Takes an object away without asking the server.
    pub fn delete(&self, bucket: &str, key: &str) {
        let file = self.path(bucket, key);
        std::fs::remove_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// The keys of all objects, in byte order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.path(bucket, "");
        let mut keys: Vec<String> = files_below(&root)
            .iter()
            .map(|file| file.strip_prefix(&root).expect("below the root").display().to_string())
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Goes on with another secret under the same address: everybody who has the old one is
    /// refused from now on.
    pub async fn change_secret(&mut self, secret_access_key: &str) {
        self.stop().await;
        secret_access_key.clone_into(&mut self.secret_access_key);
        self.resume().await;
    }

    /// Ends the server: its port refuses connections until [`Self::resume`].
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, LIMIT).await;
        }
    }

    /// Starts a stopped server at the same address.
    pub async fn resume(&mut self) {
        let mut command = Account::own().server_command(&tools::python("rclone"));
        // Without a configuration file, and with the modification times of files as they are.
        command.args(["--config", "", "serve", "s3", "--dir-cache-time", "1s"]);
        command.args(["--addr", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--auth-key", &format!("{},{}", self.access_key_id, self.secret_access_key)]);
        command.arg(self.directory.path().join("buckets"));
        let mut process = Server::start("rclone", command, &self.directory.path().join("log"));
        process.ready(LIMIT, async || accepts_connections(self.port)).await;
        self.process = Some(process);
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// It starts and ends in a fraction of a second; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
