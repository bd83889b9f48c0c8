//! One pass over the selected archives, for the command line.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use futures::future::join_all;

use crate::assessment::Assessment;
use crate::assessment::GapEffect;
use crate::assessment::verdict::Verdict;
use crate::config::CheckConfig;
use crate::config::Output;
use crate::domain::depth::Depth;
use crate::publication::junit;
use crate::publication::nagios;
use crate::publication::report;
use crate::publication::snapshot::Snapshot;
use crate::publication::status_json;
use crate::publication::table;
use crate::publication::table::Columns;
use crate::publication::view::View;
use crate::publication::wording::count;
use crate::service::clock;
use crate::service::output;
use crate::service::progress;
use crate::service::selection::Selection;
use crate::service::terminal;
use crate::service::watched::Look;
use crate::service::watched::Watched;
use crate::sources::archive::Listing;
use crate::sources::archive::verification::Progress;

/// What is wrong stands in the result; here only what it took.
fn log_once(assessment: &Assessment, duration: Duration) {
    let (archive, verdict) = (&assessment.archive, assessment.verdict.code());
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(verdict, duration_ms, "archive {archive} is {verdict}");
}

/// Two looks at a hole are this far apart: longer than an upload that was under way at the first.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(2);

/// A hole younger than this may still be uploading; an older one needs no second look.
const UPLOADING_MAX: TimeDelta = TimeDelta::minutes(10);

/// Checks, prints, and tells the worst verdict.
pub async fn check(config: CheckConfig) -> anyhow::Result<Verdict> {
    let selection = match config.depth {
        Depth::Listing => Selection::with_orphans(config.chosen).await?,
        Depth::Wal | Depth::Full => Selection::of(config.chosen).await?,
    };
    let Selection { archives, discovery, orphan_search, world: _world } = selection;
    let assessments = match config.depth {
        Depth::Listing => {
            let mut archives = archives;
            let _shown = progress::wait(format!("reading {}", count(archives.len(), "archive")));
            join_all(archives.iter_mut().map(assess_once)).await
        }
        Depth::Wal | Depth::Full => assess_thoroughly(archives, config.depth).await,
    };
    let snapshot = Snapshot::once(clock::now(), assessments);
    let snapshot = snapshot.discovered(discovery).searched(orphan_search);
    let view = View::new(&snapshot, snapshot.generated_at);
    print(&view, config.output).context("print the result")?;
    Ok(view.verdict)
}

/// Where nobody said how long an upload may take, a fresh hole is a gap if it is still there at a
/// second look.
pub(super) async fn assess_once(watched: &mut Watched) -> Assessment {
    let Look { assessment: first, duration, .. } = watched.look().await;
    log_once(&first, duration);
    let first = Arc::unwrap_or_clone(first);
    let has_gap = first.gaps.iter().any(|gap| gap.effect == GapEffect::StopsRecovery);
    if watched.spec.expectations.uploading_grace.is_some() || !has_gap {
        return first;
    }
    if look_again(watched, UPLOADING_MAX).await.gaps == first.gaps {
        return first;
    }
    tokio::time::sleep(SECOND_LOOK_AFTER).await;
    look_again(watched, TimeDelta::zero()).await
}

/// One archive after another: each alone keeps all processors busy.
async fn assess_thoroughly(archives: Vec<Watched>, depth: Depth) -> Vec<Assessment> {
    let progress = Arc::<Progress>::default();
    let _shown = progress::show(Arc::clone(&progress));
    let mut assessments = Vec::new();
    for mut watched in archives {
        if watched.spec.expectations.uploading_grace.is_none() {
            Arc::make_mut(&mut watched.spec).expectations.uploading_grace = Some(UPLOADING_MAX);
        }
        let Look { assessment, duration, .. } = watched.verify(depth, &progress).await;
        log_once(&assessment, duration);
        assessments.push(Arc::unwrap_or_clone(assessment));
    }
    assessments
}

/// Reads everything once more and judges it with another grace.
async fn look_again(watched: &mut Watched, grace: TimeDelta) -> Assessment {
    Arc::make_mut(&mut watched.spec).expectations.uploading_grace = Some(grace);
    Arc::unwrap_or_clone(watched.look_by(Listing::Complete).await.assessment)
}

fn print(view: &View<'_>, output: Output) -> anyhow::Result<()> {
    let text = match output {
        Output::Text => report::render(view, terminal::of_stdout()),
        Output::Json => status_json::render(view).context("write JSON")?,
        Output::Yaml => status_json::render_yaml(view).context("write YAML")?,
        Output::Table => table::render(view, Columns::Few),
        Output::Wide => table::render(view, Columns::All),
        Output::Nagios => nagios::render(view),
        Output::Junit => junit::render(view),
    };
    Ok(output::print(&text)?)
}
