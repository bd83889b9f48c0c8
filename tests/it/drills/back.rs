//! From a machine where a cluster was restored back into CloudNativePG, by the ways of the runbook:
//! `restore-a-cluster`. What it tells people to write is taken from there.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use test_servers::barman::BackupOptions;
use test_servers::barman::Barman;
use test_servers::barman::Codec;
use test_servers::postgres::Options;
use test_servers::postgres::Postgres;
use test_servers::postgres::Release;
use test_servers::process::Account;
use test_servers::process::Server;
use test_servers::process::Signal;
use test_servers::process::free_port;
use test_servers::process::run;
use test_servers::rclone::Rclone;

use crate::drills::LIMIT;
use crate::drills::kept::ask;
use crate::program::of_archive;

const RUNBOOK: &str = include_str!("../../../docs/runbooks/restore-a-cluster.md");

/// A restored server that runs as the runbook says.
struct Restored {
    folder: TempDir,
    account: Account,
    server: Server,
    port: String,
}

/// The lines of the runbook's block in this language.
fn block(language: &str) -> String {
    let (_, rest) = RUNBOOK.split_once(&format!("```{language}\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block.lines().map(|line| format!("{}\n", line.trim())).collect()
}

fn append(file: &Path, text: &str) {
    let before = fs::read_to_string(file).unwrap();
    fs::write(file, before + text).unwrap();
}

impl Restored {
    async fn start() -> Self {
        let s3 = Rclone::start().await;
        s3.create_bucket("backups");
        let barman = Barman::new(s3.endpoint(), "s3://backups/cluster", "main");
        let primary = Postgres::start(&Options::archiving(&barman, Codec::Gzip)).await;
        primary.sql("CREATE ROLE app LOGIN").await;
        primary.sql("CREATE DATABASE app OWNER app").await;
        primary.sql_in("app", "CREATE TABLE orders (n int); ALTER TABLE orders OWNER TO app").await;
        barman.backup(&primary, &BackupOptions::default()).await;
        primary.sql_in("app", "INSERT INTO orders SELECT generate_series(1, 1000)").await;
        primary.archive_segments(1).await;
        drop(primary);
        let account = Account::unprivileged();
        let folder = account.temporary_directory();
        let data = folder.path().join("restored");
        let mut restore = of_archive("restore", &barman, &["--to-dir"]);
        restore.arg(&data);
        run(restore, LIMIT).await.expect_success();

        // Everybody is this machine here.
        append(&data.join("postgresql.conf"), &block("ini").replace("'*'", "'127.0.0.1'"));
        append(&data.join("pg_hba.conf"), &block("text").replace("10.0.0.0/8", "127.0.0.1/32"));
        let port = free_port().to_string();
        let mut command = account.server_command(&Release::Debian.program("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port]);
        let mut server = Server::start("the restored server", command, &folder.path().join("log"));
        let socket = data.display().to_string();
        server
            .ready(LIMIT, async || {
                let mut ready = account.command(&Release::Debian.program("pg_isready"));
                ready.args(["-h", &socket, "-p", &port]);
                run(ready, LIMIT).await.success()
            })
            .await;
        let mut password = account.command(&Release::Debian.program("psql"));
        password.args(["-h", &socket, "-p", &port, "-U", "postgres", "-c"]);
        password.arg("ALTER ROLE postgres PASSWORD 'secret'");
        run(password, LIMIT).await.expect_success();
        Self { folder, account, server, port }
    }

    /// A program that reaches it over the network, as CloudNativePG does.
    fn command(&self, program: &Path) -> Command {
        let mut command = self.account.command(program);
        command.env("PGPASSWORD", "secret").env("PGHOST", "127.0.0.1").env("PGPORT", &self.port);
        command.env("PGUSER", "postgres");
        command
    }

    async fn stop(&mut self) {
        self.server.stop(Signal::INT, LIMIT).await;
    }
}

const COUNT: &str = "SELECT count(*) FROM orders";

#[tokio::test]
async fn a_restored_cluster_goes_elsewhere_as_the_runbook_says() {
    let mut restored = Restored::start().await;

    // A dump of everything, which any later version reads.
    let dump = restored.folder.path().join("restored.sql");
    let mut dumped = restored.command(&Release::Debian.program("pg_dumpall"));
    dumped.arg("--file").arg(&dump);
    run(dumped, LIMIT).await.expect_success();
    let options = Options { release: Release::Newer, ..Options::default() };
    let newer = Postgres::start(&options).await;
    let mut load = newer.command("psql");
    load.args(newer.connection_options()).args(["--quiet", "--dbname", "postgres", "--file"]);
    let loaded = run(
        {
            load.arg(&dump);
            load
        },
        LIMIT,
    )
    .await;
    let complaints: Vec<&str> =
        loaded.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(loaded.success(), "{loaded:#?}");
    assert!(matches!(&complaints[..], [one] if one.ends_with("role \"postgres\" already exists")));
    assert_eq!(newer.sql_in("app", COUNT).await, "1000");
    drop(newer);

    // `bootstrap.initdb.import`: one database by the programs of the new version.
    let newer = Postgres::start(&options).await;
    let archive = restored.folder.path().join("app.dump");
    let mut dumped = restored.command(&Release::Newer.program("pg_dump"));
    dumped.args(["-Fd", "-d", "app", "-f"]).arg(&archive);
    run(dumped, LIMIT).await.expect_success();
    newer.sql("CREATE DATABASE app").await;
    let mut load = newer.command("pg_restore");
    load.args(newer.connection_options()).args(["--no-owner", "--no-privileges", "-d", "app"]);
    run(
        {
            load.arg(&archive);
            load
        },
        LIMIT,
    )
    .await
    .expect_success();
    assert_eq!(newer.sql_in("app", COUNT).await, "1000");
    drop(newer);

    // `bootstrap.pg_basebackup`, with the log streamed beside it through a slot.
    let copy = restored.folder.path().join("copy");
    let mut copied = restored.command(&Release::Debian.program("pg_basebackup"));
    copied.arg("-D").arg(&copy).args(["-v", "-w", "-d", "dbname=postgres sslmode=prefer"]);
    run(copied, LIMIT).await.expect_success();
    let rows = "SELECT count(*) FROM pg_database WHERE datname = 'app'";
    restored.stop().await;
    // The copy has the settings of the restored server, with the port of its own that it is given.
    assert_eq!(ask(Release::Debian, &copy, rows).await, "1");
}
