//! A restore drill: draws what to restore, restores it, compares, asks, and cleans up.

mod operator;
mod proof;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::DateTime;
use chrono::Utc;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::assessment::drill::DrawnTarget;
use crate::assessment::drill::draw;
use crate::assessment::plan::RestorePlan;
use crate::config::ConfigError;
use crate::config::DrillConfig;
use crate::config::DrillOutput;
use crate::config::ONE_ARCHIVE;
use crate::domain::drill::CheckResult;
use crate::domain::drill::DrillClass;
use crate::domain::drill::DrillReport;
use crate::domain::drill::DrillVersions;
use crate::domain::drill::DrillVolume;
use crate::domain::drill::DrillWay;
use crate::domain::drill::PhaseName;
use crate::domain::drill_check::DrillCheck;
use crate::domain::recovery_target::Target;
use crate::publication::drill_report;
use crate::publication::folded::folded;
use crate::restore::failed::Failed;
use crate::restore::place::Durability;
use crate::restore::recovery::Course;
use crate::service::build;
use crate::service::check::assess_once;
use crate::service::clock;
use crate::service::drill::proof::Proof;
use crate::service::output;
use crate::service::progress;
use crate::service::restore_plan::Answer;
use crate::service::restoring::Prepared;
use crate::service::restoring::Scratch;
use crate::service::selection::Selection;
use crate::service::shutdown::Shutdown;
use crate::service::terminal;
use crate::service::watched::Watched;

/// What came of it: a report, nothing that was to be done, or why there was nothing to restore.
#[derive(Debug)]
pub enum Drilled {
    Ran(Box<DrillReport>),
    Nothing,
    Refused(Answer),
}

/// Runs one drill, prints the result, and leaves nothing behind.
pub async fn drill(config: DrillConfig) -> anyhow::Result<Drilled> {
    let Some(root) = &config.local else { return in_kubernetes(config).await };
    let began = Instant::now();
    if !root.is_dir() {
        let found = format!("none at {}", root.display());
        return Err(ConfigError::late("--local", "a directory that exists", found).into());
    }
    let swept = Scratch::sweep(root).with_context(|| format!("look at {}", root.display()))?;
    if 0 < swept {
        tracing::warn!(swept, "removed what drills that were killed had left");
    }
    let Selection { mut archives, world, .. } = Selection::of(config.chosen.clone()).await?;
    let mut archive = archives.pop().with_context(|| format!("expected {ONE_ARCHIVE}"))?;
    if !archives.is_empty() {
        return Err(ConfigError::late("drill", ONE_ARCHIVE, "several").into());
    }
    let assessment = {
        let _shown = progress::wait("reading the archive".to_owned());
        let read = timeout(config.timeout, assess_once(&mut archive)).await;
        read.map_err(|_| anyhow::anyhow!("reading the archive {}", too_long(config.timeout)))?
    };
    let seed = config.seed.unwrap_or_else(|| clock::now().timestamp_micros().unsigned_abs());
    let drawn = match draw(&assessment, config.kind, seed) {
        Ok(drawn) => drawn,
        Err(why) => {
            let why = format!("nothing can be restored in a drill: {why}");
            output::print(&folded(&why, terminal::folding_width())).context("print the result")?;
            let plan = RestorePlan::new(&assessment, Target::Latest);
            let is_unknown = matches!(plan, RestorePlan::Unknown(_));
            let answer = if is_unknown { Answer::Unknown } else { Answer::NotReachable };
            return Ok(Drilled::Refused(answer));
        }
    };
    let prepared = Prepared::of(&archive, &world, &drawn.restore, &config.server).await?;
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    let (archive, drawn, prepared) = (&archive, &drawn, &prepared);
    let local = Local { config: &config, began, root, archive, drawn, prepared };
    let report = local.run(shutdown).await?;
    print(report, config.output)
}

async fn in_kubernetes(config: DrillConfig) -> anyhow::Result<Drilled> {
    let output = config.output;
    if config.operator.is_plan_only {
        let manifest = operator::plan_through_operator(config).await?;
        let manifest = manifest.as_deref().unwrap_or(NOT_DUE);
        output::print(manifest).context("print the manifest")?;
        return Ok(Drilled::Nothing);
    }
    match operator::through_operator(config).await? {
        Some(report) => print(report, output),
        None => {
            output::print(NOT_DUE).context("print the result")?;
            Ok(Drilled::Nothing)
        }
    }
}

/// A comment where YAML is asked for.
const NOT_DUE: &str = "# no drill is due\n";

fn print(report: DrillReport, output: DrillOutput) -> anyhow::Result<Drilled> {
    let text = match output {
        DrillOutput::Text => drill_report::text(&report, terminal::folding_width()),
        DrillOutput::Json => serde_json::to_string_pretty(&report).context("write JSON")?,
    };
    output::print(&text).context("print the result")?;
    Ok(Drilled::Ran(Box::new(report)))
}

fn too_long(most: Duration) -> String {
    format!("took more than {}", humantime::format_duration(most))
}

/// A drill on this machine.
struct Local<'a> {
    config: &'a DrillConfig,
    began: Instant,
    root: &'a Path,
    archive: &'a Watched,
    drawn: &'a DrawnTarget,
    prepared: &'a Prepared<'a>,
}

impl Local<'_> {
    async fn run(&self, mut shutdown: Shutdown) -> anyhow::Result<DrillReport> {
        let began_at = clock::now();
        let scratch = Scratch::below(self.root);
        let scratch =
            scratch.with_context(|| format!("make a directory in {}", self.root.display()))?;
        let mut course = Course::default();
        let mut checks = Vec::new();
        let time_left = self.config.timeout.saturating_sub(self.began.elapsed());
        let result = tokio::select! {
            result = self.rehearse(&scratch, &mut course, &mut checks) => result,
            () = sleep(time_left) => {
                let why = format!("it {}", too_long(self.config.timeout));
                Err(Failed::new(DrillClass::Timeout, why))
            }
            () = shutdown.requested() => anyhow::bail!("stopped; the drill proves nothing"),
        };
        drop(scratch);
        Ok(self.report(began_at, course, checks, result))
    }

    /// Restores and proves; what was seen on the way stays whatever happens.
    async fn rehearse(
        &self,
        scratch: &Scratch,
        course: &mut Course,
        checks: &mut Vec<CheckResult>,
    ) -> Result<String, Failed> {
        let place = scratch.place(self.prepared.account, self.prepared.tablespaces())?;
        let sockets = place.sockets.path().to_owned();
        let recovered = self.prepared.recover_at(place, Durability::Throwaway, course).await?;
        let asked_at = Instant::now();
        let proof = Proof {
            prepared: self.prepared,
            sockets: &sockets,
            readings: self.config.readings,
            checks: self.checks(),
            kind: self.drawn.kind,
        };
        let mut recovered = recovered;
        let proven = tokio::select! {
            proven = proof.run(course, checks) => proven,
            failed = recovered.alive() => Err(failed),
        };
        let proven = match proven {
            Err(failed) if failed.class == DrillClass::CheckFailed => {
                Err(recovered.excuse(failed).await)
            }
            proven => proven,
        };
        course.phase(PhaseName::Check, asked_at);
        recovered.abandon().await;
        proven
    }

    fn checks(&self) -> Vec<DrillCheck> {
        let id = &self.archive.spec.id;
        let drills = &self.config.chosen.drills;
        drills.checks_of(&id.namespace, &id.cluster).cloned().collect()
    }

    fn report(
        &self,
        began_at: DateTime<Utc>,
        course: Course,
        checks: Vec<CheckResult>,
        result: Result<String, Failed>,
    ) -> DrillReport {
        let (class, detail) = match result {
            Ok(detail) => (DrillClass::Succeeded, detail),
            Err(Failed { class, detail }) => (class, detail),
        };
        let id = &self.archive.spec.id;
        DrillReport {
            form: DrillReport::FORM,
            kind: self.drawn.kind,
            way: DrillWay::Local,
            namespace: id.namespace.clone(),
            cluster: id.cluster.clone(),
            server_name: id.server_name.clone(),
            began_at,
            ended_at: clock::now(),
            class,
            detail,
            backup_id: Some(self.drawn.restore.backup_id().to_string()),
            target: self.drawn.target(),
            phases: course.phases,
            volume: DrillVolume {
                base_bytes: self.prepared.read.base(),
                wal_bytes: self.prepared.read.wal(),
                wal_segments: course.segments,
            },
            predicted: course.predicted,
            reached: course.reached,
            checks,
            versions: DrillVersions {
                verifier: build::VERSION.to_owned(),
                postgres: Some(self.prepared.programs.version.clone()),
                operator: None,
            },
        }
    }
}
