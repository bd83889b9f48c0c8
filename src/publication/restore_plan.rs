//! The answer to *can I restore to …*: text for people, YAML to apply, JSON for scripts.

mod bundle;
mod manifest;

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono::Utc;
use serde::Serialize;

use crate::assessment::Assessment;
use crate::assessment::plan::Left;
use crate::assessment::plan::Obstruction;
use crate::assessment::plan::Restore;
use crate::assessment::plan::RestorePlan;
use crate::assessment::plan::Stop;
use crate::domain::cluster::RecoveryParameters;
use crate::domain::recovery_target::Question;
use crate::domain::recovery_target::Target;
use crate::publication::folded::folded;
use crate::publication::wording::bytes;
use crate::publication::wording::rfc3339;
use crate::publication::wording::utc;

pub(super) use crate::publication::restore_plan::manifest::target;
pub(super) use crate::publication::restore_plan::manifest::yaml;

/// A plan with what it was made for.
#[derive(Clone, Debug)]
pub struct PlanDocument<'a> {
    assessment: &'a Assessment,
    question: Question,
    pub plan: RestorePlan,
}

#[derive(Debug, Serialize)]
struct PlanJson<'a> {
    cnpg_namespace: &'a str,
    cnpg_cluster: &'a str,
    server_name: &'a str,
    target: String,
    /// `null` while it is not known.
    reachable: Option<bool>,
    reason: Option<String>,
    observed_at: Option<String>,
    backup_id: Option<&'a str>,
    recovery_target: Option<RecoveryTarget<'a>>,
    /// What the new server must be set to besides.
    parameters: Option<BTreeMap<&'static str, String>>,
    /// Why a restore may end elsewhere all the same.
    warnings: Vec<String>,
    /// Other branches of the archive that have the moment, with another state.
    elsewhere: Vec<Elsewhere>,
    wal: Vec<PathStep>,
    base_bytes: Option<u64>,
    wal_bytes_max: Option<u64>,
    nearest_before: Option<String>,
    nearest_after: Option<String>,
    manifest: Option<String>,
}

#[derive(Debug, Serialize)]
struct RecoveryTarget<'a> {
    target_time: Option<String>,
    target_timeline: Option<u32>,
    target_lsn: Option<String>,
    target_name: Option<&'a str>,
    target_immediate: bool,
}

#[derive(Debug, Serialize)]
struct Elsewhere {
    timeline: u32,
    backup_id: String,
}

#[derive(Debug, Serialize)]
struct PathStep {
    timeline: u32,
    first: String,
    last: String,
    segments: u64,
}

impl<'a> PlanDocument<'a> {
    pub fn new(assessment: &'a Assessment, question: impl Into<Question>) -> Self {
        let question = question.into();
        let plan = RestorePlan::new(assessment, question.clone());
        Self::of(assessment, question, plan)
    }

    /// Of a plan that needed more than the assessment.
    pub const fn of(assessment: &'a Assessment, question: Question, plan: RestorePlan) -> Self {
        Self { assessment, question, plan }
    }

    /// The recovery `Cluster` to apply; `None` if the target cannot be reached.
    pub fn yaml(&self) -> Option<String> {
        match &self.plan {
            RestorePlan::Reachable(restore) => Some(manifest::render(self.assessment, restore)),
            RestorePlan::NotReachable(_) | RestorePlan::Unknown(_) => None,
        }
    }

    /// The same with `ObjectStore` and `Secret`, for a Kubernetes that has neither; `None` if the target
    /// cannot be reached, or if the archive is a copy in a directory.
    pub fn bundle(&self) -> Option<String> {
        match &self.plan {
            RestorePlan::Reachable(restore) => bundle::render(self.assessment, restore),
            RestorePlan::NotReachable(_) | RestorePlan::Unknown(_) => None,
        }
    }

    /// Why there is none.
    pub fn without_bundle(&self) -> String {
        self.reason().unwrap_or_else(|| "no cluster can read a copy in a directory".to_owned())
    }

    pub fn json(&self) -> serde_json::Result<String> {
        let restore = self.restore();
        let obstruction = match &self.plan {
            RestorePlan::NotReachable(obstruction) => Some(obstruction),
            RestorePlan::Reachable(_) | RestorePlan::Unknown(_) => None,
        };
        let archive = &self.assessment.archive;
        let path = restore.map_or(&[][..], |restore| restore.window.path.as_slice());
        serde_json::to_string_pretty(&PlanJson {
            cnpg_namespace: &archive.namespace,
            cnpg_cluster: &archive.cluster,
            server_name: &archive.server_name,
            target: self.target_text(rfc3339),
            reachable: match &self.plan {
                RestorePlan::Reachable(_) => Some(true),
                RestorePlan::NotReachable(_) => Some(false),
                RestorePlan::Unknown(_) => None,
            },
            reason: self.reason(),
            observed_at: self.assessment.observed_at.map(rfc3339),
            backup_id: restore.map(|restore| restore.backup_id().as_str()),
            recovery_target: restore.map(|restore| RecoveryTarget {
                target_time: restore.stop_at().map(rfc3339),
                target_timeline: restore.target_timeline().map(|timeline| timeline.value()),
                target_lsn: restore.stop_at_lsn().map(|lsn| lsn.to_string()),
                target_name: restore.stop_at_name(),
                target_immediate: restore.stop == Stop::Consistent,
            }),
            parameters: restore.map(|restore| parameters(self.assessment, restore)),
            warnings: restore.iter().flat_map(|restore| warnings(restore)).collect(),
            elsewhere: restore
                .iter()
                .flat_map(|restore| &restore.elsewhere)
                .map(|(timeline, backup_id)| Elsewhere {
                    timeline: timeline.value(),
                    backup_id: backup_id.to_string(),
                })
                .collect(),
            wal: path
                .iter()
                .map(|stretch| PathStep {
                    timeline: stretch.first.timeline.value(),
                    first: stretch.first.to_string(),
                    last: stretch.last.to_string(),
                    segments: stretch.count,
                })
                .collect(),
            base_bytes: restore.map(|restore| restore.base_bytes),
            wal_bytes_max: restore.map(|restore| restore.wal_bytes_max),
            nearest_before: obstruction.and_then(|it| it.nearest_before).map(rfc3339),
            nearest_after: obstruction.and_then(|it| it.nearest_after).map(rfc3339),
            manifest: self.yaml(),
        })
    }

    pub fn text(&self) -> String {
        self.text_for(usize::MAX)
    }

    /// For a terminal of so many columns. What is to be applied keeps its lines.
    pub fn text_for(&self, width: usize) -> String {
        let target = self.target_text(utc);
        let mut text = match &self.plan {
            RestorePlan::Reachable(restore) => reachable(&target, restore),
            RestorePlan::NotReachable(obstruction) => not_reachable(&target, obstruction),
            RestorePlan::Unknown(doubt) => format!("UNKNOWN  {target}\n{doubt}\n"),
        };
        text += &format!("\n{}", self.assessment.place());
        if let Some(observed_at) = self.assessment.observed_at {
            text += &format!(", last read {}", utc(observed_at));
        }
        let mut text = folded(&text, width);
        if let Some(yaml) = self.yaml() {
            text += &format!("\nApply this and wait until the new cluster is ready:\n\n{yaml}");
        }
        text
    }

    const fn restore(&self) -> Option<&Restore> {
        match &self.plan {
            RestorePlan::Reachable(restore) => Some(restore),
            RestorePlan::NotReachable(_) | RestorePlan::Unknown(_) => None,
        }
    }

    fn reason(&self) -> Option<String> {
        match &self.plan {
            RestorePlan::Reachable(_) => None,
            RestorePlan::NotReachable(obstruction) => Some(obstruction.why.to_string()),
            RestorePlan::Unknown(doubt) => Some(doubt.to_string()),
        }
    }

    fn target_text(&self, moment: fn(DateTime<Utc>) -> String) -> String {
        let mut text = match &self.question.target {
            Target::Latest => "latest".to_owned(),
            Target::At(at) => moment(*at),
            Target::Lsn(lsn) => lsn.to_string(),
            Target::RestorePoint(name) => format!("restore point {name}"),
            Target::Backup => "the backup itself".to_owned(),
        };
        if let Some(backup) = &self.question.backup {
            text += &format!(" from backup {backup}");
        }
        if let Some(timeline) = self.question.timeline {
            text += &format!(" on timeline {timeline}");
        }
        text
    }
}

/// By name and value, as `spec.postgresql.parameters` has them.
fn parameters(assessment: &Assessment, restore: &Restore) -> BTreeMap<&'static str, String> {
    let cluster = assessment.cluster.as_ref();
    let set = cluster.map(|it| it.instance.recovery_parameters.clone()).unwrap_or_default();
    raised(set, restore)
}

/// Those that the source is set to, at least as high as the way to the target asks.
pub(super) fn raised(
    mut set: RecoveryParameters,
    restore: &Restore,
) -> BTreeMap<&'static str, String> {
    // PostgreSQL ends a recovery that meets a higher value in the WAL than its own.
    let demands = restore.window.demands.as_deref();
    let demanded = demands.and_then(|it| it.parameters).map(|it| it.settings());
    for (name, value) in demanded.into_iter().flatten() {
        let known = set.get(name).and_then(|text| text.parse::<u32>().ok());
        if known.or_else(|| default_of(name)).is_none_or(|known| known < value) {
            set.insert(name, value.to_string());
        }
    }
    let prefetch = restore.needs_prefetch_off.then(|| ("recovery_prefetch", "off".to_owned()));
    set.into_iter().chain(prefetch).collect()
}

/// What CloudNativePG sets where a `Cluster` says nothing (`pkg/postgres/configuration.go`), or else
/// PostgreSQL.
fn default_of(setting: &str) -> Option<u32> {
    Some(match setting {
        "max_connections" => 100,
        "max_worker_processes" => 32,
        "max_wal_senders" => 10,
        "max_prepared_transactions" => 0,
        "max_locks_per_transaction" => 64,
        _ => return None,
    })
}

/// Why a restore may end elsewhere all the same.
pub(crate) fn warnings(restore: &Restore) -> Vec<String> {
    let dropped = restore.dropped_by.map(|version| {
        let timeline = restore.window.path.first().map(|it| it.first.timeline.to_string());
        format!(
            "CloudNativePG {version} refuses history files during recovery, and ends it on \
             timeline {}: upgrade it first",
            timeline.unwrap_or_default()
        )
    });
    let demands = restore.window.demands.iter();
    let made = demands.flat_map(|it| &it.tablespaces).map(|oid| {
        format!(
            "the WAL on the way creates the tablespace with identifier {oid}, for which there is \
             no place: recovery fails at that moment; earlier moments are fine"
        )
    });
    restore.left.map(left).into_iter().chain(dropped).chain(made).collect()
}

fn left(Left { timeline, living }: Left) -> String {
    let living = living.map_or_else(
        || "the archive went on elsewhere".to_owned(),
        |living| format!("the archive goes on with timeline {living}"),
    );
    format!(
        "this is a state of timeline {timeline}, which was left: {living}, whose state of then is \
         another, or lost"
    )
}

fn reachable(target: &str, restore: &Restore) -> String {
    let mut text = format!("REACHABLE  {target}\n\n");
    text += &format!("  from backup  {}, {}\n", restore.backup_id(), bytes(restore.base_bytes));
    for (index, stretch) in restore.window.path.iter().enumerate() {
        let label = if index == 0 { "with WAL" } else { "" };
        text += &format!("  {label:<11}  {} to {}", stretch.first, stretch.last);
        text += &format!(", timeline {}\n", stretch.first.timeline);
    }
    text += &format!("  {:<11}  at most about {}\n", "", bytes(restore.wal_bytes_max));
    if let Some(timeline) = restore.target_timeline() {
        text += &format!("  timeline     {timeline}, which recovery must be given\n");
    }
    if restore.needs_prefetch_off {
        text += "  setting      recovery_prefetch = off: an object of the wrong size follows the \
                 target\n";
    }
    for warning in warnings(restore) {
        text += &format!("  beware       {warning}\n");
    }
    for (timeline, backup) in &restore.elsewhere {
        text += &format!(
            "\nThe target also exists on timeline {timeline}, in a different state: plan that, \
             from backup {backup}, with --timeline {timeline}.\n"
        );
    }
    text
}

fn not_reachable(target: &str, obstruction: &Obstruction) -> String {
    let mut text = format!("NOT REACHABLE  {target}\n{}\n", obstruction.why);
    let nearest = [("before", obstruction.nearest_before), ("after", obstruction.nearest_after)];
    for (side, moment) in nearest {
        let moment = moment.map_or_else(|| "none".to_owned(), rfc3339);
        text += &format!("\n  nearest {side:<6}  {moment}");
    }
    text.push('\n');
    text
}
