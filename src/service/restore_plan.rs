//! Answers *can I restore to …* once, for the command line.

use anyhow::Context;

use crate::assessment::plan::RestorePlan;
use crate::config::ConfigError;
use crate::config::ONE_ARCHIVE;
use crate::config::PlanOutput;
use crate::config::RestorePlanConfig;
use crate::publication::restore_plan::PlanDocument;
use crate::service::check::assess_once;
use crate::service::output;
use crate::service::selection::Selection;

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
    let archive = archives.pop().with_context(|| format!("expected {ONE_ARCHIVE}"))?;
    let assessment = assess_once(archive).await;
    let document = PlanDocument::new(&assessment, config.question);
    let text = match config.output {
        PlanOutput::Text => document.text(),
        PlanOutput::Json => document.json().context("write JSON")?,
        // Without a manifest the reason is what there is to print; as comments it is still YAML.
        PlanOutput::Yaml => document.yaml().unwrap_or_else(|| commented(&document.text())),
    };
    output::print(&text).context("print the plan")?;
    Ok(match document.plan {
        RestorePlan::Reachable(_) => Answer::Reachable,
        RestorePlan::NotReachable(_) => Answer::NotReachable,
        RestorePlan::Unknown(_) => Answer::Unknown,
    })
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}
