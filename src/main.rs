//! Parses arguments, starts telemetry, runs one command, returns an exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use cnpg_backup_verifier::cli;
use cnpg_backup_verifier::cli::Cli;
use cnpg_backup_verifier::cli::Command;
use cnpg_backup_verifier::config::ArchivesConfig;
use cnpg_backup_verifier::config::CheckConfig;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::config::DrillConfig;
use cnpg_backup_verifier::config::ReadBackupConfig;
use cnpg_backup_verifier::config::RestoreConfig;
use cnpg_backup_verifier::config::RestorePlanConfig;
use cnpg_backup_verifier::service::allocator;
use cnpg_backup_verifier::service::archives::archives;
use cnpg_backup_verifier::service::check::check;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::drill::drill;
use cnpg_backup_verifier::service::install::install;
use cnpg_backup_verifier::service::read_backup::read_backup;
use cnpg_backup_verifier::service::restore::restore;
use cnpg_backup_verifier::service::restore_plan::restore_plan;
use cnpg_backup_verifier::service::run::run;
use cnpg_backup_verifier::service::telemetry;
use cnpg_backup_verifier::sources::limits;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    allocator::tune();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return cli::explain_usage(&usage),
    };
    // It is started for each segment of a recovery, and needs none of what follows.
    if let Command::WalRestore(arguments) = &cli.command {
        return cli::request_wal(arguments);
    }
    telemetry::start(cli.log_filter(), cli.log_format());
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(limits::WORKER_THREADS).enable_all().build();
    let executed = runtime.context("start the event loop").and_then(|runtime| {
        let executed = runtime.block_on(execute(cli.command));
        // A read of a dead mount never ends; nothing that still runs has anything to finish.
        runtime.shutdown_background();
        executed
    });
    executed.unwrap_or_else(|error| cli::explain_error(&error))
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(arguments) => {
            run(Config::read(&arguments)?).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(arguments) => {
            let verdict = check(CheckConfig::read(&arguments)?).await?;
            Ok(cli::exit_code(verdict))
        }
        Command::Verify(arguments) => {
            let verdict = check(CheckConfig::read(&arguments.in_full())?).await?;
            Ok(cli::exit_code(verdict))
        }
        Command::RestorePlan(arguments) => {
            let answer =
                restore_plan(RestorePlanConfig::read(&arguments, &clock::asker())?).await?;
            Ok(cli::plan_exit_code(answer))
        }
        Command::Restore(arguments) => {
            let answer = restore(RestoreConfig::read(&arguments, &clock::asker())?).await?;
            Ok(cli::plan_exit_code(answer))
        }
        Command::Drill(arguments) => {
            let drilled = drill(DrillConfig::read(&arguments)?).await?;
            Ok(cli::drill_exit_code(&drilled))
        }
        Command::WalRestore(arguments) => Ok(cli::request_wal(&arguments)),
        Command::Archives(arguments) => {
            let verdict = archives(ArchivesConfig::read(&arguments)?).await?;
            Ok(verdict.map_or(ExitCode::SUCCESS, cli::exit_code))
        }
        Command::Completions { shell } => {
            cli::print_completions(shell).context("print the script")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { directory } => {
            cli::write_manual(&directory)
                .with_context(|| format!("write manual pages to {}", directory.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Install(arguments) => {
            install(&arguments.directory)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::ReadBackup(arguments) => {
            let outcome = read_backup(ReadBackupConfig::read(&arguments)?).await?;
            Ok(cli::reading_exit_code(outcome))
        }
        Command::Version => {
            cli::print_version()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
