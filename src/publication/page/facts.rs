//! What else is known of an archive, as a list of names and values.

use maud::Markup;
use maud::html;

use crate::assessment::AssessedBackup;
use crate::assessment::Assessment;
use crate::assessment::BackupKind;
use crate::assessment::TimeSource;
use crate::assessment::cluster::ClusterState;
use crate::assessment::finding::duration;
use crate::publication::cluster;
use crate::publication::drills::compared;
use crate::publication::drills::recovery_time;
use crate::publication::drills::restored;
use crate::publication::drills::target;
use crate::publication::page::Context;
use crate::publication::page::words::heading;
use crate::publication::page::words::time;
use crate::publication::span::newest_span;
use crate::publication::view::ArchiveView;
use crate::publication::wording::bytes;
use crate::publication::wording::count;

struct Fact {
    name: &'static str,
    value: Markup,
}

pub(super) fn facts(context: &Context<'_>, entry: &ArchiveView<'_>, level: u8) -> Markup {
    let title = if entry.standing.is_old() { "Facts, as last read" } else { "Facts" };
    html! {
        section.facts {
            (heading(level, None, &html! { (title) }))
            dl {
                @for fact in list(context, entry.assessment) {
                    div { dt { (fact.name) } dd { (fact.value) } }
                }
            }
        }
    }
}

/// In the order in which they are asked for. A new fact is one more line.
fn list(context: &Context<'_>, assessment: &Assessment) -> Vec<Fact> {
    let fact = |name, value| Fact { name, value };
    let mut facts = vec![
        fact("Newest restorable moment", newest_moment(context, assessment)),
        fact("Last base backup", last_backup(context, assessment)),
        fact("Next base backup", next_backup(context, assessment)),
        fact("Last WAL", last_wal(context, assessment)),
        fact("Proof", proof(context, assessment)),
        fact("Last restore drill", drills(context, assessment)),
        fact("Retention", retention(assessment)),
        fact("Stored", stored(assessment)),
        fact("PostgreSQL", postgres(assessment)),
        fact("Last read in full", last_read(context, assessment)),
        fact("Checked for deletions", fully_listed(context, assessment)),
    ];
    if let Some(state) = &assessment.cluster {
        facts.extend(of_cluster(state));
    }
    facts
}

/// What only Kubernetes tells.
fn of_cluster(state: &ClusterState) -> Vec<Fact> {
    let texts = [
        ("Scheduled backups", state.scheduled.map(cluster::scheduled)),
        ("Schedule", cluster::schedules(state)),
        ("Silence", state.silence.as_ref().map(cluster::silence)),
        ("Cluster", state.phase.clone()),
    ];
    let known = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    known.map(|(name, text)| Fact { name, value: html! { (text) } }).collect()
}

fn drills(context: &Context<'_>, assessment: &Assessment) -> Markup {
    let drills = assessment.cluster.iter().flat_map(|state| &state.drills);
    html! {
        @for drill in drills.clone() {
            p {
                (drill.kind.code()) ": "
                @if drill.is_success { "succeeded " } @else { strong { "failed " } }
                (time(drill.at, context.view.now))
                @if let Some(took) = drill.duration { ", took " (duration(took)) }
            }
        }
        @if drills.count() == 0 { "none recorded" }
    }
}

fn newest_moment(context: &Context<'_>, assessment: &Assessment) -> Markup {
    html! {
        @match newest_span(&assessment.windows) {
            None => (none(assessment)),
            Some(span) => {
                (time(span.last.at, context.view.now))
                @match span.last.source {
                    TimeSource::Commit => {}
                    TimeSource::Upload => {
                        p.note {
                            "This is when its WAL was uploaded. The last commit in it is older, "
                            "and a restore to a later moment fails."
                        }
                    }
                    TimeSource::Backup => {
                        p.note {
                            "No transaction has ended since the backup: restore its state without "
                            "a target time."
                        }
                    }
                }
            }
        }
    }
}

fn last_backup(context: &Context<'_>, assessment: &Assessment) -> Markup {
    let usable = assessment.backups.iter().rev().find(|backup| backup.is_usable());
    let newer = assessment.backups.last().filter(|newest| !newest.is_usable());
    html! {
        @match usable {
            None => (none(assessment)),
            Some(backup) => {
                @match backup.ended_at {
                    Some(at) => (time(at, context.view.now)),
                    None => "at an unknown time",
                }
                p.note { code { (backup.id) } ", " (bytes(backup.size_bytes)) }
            }
        }
        @if let Some(newer) = newer { p.note { (newer_backup(newer)) } }
    }
}

fn newer_backup(backup: &AssessedBackup) -> Markup {
    let what = match backup.kind {
        BackupKind::Usable => "usable",
        BackupKind::Unusable => "cannot be restored",
        BackupKind::Failed => "failed",
        BackupKind::Running => "is running",
    };
    html! { "The newest, " code { (backup.id) } ", " (what) "." }
}

fn next_backup(context: &Context<'_>, assessment: &Assessment) -> Markup {
    let promises = &assessment.promises;
    html! {
        @match promises.next_backup_due_at {
            None => "no schedule is known",
            Some(due_at) => {
                @if due_at < context.view.now { "was due " } @else { "due " }
                (time(due_at, context.view.now))
            }
        }
        @if let Some(interval) = promises.schedule_interval {
            p.note { "every " (duration(interval)) }
        }
    }
}

fn last_wal(context: &Context<'_>, assessment: &Assessment) -> Markup {
    html! {
        @match assessment.newest_segment {
            None => (none(assessment)),
            Some(newest) => {
                (time(newest.uploaded_at, context.view.now))
                p.note { code { (newest.name) } }
            }
        }
    }
}

/// How far it is proven what can be restored: each rung rests on the one before.
fn proof(context: &Context<'_>, assessment: &Assessment) -> Markup {
    let proof = assessment.proof;
    let listed = newest_span(&assessment.windows).map(|span| span.last.at);
    let restored = restored(assessment);
    html! {
        p {
            "listed: "
            @match listed {
                Some(at) => { "until " (time(at, context.view.now)) }
                None => (none(assessment)),
            }
        }
        p {
            "read: "
            @match proof.read_until {
                Some(at) => { "until " (time(at, context.view.now)) }
                None if proof.is_read => "no base backup with its WAL yet",
                None => "nothing: content is not being read",
            }
        }
        @if proof.is_any() {
            p.note {
                (proof.segments_read) " of " (count_of(proof.segments, "segment")) ", "
                (proof.backups_read) " of " (count_of(proof.backups, "base backup"))
                " read to the last byte"
            }
        }
        p {
            "restored: "
            @match restored {
                Some((drill, _)) => (time(drill.at, context.view.now)),
                None => "no drill is recorded",
            }
        }
        @if let Some((_, Some(report))) = restored {
            p.note {
                "to " (target(report))
                @if let Some(took) = recovery_time(report) { " in " (duration(took)) }
                @if let Some(compared) = compared(report) { ": " (compared) }
            }
        }
    }
}

fn count_of(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn retention(assessment: &Assessment) -> Markup {
    html! {
        @match assessment.promises.retention {
            None => "no policy is known",
            Some(retention) => (duration(retention)),
        }
    }
}

fn stored(assessment: &Assessment) -> Markup {
    let totals = &assessment.totals;
    html! {
        @if assessment.observed_at.is_none() {
            "not known"
        } @else {
            (bytes(totals.base_bytes)) " in " (count(assessment.backups.len(), "base backup")) ", "
            (bytes(totals.wal_bytes)) " of WAL"
        }
    }
}

fn postgres(assessment: &Assessment) -> Markup {
    html! {
        @match assessment.totals.postgres_major {
            None => "not known",
            Some(major) => (major),
        }
    }
}

/// Between two full listings only some of what was deleted is noticed.
fn fully_listed(context: &Context<'_>, assessment: &Assessment) -> Markup {
    html! {
        @match assessment.fully_listed_at {
            Some(at) => (time(at, context.view.now)),
            None => "never listed in full",
        }
    }
}

fn last_read(context: &Context<'_>, assessment: &Assessment) -> Markup {
    html! {
        @match assessment.observed_at {
            None => "never",
            Some(at) => (time(at, context.view.now)),
        }
        @if assessment.unreadable.is_some() {
            p.note { "Tried " (time(assessment.checked_at, context.view.now)) " without success." }
        }
    }
}

/// That there is none, only where somebody has looked.
fn none(assessment: &Assessment) -> Markup {
    html! { @if assessment.observed_at.is_none() { "not known" } @else { "none" } }
}
