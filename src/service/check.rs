//! One pass over the selected archives, for the command line.

use std::io;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use futures::future::join_all;

use crate::assessment::Assessment;
use crate::assessment::GapEffect;
use crate::assessment::verdict::Verdict;
use crate::config::CheckConfig;
use crate::config::Output;
use crate::publication::nagios;
use crate::publication::report;
use crate::publication::report::Colour;
use crate::publication::snapshot::Snapshot;
use crate::publication::status_json;
use crate::service::clock;
use crate::service::output;
use crate::service::selection::Selection;
use crate::service::watched::Watched;

/// Two looks at a hole are this far apart: longer than an upload that was under way at the first.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(2);

/// A hole younger than this may still be uploading; an older one needs no second look.
const UPLOADING_MAX: TimeDelta = TimeDelta::minutes(10);

/// Checks, prints, and tells the worst verdict.
pub async fn check(config: CheckConfig) -> anyhow::Result<Verdict> {
    let mut selection = Selection::of(config.chosen).await?;
    let Selection { archives, discovery, .. } = &mut selection;
    let checks = archives.drain(..).map(assess_once);
    let assessments: Vec<Assessment> = join_all(checks).await;
    let snapshot = Snapshot::once(clock::now(), assessments).discovered(discovery.take());
    print(&snapshot, config.output).context("print the result")?;
    Ok(snapshot.verdict)
}

/// Where nobody said how long an upload may take, a fresh hole is a gap if it is still there at a
/// second look.
pub(super) async fn assess_once(mut watched: Watched) -> Assessment {
    let first = watched.check(Duration::ZERO).await;
    let has_gap = first.gaps.iter().any(|gap| gap.effect == GapEffect::StopsRecovery);
    if watched.has_uploading_grace() || !has_gap {
        return Assessment::clone(&first);
    }
    let lenient = watched.look_again(UPLOADING_MAX).await;
    if lenient.gaps == first.gaps {
        return Assessment::clone(&first);
    }
    tokio::time::sleep(SECOND_LOOK_AFTER).await;
    watched.look_again(TimeDelta::zero()).await
}

fn print(snapshot: &Snapshot, output: Output) -> anyhow::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let colour = if is_terminal { Colour::Ansi } else { Colour::Plain };
    let text = match output {
        Output::Text => report::render(snapshot, colour),
        Output::Json => status_json::render(snapshot).context("write JSON")?,
        Output::Nagios => nagios::render(snapshot),
    };
    Ok(output::print(&text)?)
}
