//! PostgreSQL servers in temporary directories: primaries that archive, standbys, and servers that
//! were recovered from an archive.
//!
//! They listen on loopback and on a Unix socket in their own directory. Durability against a crash
//! of the machine is switched off; what they write is the same.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use crate::barman::{Barman, Codec};
use crate::process::{
    Account, Finished, Server, Signal, accepts_connections, free_port, run, wait_until,
};
use crate::tools;

/// A running or stopped server with its own data directory.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Server>,
    account: Account,
    release: Release,
    port: u16,
    environment: Vec<(&'static str, String)>,
    /// Removed after the server has ended: fields are dropped in this order.
    directory: TempDir,
}

/// Which version of PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// 15, of Debian 12.
    #[default]
    Debian,
    /// 18, of a Python package.
    Newer,
}

impl Release {
    /// One of its programs, like `initdb`.
    #[must_use]
    pub fn program(self, name: &str) -> PathBuf {
        match self {
            Self::Debian => tools::postgres(name),
            Self::Newer => tools::newer_postgres(name),
        }
    }
}

/// How a new server is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub release: Release,
    /// `None`: `archive_mode` is off.
    pub archive: Option<Archive>,
    /// In MiB; `None`: PostgreSQL's default of 16.
    pub wal_segment_size: Option<u32>,
    /// Of all databases, with the locale `C`; `None`: UTF-8.
    pub encoding: Option<String>,
    /// Further lines of `postgresql.conf`, which win over ours.
    pub settings: Vec<(String, String)>,
}

impl Options {
    #[must_use]
    pub fn archiving(barman: &Barman, codec: Codec) -> Self {
        let archive = Archive { barman: barman.clone(), codec };
        Self { archive: Some(archive), ..Self::default() }
    }

    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Where a server archives its WAL to.
#[derive(Clone, Debug)]
pub struct Archive {
    pub barman: Barman,
    pub codec: Codec,
}

/// What a recovery starts from and where it ends.
#[derive(Clone, Debug)]
pub struct Recovery<'a> {
    pub barman: &'a Barman,
    pub backup_id: &'a str,
    /// Settings like `recovery_target_time`; none: to the end of the archive, newest timeline.
    pub target: &'a [(&'a str, &'a str)],
}

/// How a server is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Waits for the archiver, as `systemctl stop` does.
    Fast,
    /// Like a crash: the next start recovers.
    Immediate,
}

impl Postgres {
    /// Makes and starts a primary with data checksums.
    pub async fn start(options: &Options) -> Self {
        let mut server = Self::empty(options.release);
        let mut initdb = server.command("initdb");
        initdb.args(["--data-checksums", "--no-sync", "--auth=trust", "--username=postgres"]);
        if let Some(size) = options.wal_segment_size {
            initdb.arg(format!("--wal-segsize={size}"));
        }
        if let Some(encoding) = &options.encoding {
            initdb.args(["--locale=C", &format!("--encoding={encoding}")]);
        }
        initdb.arg("--pgdata").arg(server.data());
        run(initdb, LIMIT).await.expect_success();
        server.configure(options);
        server.resume().await;
        server
    }

    /// Makes a streaming standby of this server and starts it.
    ///
    /// It has the primary's settings: with `archive_mode` `on` it archives once it is promoted.
    pub async fn standby(&self) -> Self {
        let mut standby = Self::empty(self.release);
        standby.environment.clone_from(&self.environment);
        let mut copy = self.command("pg_basebackup");
        copy.args(self.connection_options());
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]);
        copy.args(["--no-sync", "--no-password", "--pgdata"]).arg(standby.data());
        run(copy, LIMIT).await.expect_success();
        standby.resume().await;
        standby
    }

    /// Restores a base backup and recovers it from the archive; returns the promoted server.
    ///
    /// Panics with the server's log when the recovery fails.
    pub async fn recover(recovery: &Recovery<'_>, options: &Options) -> Self {
        let mut server = Self::restore(recovery, options).await;
        server.resume().await;
        wait_until("the end of the recovery", RECOVERY_LIMIT, async || {
            let promoted = server.sql("SELECT NOT pg_is_in_recovery()").await == "t";
            promoted.then_some(())
        })
        .await;
        server
    }

    /// Recovers a base backup for which that is known to fail, and returns the server's log.
    pub async fn recover_in_vain(recovery: &Recovery<'_>, options: &Options) -> String {
        let mut server = Self::restore(recovery, options).await;
        let mut process = server.launch();
        wait_until("the end of the server", LIMIT, async || (!process.is_running()).then_some(()))
            .await;
        server.log()
    }

    /// Restores a base backup and gets it ready to be recovered, without beginning that. Else what
    /// barman-cloud said.
    pub async fn try_restore(recovery: &Recovery<'_>, options: &Options) -> Result<Self, Finished> {
        Self::try_restore_into(recovery, options, |_| Vec::new()).await
    }

    /// The same, after something was done to the empty server; the answer is where its tablespaces go, each
    /// as `NAME:DIRECTORY`.
    pub async fn try_restore_into(
        recovery: &Recovery<'_>,
        options: &Options,
        prepare: impl FnOnce(&Self) -> Vec<String>,
    ) -> Result<Self, Finished> {
        let server = Self::empty(options.release);
        let Recovery { barman, backup_id, .. } = recovery;
        let relocations = prepare(&server);
        let restored = barman.restore(backup_id, &server.data(), &relocations).await;
        if !restored.success() {
            return Err(restored);
        }
        Ok(server.set_up(recovery, options))
    }

    /// Begins what [`Self::try_restore`] got ready, and waits for nothing.
    pub fn begin(&mut self) {
        self.process = Some(self.launch());
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Server::is_running)
    }

    /// Whether it answers, and has left recovery.
    pub async fn is_promoted(&self) -> bool {
        let asked = self.try_sql("SELECT NOT pg_is_in_recovery()").await;
        asked.success() && asked.stdout.trim_end() == "t"
    }

    /// Runs SQL as superuser and returns the rows, unaligned, without a header.
    pub async fn sql(&self, statement: &str) -> String {
        self.try_sql(statement).await.expect_success().trim_end().to_owned()
    }

    /// The same in another database than `postgres`.
    pub async fn sql_in(&self, database: &str, statement: &str) -> String {
        let asked = self.try_sql_in(database, statement).await;
        asked.expect_success().trim_end().to_owned()
    }

    /// Runs SQL that may fail.
    pub async fn try_sql(&self, statement: &str) -> Finished {
        self.try_sql_in("postgres", statement).await
    }

    async fn try_sql_in(&self, database: &str, statement: &str) -> Finished {
        let mut psql = self.command("psql");
        psql.args(self.connection_options());
        psql.args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--dbname", database, "--command", statement]);
        run(psql, LIMIT).await
    }

    /// Completes the current segment, also when nothing was written since the last one, and
    /// returns its name.
    pub async fn switch_wal(&self) -> String {
        self.sql("SELECT pg_logical_emit_message(false, 'test', 'so that there is one')").await;
        self.sql("SELECT pg_walfile_name(pg_switch_wal())").await
    }

    /// Waits until the archiver has archived this file.
    pub async fn wait_archived(&self, file: &str) {
        // The archiver takes history files first, then the rest in the order of names.
        let archived = format!(
            "SELECT coalesce(last_archived_wal COLLATE \"C\" >= '{file}', false) \
             FROM pg_stat_archiver"
        );
        let archived = wait_until("the archiver", 2 * LIMIT, async || {
            (self.sql(&archived).await == "t").then_some(())
        });
        let ended = timeout(LIMIT, archived).await;
        assert!(ended.is_ok(), "{file} is not archived:\n{}", self.log());
    }

    /// Completes and archives a number of segments, and returns their names.
    pub async fn archive_segments(&self, count: usize) -> Vec<String> {
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            names.push(self.switch_wal().await);
        }
        if let Some(last) = names.last() {
            self.wait_archived(last).await;
        }
        names
    }

    /// Makes a standby a primary on a new timeline.
    pub async fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote(wait => true)").await, "t", "{}", self.log());
    }

    /// Shuts the server down; [`Self::resume`] starts it again.
    pub async fn stop(&mut self, shutdown: Shutdown) {
        let signal = match shutdown {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
        };
        if let Some(mut process) = self.process.take() {
            process.stop(signal, LIMIT).await;
        }
    }

    /// Starts a stopped server, and waits until it answers queries.
    pub async fn resume(&mut self) {
        let mut process = self.launch();
        let answers = || {
            let mut ready = self.command("pg_isready");
            ready.args(["--quiet"]).args(self.connection_options());
            ready
        };
        process
            .ready(LIMIT, async || {
                accepts_connections(self.port) && run(answers(), LIMIT).await.success()
            })
            .await;
        self.process = Some(process);
    }

    pub async fn restart(&mut self) {
        self.stop(Shutdown::Fast).await;
        self.resume().await;
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Everything that the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new directory of the server's user, for a tablespace say.
    #[must_use]
    pub fn new_directory(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        self.account.create_directory(&path);
        path
    }

    /// How the programs of PostgreSQL and barman-cloud find the server.
    #[must_use]
    pub fn connection_options(&self) -> [String; 6] {
        let socket = self.directory.path().display().to_string();
        ["-h".into(), socket, "-p".into(), self.port.to_string(), "-U".into(), "postgres".into()]
    }

    /// A program of PostgreSQL, run by the server's user.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.account.command(&self.release.program(program))
    }

    fn empty(release: Release) -> Self {
        let account = Account::unprivileged();
        let directory = account.temporary_directory();
        let (process, port, environment) = (None, free_port(), Vec::new());
        Self { process, account, release, port, environment, directory }
    }

    async fn restore(recovery: &Recovery<'_>, options: &Options) -> Self {
        let server = Self::empty(options.release);
        let Recovery { barman, backup_id, .. } = recovery;
        barman.restore(backup_id, &server.data(), &[]).await.expect_success();
        server.set_up(recovery, options)
    }

    fn set_up(mut self, recovery: &Recovery<'_>, options: &Options) -> Self {
        let server = &mut self;
        let Recovery { barman, target, .. } = recovery;
        set_owner_only(&server.data());
        let spool = server.new_directory("spool");
        let mut options = options.clone();
        options.settings.push(("restore_command".to_owned(), barman.restore_command(&spool)));
        options.settings.push(("recovery_target_action".to_owned(), "promote".to_owned()));
        options.settings.extend(target.iter().map(|(name, value)| {
            let (name, value) = (*name, *value);
            (name.to_owned(), value.to_owned())
        }));
        server.environment.extend(barman.environment());
        server.configure(&options);
        let signal = server.data().join("recovery.signal");
        std::fs::write(&signal, "").expect("the data directory");
        server.account.give(&signal);
        self
    }

    /// Appends to `postgresql.conf`, where the last line of a setting counts.
    fn configure(&mut self, options: &Options) {
        let mut settings: Vec<(String, String)> =
            SETTINGS.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        if let Some(Archive { barman, codec }) = &options.archive {
            settings.push(("archive_mode".into(), "on".into()));
            settings.push(("archive_command".into(), barman.archive_command(*codec)));
            self.environment.extend(barman.environment());
        }
        settings.extend(options.settings.iter().cloned());
        let file = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&file).expect("postgresql.conf");
        for (name, value) in settings {
            let value = value.replace('\'', "''");
            writeln!(text, "{name} = '{value}'").expect("a String takes everything");
        }
        std::fs::write(&file, text).expect("postgresql.conf");
    }

    fn launch(&mut self) -> Server {
        let mut command = self.account.server_command(&self.release.program("postgres"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.arg("-p").arg(self.port.to_string());
        Server::start("PostgreSQL", command, &self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// PostgreSQL refuses a data directory that others may enter.
fn set_owner_only(directory: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(directory, mode)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
}

/// Our settings: small, quiet, and off where a recovered server would go on as the old one did.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", "127.0.0.1"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("fsync", "off"),
    ("shared_buffers", "16MB"),
    ("max_wal_senders", "4"),
    ("wal_log_hints", "on"),
    ("autovacuum", "off"),
    ("archive_mode", "off"),
];

/// For one step of a server: each takes seconds, on a busy machine tens of them.
const LIMIT: Duration = Duration::from_secs(120);

/// A bench replays hundreds of segments, for each of which barman-cloud starts a Python.
const RECOVERY_LIMIT: Duration = Duration::from_mins(30);
