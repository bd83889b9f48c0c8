//! Answers *can I restore to …* once, for the command line.

use std::sync::Arc;

use anyhow::Context;

use crate::assessment::Assessment;
use crate::assessment::RecoveryWindow;
use crate::assessment::plan::Doubt;
use crate::assessment::plan::Found;
use crate::assessment::plan::RestorePlan;
use crate::config::ConfigError;
use crate::config::ONE_ARCHIVE;
use crate::config::PlanOutput;
use crate::config::RestorePlanConfig;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;
use crate::domain::segment::SegmentName;
use crate::publication::restore_plan::PlanDocument;
use crate::service::check::assess_once;
use crate::service::output;
use crate::service::progress;
use crate::service::selection::Selection;
use crate::service::terminal;
use crate::service::watched::Watched;
use crate::sources::archive::restore_points::RestorePointSearch;
use crate::sources::archive::restore_points::Unsearched;
use crate::sources::archive::restore_points::Way;

/// Whether the target can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Reachable,
    NotReachable,
    Unknown,
}

/// Reads the archive, prints the plan, and tells the answer.
pub async fn restore_plan(config: RestorePlanConfig) -> anyhow::Result<Answer> {
    let Selection { mut archives, world: _world, .. } = Selection::of(config.chosen).await?;
    if archives.len() > 1 {
        let names: Vec<String> = archives.iter().map(|it| it.spec.id.to_string()).collect();
        return Err(ConfigError::late("restore-plan", ONE_ARCHIVE, names.join(", ")).into());
    }
    let mut archive = archives.pop().with_context(|| format!("expected {ONE_ARCHIVE}"))?;
    let assessment = {
        let _shown = progress::wait("reading the archive".to_owned());
        assess_once(&mut archive).await
    };
    let question = config.question;
    let document = match &question.target {
        Target::RestorePoint(name) => {
            let plan = plan_to_restore_point(&archive, &assessment, &question, name).await;
            PlanDocument::of(&assessment, question, plan)
        }
        Target::Latest | Target::At(_) | Target::Lsn(_) | Target::Backup => {
            PlanDocument::new(&assessment, question)
        }
    };
    let text = match config.output {
        PlanOutput::Text => document.text_for(terminal::folding_width()),
        PlanOutput::Json => document.json().context("write JSON")?,
        // Without a manifest the reason is what there is to print; as comments it is still YAML.
        PlanOutput::Bundle => document.bundle().unwrap_or_else(|| {
            commented(&format!("{}\n\n{}", document.without_bundle(), document.text()))
        }),
        PlanOutput::Yaml => document.yaml().unwrap_or_else(|| commented(&document.text())),
    };
    output::print(&text).context("print the plan")?;
    Ok(match document.plan {
        RestorePlan::Reachable(_) => Answer::Reachable,
        RestorePlan::NotReachable(_) => Answer::NotReachable,
        RestorePlan::Unknown(_) => Answer::Unknown,
    })
}

/// Searches the log for it.
pub(super) async fn plan_to_restore_point(
    archive: &Watched,
    assessment: &Assessment,
    question: &Question,
    name: &Arc<str>,
) -> RestorePlan {
    let found = match archive.restore_points(name) {
        Some(search) => find(search, &RestorePlan::ways(assessment, question)).await,
        None => Ok(Found { way: None, is_any_too_early: false }),
    };
    RestorePlan::to_restore_point(assessment, question, name, found)
}

async fn find<'a>(
    mut search: RestorePointSearch<'_>,
    ways: &[&'a RecoveryWindow],
) -> Result<Found<'a>, Doubt> {
    let mut is_any_too_early = false;
    for &window in ways {
        let stretches = window.path.iter().filter_map(|stretch| {
            let number = |name: SegmentName| name.number(window.segment_size).ok();
            Some((stretch.first.timeline, number(stretch.first)?, number(stretch.last)?))
        });
        let way = Way::new(window.backup_id.clone(), stretches);
        match search.first_on(&way).await {
            Ok(Some(lsn)) if window.is_consistent_at(lsn) => {
                return Ok(Found { way: Some(window), is_any_too_early });
            }
            Ok(Some(_)) => is_any_too_early = true,
            Ok(None) => {}
            Err(Unsearched::Limit(read)) => return Err(Doubt::RestorePointNotFoundYet(read)),
            Err(Unsearched::Unread(unread)) => return Err(Doubt::LogUnread(unread.to_string())),
        }
    }
    Ok(Found { way: None, is_any_too_early })
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}
