//! The command line: which command is meant, how it logs, and what its exit code says.

mod help;

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::assessment::verdict::Verdict;
use crate::config::ArchivesArguments;
use crate::config::CheckArguments;
use crate::config::ConfigError;
use crate::config::DrillArguments;
use crate::config::ReadBackupArguments;
use crate::config::RestoreArguments;
use crate::config::RestorePlanArguments;
use crate::config::RunArguments;
use crate::config::WalRestoreArguments;
use crate::domain::drill::DrillGroup;
use crate::restore::wal_request;
use crate::restore::wal_request::Reply;
use crate::service::build;
use crate::service::drill::Drilled;
use crate::service::read_backup::Outcome;
use crate::service::restore_plan::Answer;
use crate::service::telemetry;
use crate::service::telemetry::LogFormat;

/// Tells whether CloudNativePG backups in an object store can be restored.
#[derive(Debug, Parser)]
#[command(name = "cnpg-backup-verifier", version, max_term_width = 100)]
#[command(
    after_help = "Example:\n  cnpg-backup-verifier check --archive s3://backups/postgres-main"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the archives of the configuration and publish what can be restored, until SIGTERM
    #[command(after_help = help::RUN_HELP)]
    Run(RunArguments),
    /// Look at archives once, print what can be restored, and exit with the worst verdict
    #[command(after_help = help::CHECK_HELP)]
    Check(Box<CheckArguments>),
    /// Read archives to the last byte, print what is damaged and what can be restored
    #[command(after_help = help::VERIFY_HELP)]
    Verify(Box<CheckArguments>),
    /// Say whether a moment can be restored, and print the recovery Cluster to apply
    #[command(after_help = help::RESTORE_PLAN_HELP)]
    RestorePlan(Box<RestorePlanArguments>),
    /// Restore into a directory of this machine, by PostgreSQL's own programs
    #[command(after_help = help::RESTORE_HELP)]
    Restore(Box<RestoreArguments>),
    /// Rehearse a restore, compare what it reached with what was promised, and clean up
    #[command(after_help = help::DRILL_HELP)]
    Drill(Box<DrillArguments>),
    /// List the archives at a place, or check them all
    #[command(after_help = help::ARCHIVES_HELP)]
    Archives(Box<ArchivesArguments>),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS_HELP)]
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: Shell,
    },
    /// Write the manual pages
    #[command(after_help = "Example:\n  cnpg-backup-verifier man /usr/local/share/man/man1")]
    Man {
        /// The folder for one page of each command
        directory: PathBuf,
    },
    /// Copy this program into a directory, for a container without `cp`
    #[command(after_help = help::INSTALL_HELP)]
    Install(InstallArguments),
    /// Read one base backup to the last byte, in the pod of a Job that the daemon has created
    #[command(hide = true)]
    ReadBackup(Box<ReadBackupArguments>),
    /// Ask for a file of the log, as a server does that is being restored
    #[command(hide = true)]
    WalRestore(WalRestoreArguments),
    /// Print version, git revision and compiler
    #[command(after_help = "Example:\n  cnpg-backup-verifier version")]
    Version,
}

#[derive(Args, Debug)]
pub struct InstallArguments {
    /// The directory, which must exist
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Logs (on stderr)")]
struct LogArguments {
    /// error, warn, info, debug, trace, off, or MODULE=LEVEL,... [default: info; check: warn]
    #[arg(long, value_name = "LEVEL", env = "CNPG_BACKUP_VERIFIER_LOG_LEVEL", global = true)]
    #[arg(value_parser = telemetry::parse_filter, hide_env_values = true)]
    log_level: Option<Targets>,
    /// auto: text on a terminal, JSON in a pipe
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, global = true)]
    #[arg(env = "CNPG_BACKUP_VERIFIER_LOG_FORMAT", hide_env_values = true)]
    log_format: LogFormatChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormatChoice {
    #[default]
    Auto,
    Json,
    Text,
}

impl Cli {
    pub fn log_filter(&self) -> Targets {
        let default = match self.command {
            Command::Run(_) | Command::ReadBackup(_) => LevelFilter::INFO,
            // Its output is the answer; what it did on the way matters only when it went wrong.
            Command::Check(_)
            | Command::Verify(_)
            | Command::RestorePlan(_)
            | Command::Restore(_)
            | Command::Drill(_)
            | Command::WalRestore(_)
            | Command::Archives(_)
            | Command::Completions { .. }
            | Command::Man { .. }
            | Command::Install(_)
            | Command::Version => LevelFilter::WARN,
        };
        self.log.log_level.clone().unwrap_or_else(|| telemetry::default_filter(default))
    }

    pub fn log_format(&self) -> LogFormat {
        match self.log.log_format {
            LogFormatChoice::Auto => LogFormat::of_stderr(),
            LogFormatChoice::Json => LogFormat::Json,
            LogFormatChoice::Text => LogFormat::Text,
        }
    }
}

/// Prints what clap has to say, which may be the help that was asked for.
pub fn explain_usage(usage: &clap::Error) -> ExitCode {
    // Nobody is left to tell that stderr is gone.
    let _ = usage.print();
    if usage.use_stderr() { WRONG_USAGE.into() } else { ExitCode::SUCCESS }
}

/// Prints an error that ended a command.
pub fn explain_error(error: &anyhow::Error) -> ExitCode {
    let is_config = error.is::<ConfigError>();
    let _ = writeln!(io::stderr(), "{error:#}");
    if is_config { WRONG_USAGE.into() } else { NOT_DONE.into() }
}

/// As monitoring plugins do.
pub fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Recoverable => ExitCode::SUCCESS,
        Verdict::AtRisk => ExitCode::from(1),
        Verdict::Unrecoverable => ExitCode::from(2),
        Verdict::Unknown => ExitCode::from(3),
    }
}

pub fn plan_exit_code(answer: Answer) -> ExitCode {
    match answer {
        Answer::Reachable => ExitCode::SUCCESS,
        Answer::NotReachable => ExitCode::from(2),
        Answer::Unknown => ExitCode::from(3),
    }
}

/// Whoever runs drills by a timer is told by the code who is to act.
pub fn drill_exit_code(drilled: &Drilled) -> ExitCode {
    match drilled {
        Drilled::Nothing => ExitCode::SUCCESS,
        Drilled::Refused(answer) => plan_exit_code(*answer),
        Drilled::Ran(report) => match report.class.group() {
            DrillGroup::Success => ExitCode::SUCCESS,
            DrillGroup::Archive | DrillGroup::Settings => ExitCode::from(2),
            DrillGroup::Platform | DrillGroup::Cleanup => ExitCode::from(3),
        },
    }
}

/// Asks for a file of the log, as `restore_command`.
///
/// The server takes 1 for a file that the archive does not have, and gives up at codes above 125
/// (`RestoreArchivedFile` in `xlogarchive.c`): what is not known to be missing must not end a recovery
/// as if it were.
pub fn request_wal(arguments: &WalRestoreArguments) -> ExitCode {
    let why = match wal_request::ask(&arguments.socket, &arguments.name, &arguments.path) {
        Ok(Reply::Delivered) => return ExitCode::SUCCESS,
        Ok(Reply::Missing) => return ExitCode::from(1),
        Ok(Reply::Unread(why)) => why,
        Err(error) => format!("ask the restore that started the server: {error}"),
    };
    // Nobody is left to tell that stderr is gone.
    let _ = writeln!(io::stderr(), "{}: {why}", arguments.name);
    ExitCode::from(GIVE_UP)
}

pub fn print_completions(shell: Shell) -> io::Result<()> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    io::stdout().write_all(&script)
}

/// One page for each command.
pub fn write_manual(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)
}

/// Damaged or not, a backup that was read is done with: a Job that fails would read it again.
pub fn reading_exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Read => ExitCode::SUCCESS,
        Outcome::Unread => NOT_DONE.into(),
    }
}

pub fn print_version() -> io::Result<()> {
    let (version, revision, rustc) = (build::VERSION, build::REVISION, build::RUSTC);
    writeln!(io::stdout(), "cnpg-backup-verifier {version}\ngit revision {revision}\n{rustc}")
}

/// `EX_USAGE` of `sysexits.h`.
const WRONG_USAGE: u8 = 64;

/// The command could not do its work, so that nothing is known.
const NOT_DONE: u8 = 3;

/// PostgreSQL ends recovery with an error, and a later start begins it anew.
const GIVE_UP: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_combinations_are_refused() {
        for wrong in [
            "check --archive s3://a/b --namespace c --cluster d",
            "check --cluster c",
            "check --endpoint-url http://a",
            "check --listen localhost:80",
            "check --output xml",
            "check extra",
            "run --output json",
            "run --log-level loud",
            "restore-plan -o nagios",
            "drill --seed 1 --dump",
            "drill --local /tmp --kind other",
            "restore --archive file:///a/b",
        ] {
            let words = std::iter::once("cnpg-backup-verifier").chain(wrong.split(' '));
            assert!(Cli::try_parse_from(words).is_err_and(|it| it.use_stderr()), "{wrong}");
        }
    }
}
