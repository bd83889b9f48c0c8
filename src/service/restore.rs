//! Restores a cluster into a directory of this machine, for the day on which there is no Kubernetes.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use crate::assessment::plan::RestorePlan;
use crate::config::CleanUp;
use crate::config::ConfigError;
use crate::config::ONE_ARCHIVE;
use crate::config::RestoreConfig;
use crate::domain::drill::PhaseName;
use crate::domain::recovery_target::Target;
use crate::publication::restore_plan::PlanDocument;
use crate::publication::restored;
use crate::publication::restored::Restored;
use crate::restore::failed::Failed;
use crate::restore::place::Durability;
use crate::restore::place::Place;
use crate::restore::place::is_begun;
use crate::restore::recovery::Course;
use crate::restore::recovery::Recovered;
use crate::restore::traces::Traces;
use crate::service::check::assess_once;
use crate::service::output;
use crate::service::progress;
use crate::service::restore_plan::Answer;
use crate::service::restore_plan::plan_to_restore_point;
use crate::service::restoring::Prepared;
use crate::service::restoring::directories;
use crate::service::restoring::end_server;
use crate::service::restoring::server_on;
use crate::service::selection::Selection;
use crate::service::shutdown::Shutdown;
use crate::service::terminal;

/// Restores, prints how the server is started, and tells whether there was a way to the target.
pub async fn restore(config: RestoreConfig) -> anyhow::Result<Answer> {
    let data = usable(&config.to)?;
    let Selection { mut archives, world, .. } = Selection::of(config.chosen).await?;
    let mut archive = archives.pop().with_context(|| format!("expected {ONE_ARCHIVE}"))?;
    if !archives.is_empty() {
        return Err(ConfigError::late("restore", ONE_ARCHIVE, "several").into());
    }
    let assessment = {
        let _shown = progress::wait("reading the archive".to_owned());
        assess_once(&mut archive).await
    };
    let question = config.question;
    let plan = match &question.target {
        Target::RestorePoint(name) => {
            plan_to_restore_point(&archive, &assessment, &question, name).await
        }
        Target::Latest | Target::At(_) | Target::Lsn(_) | Target::Backup => {
            RestorePlan::new(&assessment, question.clone())
        }
    };
    let document = PlanDocument::of(&assessment, question, plan);
    let plan = match &document.plan {
        RestorePlan::Reachable(plan) => plan,
        RestorePlan::NotReachable(_) | RestorePlan::Unknown(_) => {
            let text = document.text_for(terminal::folding_width());
            output::print(&text).context("print the plan")?;
            let is_unknown = matches!(document.plan, RestorePlan::Unknown(_));
            return Ok(if is_unknown { Answer::Unknown } else { Answer::NotReachable });
        }
    };
    let prepared = Prepared::of(&archive, &world, plan, &config.server).await?;
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    let directories =
        directories(&data, &beside(&data), &config.tablespaces, prepared.tablespaces())?;
    let place = Place::prepare(directories.clone(), prepared.account)?;
    let attempt = Attempt { traces: place.traces.clone(), data: &data, clean: config.clean };
    let mut course = Course::default();
    let recovered = attempt.recover(&prepared, place, &mut course, shutdown).await?;
    recovered.stop().await.context("shut the restored server down")?;
    let program = prepared.programs.path("postgres");
    let restored = Restored {
        data: &data,
        tablespaces: prepared
            .tablespaces()
            .iter()
            .filter_map(|it| Some((&*it.name, directories.tablespaces.get(&it.oid)?.as_path())))
            .collect(),
        program: &program,
        backup: plan.backup_id(),
        course: course.phases.iter().filter(|it| it.name != PhaseName::Check).copied().collect(),
        base_bytes: prepared.read.base(),
        wal_bytes: prepared.read.wal(),
        predicted: course.predicted.as_ref(),
        reached: course.reached.as_ref(),
        reason: course.reason.as_deref().unwrap_or_default(),
    };
    output::print(&restored::text(&restored)).context("print the result")?;
    Ok(Answer::Reachable)
}

/// A restore that may come to nothing.
struct Attempt<'a> {
    traces: Traces,
    data: &'a Path,
    clean: CleanUp,
}

impl Attempt<'_> {
    async fn recover(
        &self,
        prepared: &Prepared<'_>,
        place: Place,
        course: &mut Course,
        mut shutdown: Shutdown,
    ) -> anyhow::Result<Recovered> {
        let why = tokio::select! {
            recovered = prepared.recover_at(place, Durability::Kept, course) => match recovered {
                Ok(recovered) => return Ok(recovered),
                Err(Failed { class, detail }) => format!("{detail} ({class})"),
            },
            () = shutdown.requested() => "stopped before the restore was complete".to_owned(),
        };
        anyhow::bail!("{why}; {}", self.clean_up());
    }

    /// As `initdb` and `pg_basebackup` do: the next attempt finds an empty directory. In words.
    fn clean_up(&self) -> String {
        let data = self.data.display();
        // It was told to end, and may still be at it.
        end_server(self.data);
        match self.clean {
            CleanUp::Nothing => format!("what is in {data} cannot be used"),
            CleanUp::WhatWasWritten => match self.traces.remove() {
                Ok(()) => format!("what was written to {data} is removed"),
                Err(error) => {
                    format!("what is in {data} cannot be used or removed: {error}")
                }
            },
        }
    }
}

/// The directory by its whole path, as the server wants it, which works in it. Refused before the
/// archive is read, which may take a while.
fn usable(to: &Path) -> anyhow::Result<PathBuf> {
    let to = std::path::absolute(to).with_context(|| format!("look at {}", to.display()))?;
    let refused = |directory: &Path, why: &str| {
        let expected = "a directory that is empty or does not exist yet, inside one that exists";
        let found = format!("{}, {why}", directory.display());
        Err(ConfigError::late("--to-dir", expected, found).into())
    };
    if is_begun(&to) {
        let beside = beside(&to);
        let too = if beside.exists() { format!(" {}", beside.display()) } else { String::new() };
        let server = server_on(&to).map_or_else(String::new, |it| format!("kill -QUIT {it}; "));
        let why = format!(
            "in which a restore has begun that did not end; if none is at work there, clear it: \
             {server}rm -r {}{too}",
            to.display()
        );
        return refused(&to, &why);
    }
    for directory in [to.clone(), beside(&to)] {
        if std::fs::read_dir(&directory).is_ok_and(|mut it| it.next().is_some()) {
            return refused(&directory, "which is not empty");
        }
        if directory.exists() && !directory.is_dir() {
            return refused(&directory, "which is not a directory");
        }
    }
    if !to.parent().is_none_or(Path::is_dir) {
        return refused(&to, "in a directory that does not exist");
    }
    Ok(to)
}

/// Tablespaces lie outside the data directory, as PostgreSQL wants it.
fn beside(data: &Path) -> PathBuf {
    let mut name: OsString = data.file_name().unwrap_or_default().to_owned();
    name.push("-tablespaces");
    data.with_file_name(name)
}
