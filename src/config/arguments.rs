//! The flags that settings and archives are named by, as the user wrote them.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use crate::domain::cluster::DrillKind;
use crate::domain::depth::Depth;

#[derive(Args, Clone, Debug, Default)]
pub struct RunArguments {
    #[command(flatten)]
    pub(super) file: FileArguments,
    /// Address and port of the metrics and the status page [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct CheckArguments {
    #[command(flatten)]
    pub(super) file: FileArguments,
    /// How the result is printed on stdout
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Output,
    /// How much is read
    #[arg(long, value_enum, default_value_t)]
    pub(super) depth: DepthChoice,
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
    #[command(flatten)]
    pub(super) expectations: ExpectationArguments,
}

#[derive(Args, Clone, Debug, Default)]
pub struct RestorePlanArguments {
    #[command(flatten)]
    pub(super) file: FileArguments,
    #[command(flatten)]
    pub(super) target: TargetArguments,
    #[arg(long, conflicts_with = "output")]
    #[arg(
        help = "Print Secret, ObjectStore and Cluster, for a Kubernetes that knows nothing about \
                the source"
    )]
    pub(super) bundle: bool,
    /// How the plan is printed on stdout
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: PlanOutput,
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
    #[command(flatten)]
    pub(super) expectations: ExpectationArguments,
}

/// What is restored.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct TargetArguments {
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help = "The moment to restore to, such as 2026-08-20T10:30:00Z, '2 hours ago' or \
          latest [default: latest, or with --backup that backup's own end]"
    )]
    pub(super) to: Option<String>,
    /// From this backup, by its identifier or its name
    #[arg(long, value_name = "ID")]
    pub(super) backup: Option<String>,
    /// On this timeline, such as one that the archive left
    #[arg(long, value_name = "NUMBER")]
    pub(super) timeline: Option<String>,
    /// The state after a position in the log, such as 0/3000060
    #[arg(long, value_name = "LSN", conflicts_with = "to")]
    pub(super) lsn: Option<String>,
    /// The state at a restore point, by the name that it was given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["to", "lsn"])]
    pub(super) name: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct RestoreArguments {
    /// Becomes the data directory; must not be there yet, or be empty
    #[arg(long, value_name = "DIR")]
    pub(super) to_dir: PathBuf,
    #[arg(long, value_name = "NAME=DIR")]
    #[arg(help = "Where a tablespace goes, by its name or number; must not be there yet, or be \
                  empty [default: below DIR-tablespaces]")]
    pub(super) tablespace: Vec<String>,
    /// Leave what was written where a restore comes to nothing
    #[arg(long)]
    pub(super) no_clean: bool,
    #[command(flatten)]
    pub(super) file: FileArguments,
    #[command(flatten)]
    pub(super) target: TargetArguments,
    #[command(flatten)]
    pub(super) server: ServerArguments,
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
}

#[derive(Args, Clone, Debug, Default)]
pub struct DrillArguments {
    /// What is restored: a moment drawn from what can be restored, or the newest state
    #[arg(long, value_enum, default_value_t)]
    pub(super) kind: DrillKindChoice,
    /// By PostgreSQL's programs on this machine, in a directory of its own below DIR
    #[arg(long, value_name = "DIR")]
    pub(super) local: Option<PathBuf>,
    /// Ends a drill that takes longer, and says so [default: 12h]
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<String>,
    /// Draws the same moment again
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<String>,
    #[arg(long, requires = "local", help = "Read all data with pg_dumpall as well")]
    pub(super) dump: bool,
    #[arg(long, requires = "local", help = "Check tables and indexes with pg_amcheck as well")]
    pub(super) amcheck: bool,
    /// How the result is printed on stdout
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: DrillOutput,
    #[command(flatten)]
    pub(super) file: FileArguments,
    #[command(flatten)]
    pub(super) operator: OperatorArguments,
    #[command(flatten)]
    pub(super) server: ServerArguments,
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
}

/// How CloudNativePG restores, where nothing is restored on this machine.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Through CloudNativePG (without --local)")]
pub(super) struct OperatorArguments {
    /// Print the Cluster that would be created, and do nothing
    #[arg(long, conflicts_with = "local")]
    pub(super) plan: bool,
    #[arg(long, value_name = "URL", conflicts_with_all = ["local", "archive", "cluster", "seed"])]
    #[arg(help = "Address of the daemon, which names the drill that is due, such as \
                  http://cnpg-backup-verifier.databases:8080")]
    pub(super) daemon: Option<String>,
    /// Where the Cluster is created [default: that of the configuration, else the current one]
    #[arg(long, value_name = "NS", conflicts_with = "local")]
    pub(super) drill_namespace: Option<String>,
}

/// The server that a restore starts on this machine.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "PostgreSQL on this machine")]
pub(super) struct ServerArguments {
    /// The directory of its programs [default: found by version where packages put them]
    #[arg(long, value_name = "DIR")]
    pub(super) postgres: Option<PathBuf>,
    /// As whom it runs where this program runs as root [default: postgres]
    #[arg(long, value_name = "USER")]
    pub(super) run_as: Option<String>,
    /// Its superuser in the database [default: postgres]
    #[arg(long, value_name = "ROLE")]
    pub(super) role: Option<String>,
    #[arg(long, value_name = "NAME=VALUE")]
    #[arg(help = "A parameter to start it with, such as shared_preload_libraries=timescaledb")]
    pub(super) set: Vec<String>,
}

/// What `wal-restore` is told by the server that asks for a file.
#[derive(Args, Clone, Debug)]
pub struct WalRestoreArguments {
    /// Where the restore listens that started the server
    #[arg(value_name = "SOCKET")]
    pub socket: PathBuf,
    /// The name of the file (`%f`)
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where it goes, below the data directory (`%p`)
    #[arg(value_name = "PATH")]
    pub path: String,
}

/// What the daemon tells the pods of its Jobs.
#[derive(Args, Clone, Debug)]
pub struct ReadBackupArguments {
    #[arg(long, value_name = "ADDRESS", help = "s3://BUCKET/PREFIX/SERVER_NAME")]
    pub(super) archive: String,
    /// Where the S3 store answers, if it is not AWS
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Region of the S3 store
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// The identifier of the backup, such as 20260801T020000
    #[arg(long, value_name = "ID")]
    pub(super) backup: String,
    /// What the result begins with, so that it is known for whom it is
    #[arg(long, value_name = "KEY")]
    pub(super) key: String,
    /// The file that the result is written to
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    pub(super) result: PathBuf,
}

#[derive(Args, Clone, Debug, Default)]
pub struct ArchivesArguments {
    #[command(flatten)]
    pub(super) file: FileArguments,
    #[arg(long, value_name = "ADDRESS")]
    #[arg(help = "s3://BUCKET/PREFIX or file:///DIRECTORY, the folder that holds those of the \
                  servers")]
    pub(super) at: String,
    /// Where the S3 store answers, if it is not AWS
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Region of the S3 store [default: auto]
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// Check each, and print that instead of the addresses
    #[arg(long)]
    pub(super) check: bool,
    /// How the result of --check is printed on stdout
    #[arg(short, long, value_enum, default_value_t, requires = "check")]
    pub(super) output: Output,
}

#[derive(Args, Clone, Debug, Default)]
pub(super) struct FileArguments {
    /// Configuration in YAML
    #[arg(long, value_name = "FILE", env = "CNPG_BACKUP_VERIFIER_CONFIG")]
    #[arg(hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
}

/// Which archives are meant; all of the configuration where nothing is said.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which archives (if none is named: all in the configuration)")]
pub(super) struct SelectionArguments {
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["namespace", "cluster"])]
    #[arg(help = "s3://BUCKET/PREFIX/SERVER_NAME or file:///DIRECTORY/SERVER_NAME; the \
                  configuration then only supplies credentials")]
    pub(super) archive: Option<String>,
    /// Where the S3 store answers, if it is not AWS
    #[arg(long, value_name = "URL", requires = "archive")]
    pub(super) endpoint_url: Option<String>,
    /// Region of the S3 store [default: auto]
    #[arg(long, value_name = "REGION", requires = "archive")]
    pub(super) region: Option<String>,
    /// Namespace of the Cluster; without a cluster all that are in it
    #[arg(short, long, value_name = "NS")]
    pub(super) namespace: Option<String>,
    /// Name of the Cluster
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub(super) cluster: Option<String>,
    /// How many WAL segments are opened at most, to find transactions and borders [default: 1024]
    #[arg(long, value_name = "COUNT")]
    pub(super) segments_per_look: Option<String>,
}

/// What the archives are held to; wins over the configuration.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Expectations (these win over the configuration; --archive has no \
                               others)")]
pub(super) struct ExpectationArguments {
    /// How old the newest WAL may be, such as 15m
    #[arg(long, value_name = "DURATION")]
    pub(super) wal_max_age: Option<String>,
    /// How old the newest usable base backup may be, such as 26h; auto: as the schedule says
    #[arg(long, value_name = "DURATION")]
    pub(super) base_backup_max_age: Option<String>,
    /// How long a missing segment may still be on its way, such as 10m
    #[arg(long, value_name = "DURATION")]
    pub(super) uploading_grace: Option<String>,
    /// How far back every moment must be reachable, such as 30d, 4w or 6m
    #[arg(long, value_name = "POLICY")]
    pub(super) retention: Option<String>,
}

/// How thoroughly `check` looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DepthChoice {
    /// Lists, and what answers depend on
    #[default]
    Listing,
    /// All WAL as well, record by record
    Wal,
    /// All base backups as well, page by page
    Full,
}

impl CheckArguments {
    /// The same, reading everything.
    #[must_use]
    pub fn in_full(self) -> Self {
        Self { depth: DepthChoice::Full, ..self }
    }
}

impl From<DepthChoice> for Depth {
    fn from(choice: DepthChoice) -> Self {
        match choice {
            DepthChoice::Listing => Self::Listing,
            DepthChoice::Wal => Self::Wal,
            DepthChoice::Full => Self::Full,
        }
    }
}

/// In which form `check` prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A page for people.
    #[default]
    Text,
    /// One document, as at /api/v1/status.
    Json,
    /// The same document as YAML.
    Yaml,
    /// A line for each archive.
    Table,
    /// The same with more columns.
    Wide,
    /// One line for monitoring plugins.
    Nagios,
    /// Test cases that CI systems draw.
    Junit,
}

/// In which form `restore-plan` prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people, with the manifest.
    #[default]
    Text,
    /// The recovery Cluster to apply.
    Yaml,
    /// As at /api/v1/restore-plan.
    Json,
    /// Asked for by a flag of its own.
    #[value(skip)]
    Bundle,
}

/// What a drill restores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DrillKindChoice {
    /// A moment of the past
    #[default]
    Pitr,
    /// The newest state, as after the loss of everything
    Full,
}

/// In which form `drill` prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DrillOutput {
    /// For people.
    #[default]
    Text,
    /// The document that is kept of it.
    Json,
}

impl From<DrillKindChoice> for DrillKind {
    fn from(choice: DrillKindChoice) -> Self {
        match choice {
            DrillKindChoice::Pitr => Self::Pitr,
            DrillKindChoice::Full => Self::Full,
        }
    }
}
