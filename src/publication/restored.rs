//! What is printed of a cluster that was restored on this machine.

use std::path::Path;

use crate::domain::backup::BackupId;
use crate::domain::drill::DrillPhase;
use crate::domain::drill::PhaseName;
use crate::domain::drill::RecoveryEnd;
use crate::publication::wording::bytes;
use crate::publication::wording::utc;

/// A restore that ended well.
#[derive(Clone, Debug)]
pub struct Restored<'a> {
    pub data: &'a Path,
    /// Names, and where they lie.
    pub tablespaces: Vec<(&'a str, &'a Path)>,
    pub program: &'a Path,
    pub backup: &'a BackupId,
    pub course: Vec<DrillPhase>,
    pub base_bytes: u64,
    pub wal_bytes: u64,
    pub predicted: Option<&'a RecoveryEnd>,
    pub reached: Option<&'a RecoveryEnd>,
    /// Why recovery ended there, in PostgreSQL's words.
    pub reason: &'a str,
}

pub fn text(restored: &Restored<'_>) -> String {
    let Restored { data, program, backup, base_bytes, wal_bytes, reason, .. } = restored;
    let (data, program) = (data.display(), program.display());
    let (base, wal) = (bytes(*base_bytes), bytes(*wal_bytes));
    let mut text = format!("restored {data} from backup {backup}\n\n");
    if let Some(end) = restored.reached {
        text += &format!("  recovery ended at  {}: {reason}\n", place(end));
    }
    if let (Some(predicted), Some(reached)) = (restored.predicted, restored.reached)
        && (predicted.lsn, predicted.timeline) != (reached.lsn, reached.timeline)
    {
        text += &format!("  predicted was      {}\n", place(predicted));
    }
    for (name, directory) in &restored.tablespaces {
        text += &format!("  tablespace         {name} in {}\n", directory.display());
    }
    text += &format!("  read               {base} of the base backup, {wal} of WAL\n");
    text += &format!("  took               {}\n", phases(&restored.course));
    text += &format!(
        "\nThe server is stopped. As the owner of that directory, start it and connect to it \
         with\n\n  {program} -D {data}\n  psql --host {data} --username postgres\n\nIt archives \
         nothing and listens only on a socket in that directory, until you\nchange postgresql.conf \
         there. The source's own settings are beside it, as\npostgresql.conf.from-backup and \
         pg_hba.conf.from-backup.\n"
    );
    text
}

/// Timeline, position, and when the last transaction ended.
pub(super) fn place(end: &RecoveryEnd) -> String {
    let RecoveryEnd { timeline, lsn, last_transaction_at, .. } = end;
    let last = last_transaction_at.map(|at| format!(", last transaction at {}", utc(at)));
    format!("timeline {timeline}, {lsn}{}", last.unwrap_or_default())
}

pub(super) fn phases(course: &[DrillPhase]) -> String {
    let told = course.iter().map(|phase| {
        let word = match phase.name {
            PhaseName::Start => "start",
            PhaseName::Base => "base backup",
            PhaseName::Replay => "replay",
            PhaseName::Promote => "promotion",
            PhaseName::Check => "checks",
        };
        format!("{word} {:.1} s", phase.seconds)
    });
    told.collect::<Vec<_>>().join(", ")
}
