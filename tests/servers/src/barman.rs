//! The commands of barman-cloud against one archive: what writes every backup that we judge.
//!
//! They run as the user of PostgreSQL and with the settings that the Barman Cloud Plugin
//! recommends for S3-compatible stores.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::postgres::Postgres;
use crate::process::{Account, Finished, run};
use crate::tools;

/// An S3 server and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// One archive, as barman-cloud is told about it.
#[derive(Clone, Debug)]
pub struct Barman {
    pub endpoint: Endpoint,
    /// Like `s3://backups/cluster`.
    pub destination_path: String,
    pub server_name: String,
}

/// How an object is compressed. Base backups know neither `Xz` nor `Zstd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    #[default]
    None,
    Gzip,
    Bzip2,
    Xz,
    Snappy,
    Zstd,
    Lz4,
}

impl Codec {
    pub const ALL: [Self; 7] =
        [Self::None, Self::Gzip, Self::Bzip2, Self::Xz, Self::Snappy, Self::Zstd, Self::Lz4];
    pub const OF_BACKUPS: [Self; 5] =
        [Self::None, Self::Gzip, Self::Bzip2, Self::Snappy, Self::Lz4];

    /// What the compression adds to the name of an object (`ALLOWED_COMPRESSIONS` in
    /// `barman/cloud.py`, 3.19.1).
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
            Self::Snappy => ".snappy",
            Self::Zstd => ".zst",
            Self::Lz4 => ".lz4",
        }
    }

    fn option(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("--gzip"),
            Self::Bzip2 => Some("--bzip2"),
            Self::Xz => Some("--xz"),
            Self::Snappy => Some("--snappy"),
            Self::Zstd => Some("--zstd"),
            Self::Lz4 => Some("--lz4"),
        }
    }
}

/// How a base backup is taken.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    pub codec: Codec,
    pub jobs: u32,
    pub name: Option<String>,
    /// Like `1GB`: a larger backup is split into several archives.
    pub max_archive_size: Option<String>,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self { codec: Codec::default(), jobs: 2, name: None, max_archive_size: None }
    }
}

impl Barman {
    #[must_use]
    pub fn new(endpoint: Endpoint, destination_path: &str, server_name: &str) -> Self {
        Self {
            endpoint,
            destination_path: destination_path.to_owned(),
            server_name: server_name.to_owned(),
        }
    }

    /// Takes a base backup and returns its id.
    pub async fn backup(&self, server: &Postgres, options: &BackupOptions) -> String {
        self.try_backup(server, options).await.expect_success();
        let backups = self.backups().await;
        let newest = backups.iter().filter_map(|backup| backup["backup_id"].as_str()).max();
        newest.expect("the backup that was just taken").to_owned()
    }

    /// Takes a base backup, which may fail.
    pub async fn try_backup(&self, server: &Postgres, options: &BackupOptions) -> Finished {
        let mut command = self.command("barman-cloud-backup");
        command.args(options.codec.option());
        command.arg("--jobs").arg(options.jobs.to_string());
        if let Some(name) = &options.name {
            command.arg("--name").arg(name);
        }
        if let Some(size) = &options.max_archive_size {
            command.arg("--max-archive-size").arg(size);
        }
        command.arg("--immediate-checkpoint");
        command.args(server.connection_options());
        self.run(command, &[]).await
    }

    /// Lists the base backups as barman-cloud prints them in JSON.
    pub async fn backups(&self) -> Vec<serde_json::Value> {
        let mut command = self.command("barman-cloud-backup-list");
        command.args(["--format", "json"]);
        let listed = self.run(command, &[]).await.expect_success();
        let mut listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        serde_json::from_value(listed["backups_list"].take()).expect("a list of backups")
    }

    /// Archives one file, which must be readable for the user of PostgreSQL.
    pub async fn archive_wal(&self, codec: Codec, file: &Path) -> Finished {
        let mut command = self.command("barman-cloud-wal-archive");
        command.args(codec.option());
        self.run(command, &[text(file)]).await
    }

    /// Fetches one WAL file, with a spool directory beside the file.
    pub async fn restore_wal(&self, name: &str, file: &Path) -> Finished {
        let spool = file.with_extension("spool");
        let mut command = self.command("barman-cloud-wal-restore");
        command.arg("--spool-dir").arg(spool);
        self.run(command, &[name, text(file)]).await
    }

    /// Restores a base backup into a new directory. Relocations are like `name:/new/location`.
    pub async fn restore(&self, backup_id: &str, data: &Path, relocations: &[String]) -> Finished {
        let mut command = self.command("barman-cloud-restore");
        for relocation in relocations {
            command.arg("--tablespace").arg(relocation);
        }
        self.run(command, &[backup_id, text(data)]).await
    }

    /// Deletes one base backup, and the WAL that no other one needs.
    pub async fn delete(&self, backup_id: &str) -> Finished {
        let mut command = self.command("barman-cloud-backup-delete");
        command.args(["--backup-id", backup_id]);
        self.run(command, &[]).await
    }

    /// Deletes what a policy like `RECOVERY WINDOW OF 7 DAYS` makes obsolete.
    pub async fn delete_obsolete(&self, retention_policy: &str) -> Finished {
        let mut command = self.command("barman-cloud-backup-delete");
        command.args(["--retention-policy", retention_policy]);
        self.run(command, &[]).await
    }

    /// A barman-cloud program with the options for the store, for what has no method here. What
    /// [`Self::run`] adds are the archive and further arguments.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Account::unprivileged().command(&tools::python(program));
        command.envs(self.environment());
        command.args(["--cloud-provider", "aws-s3", "--endpoint-url", &self.endpoint.url]);
        command
    }

    /// Completes a command line with the archive and what comes after it, and runs it.
    pub async fn run(&self, mut command: Command, arguments: &[&str]) -> Finished {
        command.args([&self.destination_path, &self.server_name]).args(arguments);
        run(command, LIMIT).await
    }

    /// PostgreSQL's `archive_command`.
    #[must_use]
    pub fn archive_command(&self, codec: Codec) -> String {
        self.shell_line("barman-cloud-wal-archive", codec.option(), "%p")
    }

    /// PostgreSQL's `restore_command`.
    #[must_use]
    pub fn restore_command(&self, spool: &Path) -> String {
        let spool = format!("--spool-dir {}", spool.display());
        self.shell_line("barman-cloud-wal-restore", Some(&spool), "%f %p")
    }

    /// What the commands are told by their environment: credentials, and no checksums that an
    /// S3-compatible store may not know.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 8] {
        [
            ("AWS_ACCESS_KEY_ID", self.endpoint.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.endpoint.secret_access_key.clone()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required".to_owned()),
            ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required".to_owned()),
        ]
    }

    /// None of the words needs quotes: they are our own names and paths of temporary files.
    fn shell_line(&self, program: &str, option: Option<&str>, arguments: &str) -> String {
        let program = tools::python(program);
        let Self { endpoint, destination_path, server_name } = self;
        format!(
            "{} --cloud-provider aws-s3 --endpoint-url {} {} {destination_path} {server_name} \
             {arguments}",
            program.display(),
            endpoint.url,
            option.unwrap_or_default(),
        )
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are ASCII")
}

/// A small backup takes seconds, one of a bench minutes; the rest is for a machine that does other things
/// as well.
const LIMIT: Duration = Duration::from_mins(10);
