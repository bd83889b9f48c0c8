//! Hard cases made by the real tools. Each is answered in kind as the scenario file of the same
//! name: verdict, backups, windows, gaps and findings.

mod answer;
mod content;
mod damage;
mod deliveries;
mod failed_backups;
mod forks;
mod hostile;
mod one_primary;
mod restored;
mod segment_sizes;
mod shadowed;
mod standbys;
mod tails;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Postgres;
use test_servers::process::run;
use test_servers::process::wait_until;
use test_servers::rclone::Rclone;

use crate::real_archives::answer::Answer;

const BUCKET: &str = "backups";

/// An archive in a bucket of rclone's server, and so in a directory.
struct Archive {
    barman: Barman,
    folder: PathBuf,
}

impl Archive {
    fn new(s3: &Rclone, server_name: &str) -> Self {
        Self {
            barman: Barman::new(s3.endpoint(), &format!("s3://{BUCKET}"), server_name),
            folder: s3.path(BUCKET, server_name),
        }
    }

    /// A base backup, compressed with bzip2.
    async fn backup(&self, server: &Postgres) -> String {
        self.barman.backup(server, &bzip2()).await
    }

    /// Makes a server archive into this one from now on, and returns the first segment here.
    async fn receive(&self, server: &Postgres, codec: Codec) -> String {
        let command = self.barman.archive_command(codec).replace('\'', "''");
        server.sql(&format!("ALTER SYSTEM SET archive_command = '{command}'")).await;
        server.sql("SELECT pg_reload_conf()").await;
        // The archiver may have begun with a segment before it reads the new command.
        for _ in 0..20 {
            let name = server.archive_segments(1).await.remove(0);
            if self.segment(&name, codec).exists() {
                return name;
            }
        }
        panic!("nothing arrives in {}:\n{}", self.folder.display(), server.log());
    }

    fn segment(&self, name: &str, codec: Codec) -> PathBuf {
        self.folder.join(format!("wals/{}/{name}{}", &name[..16], codec.suffix()))
    }

    fn backup_file(&self, id: &str, name: &str) -> PathBuf {
        self.folder.join(format!("base/{id}/{name}"))
    }

    /// A copy, with all times, that can be spoiled.
    async fn copy(&self, name: &str) -> Self {
        let folder = self.folder.with_file_name(name);
        let mut command = Command::new("/bin/cp");
        command.arg("-a").arg(&self.folder).arg(&folder);
        run(command, Duration::from_secs(60)).await.expect_success();
        let barman = Barman { server_name: name.to_owned(), ..self.barman.clone() };
        Self { barman, folder }
    }

    /// Until the store shows a copy.
    async fn wait_for_backup(&self, id: &str) {
        wait_until("the copy", Duration::from_secs(60), async || {
            let backups = self.barman.backups().await;
            backups.iter().any(|it| it["backup_id"] == id).then_some(())
        })
        .await;
    }

    async fn answers_as(&self, scenario: &str, arguments: &[&str]) {
        let found = Answer::of_directory(&self.folder, arguments).await;
        found.expect(scenario);
    }
}

/// Some work that ends in an archived segment with a commit, several times; their names.
async fn write(server: &Postgres, segments: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..segments {
        server.sql("CREATE TABLE IF NOT EXISTS ticks (at timestamptz DEFAULT now())").await;
        server.sql("INSERT INTO ticks DEFAULT VALUES").await;
        names.extend(server.archive_segments(1).await);
    }
    names
}

fn bzip2() -> BackupOptions {
    BackupOptions { codec: Codec::Bzip2, ..BackupOptions::default() }
}

fn remove(file: &Path) {
    std::fs::remove_file(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
