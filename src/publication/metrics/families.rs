//! The table of all metrics: name, help, kind, labels, and where the samples come from.

use crate::publication::metrics::drills;
use crate::publication::metrics::family::Family;
use crate::publication::metrics::family::Kind;
use crate::publication::metrics::family::Source;
use crate::publication::metrics::reading;
use crate::publication::metrics::samples::Exposition;
use crate::publication::metrics::samples::Samples;
use crate::publication::view::ArchiveView;

macro_rules! name {
    ($name:literal) => {
        concat!("backup_verifier_", $name)
    };
}

type WholeSamples = fn(&Exposition<'_>, &mut Samples<'_>);
type ArchiveSamples = fn(&ArchiveView<'_>, &mut Samples<'_>);

const fn whole(name: &'static str, help: &'static str, samples: WholeSamples) -> Family {
    Family { name, help, kind: Kind::Gauge, labels: &[], source: Source::Whole(samples) }
}

const fn archive(name: &'static str, help: &'static str, samples: ArchiveSamples) -> Family {
    Family { name, help, kind: Kind::Gauge, labels: &[], source: Source::Archive(samples) }
}

const fn orphan(name: &'static str, help: &'static str, samples: ArchiveSamples) -> Family {
    Family { name, help, kind: Kind::Gauge, labels: &[], source: Source::Orphan(samples) }
}

impl Family {
    const fn labels(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

pub(super) const FAMILIES: &[Family] = &[
    whole(name!("build_info"), "The running program.", reading::build_info)
        .kind(Kind::Info)
        .labels(&["version", "revision", "rustc"]),
    whole(name!("archives"), "Number of watched archives.", reading::archives),
    whole(
        name!("orphans"),
        "Number of archives below the watched stores that no cluster uses.",
        reading::orphans,
    ),
    whole(
        name!("kubernetes_up"),
        "Whether Kubernetes said which clusters there are.",
        reading::kubernetes_up,
    ),
    whole(
        name!("object_store_up"),
        "Whether the object store answered the last time it was asked.",
        reading::object_store_up,
    )
    .labels(&["object_store"]),
    archive(name!("archive_info"), "Where the archive is stored.", reading::archive_info)
        .kind(Kind::Info)
        .labels(&["object_store", "bucket", "prefix", "pg_major"]),
    archive(
        name!("verdict"),
        "1 for the verdict on the archive, 0 for the others.",
        reading::verdict,
    )
    .labels(&["verdict"]),
    archive(
        name!("finding"),
        "1 for each kind of problem that was found, of any severity, 0 for the others.",
        reading::finding,
    )
    .labels(&["code"]),
    archive(
        name!("last_check_timestamp_seconds"),
        "When the last attempt to read the archive ended.",
        reading::last_check,
    ),
    archive(
        name!("last_success_timestamp_seconds"),
        "When the whole archive was last read; all other values date from then.",
        reading::last_success,
    ),
    archive(
        name!("last_full_listing_timestamp_seconds"),
        "When the latest full listing began; later deletions may not have been noticed.",
        reading::last_full_listing,
    ),
    archive(name!("checks_total"), "Attempts to read the archive.", reading::checks)
        .kind(Kind::Counter),
    archive(
        name!("check_failures_total"),
        "Attempts to read the archive that failed, by reason.",
        reading::check_failures,
    )
    .kind(Kind::Counter)
    .labels(&["reason"]),
    archive(name!("base_backups"), "Number of stored base backups.", reading::base_backups)
        .labels(&["status"]),
    archive(
        name!("last_base_backup_timestamp_seconds"),
        "When the newest usable base backup ended.",
        reading::last_base_backup,
    ),
    archive(
        name!("first_base_backup_timestamp_seconds"),
        "When the oldest usable base backup ended.",
        reading::first_base_backup,
    ),
    archive(
        name!("last_base_backup_size_bytes"),
        "Stored size of the newest usable base backup.",
        reading::last_base_backup_size,
    ),
    archive(
        name!("last_base_backup_duration_seconds"),
        "How long the newest usable base backup took.",
        reading::last_base_backup_duration,
    ),
    archive(
        name!("last_failed_backup_timestamp_seconds"),
        "When the newest stored base backup that failed ended.",
        reading::last_failed_backup,
    ),
    archive(
        name!("last_wal_timestamp_seconds"),
        "When the newest WAL segment was uploaded.",
        reading::last_wal,
    ),
    archive(
        name!("wal_gaps"),
        "Number of gaps in the WAL, except those that the operator accepted.",
        reading::wal_gaps,
    )
    .labels(&["effect"]),
    archive(
        name!("wal_gaps_acknowledged"),
        "Number of gaps in the WAL that the operator accepted.",
        reading::wal_gaps_acknowledged,
    ),
    archive(
        name!("wal_missing_segments"),
        "Number of WAL segments missing in gaps, except those that the operator accepted.",
        reading::wal_missing_segments,
    )
    .labels(&["effect"]),
    archive(
        name!("wal_hole_start_timestamp_seconds"),
        "Last moment that can be restored before the newest hole that the operator did not accept.",
        reading::wal_hole_start,
    ),
    archive(
        name!("wal_hole_end_timestamp_seconds"),
        "First moment that can be restored after the newest hole that the operator did not accept.",
        reading::wal_hole_end,
    ),
    archive(
        name!("recovery_window_start_timestamp_seconds"),
        "First moment from which every later one up to the end of the window can be restored.",
        reading::recovery_window_start,
    ),
    archive(
        name!("recovery_window_end_timestamp_seconds"),
        "Newest moment that can be restored.",
        reading::recovery_window_end,
    ),
    archive(
        name!("latest_recoverable"),
        "Whether the newest archived state can be restored.",
        reading::latest_recoverable,
    ),
    archive(
        name!("retention_seconds"),
        "How far back every moment should be restorable.",
        reading::retention,
    ),
    archive(
        name!("schedule_interval_seconds"),
        "Time between two base backups of the schedule.",
        reading::schedule_interval,
    ),
    archive(
        name!("next_backup_timestamp_seconds"),
        "When the next base backup is due.",
        reading::next_backup,
    ),
    archive(
        name!("scheduled_backups"),
        "Number of backups that were due in the retention window, and what became of them.",
        reading::scheduled_backups,
    )
    .labels(&["outcome"]),
    archive(
        name!("cluster_created_timestamp_seconds"),
        "When the Cluster was created in Kubernetes.",
        reading::cluster_created,
    ),
    archive(
        name!("last_restore_drill_timestamp_seconds"),
        "When the last recorded restore drill was.",
        drills::last,
    )
    .labels(&["kind"]),
    archive(
        name!("restore_drill_success"),
        "Whether the last recorded restore drill succeeded.",
        drills::success,
    )
    .labels(&["kind"]),
    archive(
        name!("restore_drill_duration_seconds"),
        "How long the last recorded restore drill took.",
        drills::duration,
    )
    .labels(&["kind"]),
    archive(
        name!("restore_drill_max_age_seconds"),
        "How long ago the last recorded restore drill may be.",
        drills::max_age,
    )
    .labels(&["kind"]),
    archive(
        name!("restore_drill_phase_seconds"),
        "How long each part of the last automatic restore drill took.",
        drills::phase,
    )
    .labels(&["kind", "phase"]),
    archive(
        name!("restore_drill_matches_prediction"),
        "Whether recovery ended where it was predicted to in the last restore drill.",
        drills::matches_prediction,
    )
    .labels(&["kind"]),
    archive(
        name!("restore_drill_class"),
        "1 for how the last restore drill ended, and for what has got in the way of one since, 0 \
         for the others.",
        drills::class,
    )
    .labels(&["kind", "class"]),
    archive(
        name!("recovery_time_estimate_seconds"),
        "How long a recovery to the newest state would take, judging by restore drills: at least \
         and at most.",
        drills::estimate,
    )
    .labels(&["bound"]),
    archive(
        name!("recovery_time_objective_seconds"),
        "How long a recovery may take.",
        drills::objective,
    ),
    archive(
        name!("base_backup_max_age_seconds"),
        "How old the newest usable base backup may become.",
        reading::base_backup_max_age,
    ),
    archive(
        name!("wal_max_age_seconds"),
        "How long ago the newest WAL segment may have been uploaded.",
        reading::wal_max_age,
    ),
    archive(
        name!("check_interval_seconds"),
        "Time between two attempts to read the archive.",
        reading::check_interval,
    ),
    archive(
        name!("check_max_age_seconds"),
        "How long ago the last attempt may have ended before a good verdict becomes unknown.",
        reading::check_max_age,
    ),
    archive(
        name!("proven_timestamp_seconds"),
        "Newest moment that can be restored, by how it is proven: by the names that were listed, \
         or by reading every byte.",
        reading::proven,
    )
    .labels(&["level"]),
    archive(
        name!("content_read_ratio"),
        "Share of the base backups and of the WAL segments that has been read to the last byte.",
        reading::content_read_ratio,
    )
    .labels(&["kind"]),
    archive(
        name!("content_verified_segments"),
        "Number of WAL segments that were read to the last byte and found intact.",
        reading::content_verified_segments,
    ),
    archive(
        name!("content_damaged_objects"),
        "Number of base backups and of WAL segments that were read and found damaged.",
        reading::content_damaged,
    )
    .labels(&["kind"]),
    archive(
        name!("last_content_verification_timestamp_seconds"),
        "When base backups and WAL were last read to the last byte.",
        reading::last_content_verification,
    )
    .labels(&["kind"]),
    archive(
        name!("content_unread_timestamp_seconds"),
        "Since when something that a restore to the newest state needs has been stored without \
         being read.",
        reading::content_unread,
    ),
    archive(
        name!("content_verification_due_timestamp_seconds"),
        "When what a restore needs and has not been read should have been read.",
        reading::content_due,
    ),
    archive(name!("archive_bytes"), "Stored bytes.", reading::archive_bytes).labels(&["kind"]),
    archive(name!("archive_objects"), "Stored objects.", reading::archive_objects)
        .labels(&["kind"]),
    orphan(
        name!("orphan_verdict"),
        "1 for the verdict on the orphaned archive, 0 for the others.",
        reading::verdict,
    )
    .labels(&["verdict"]),
    orphan(
        name!("orphan_recovery_window_end_timestamp_seconds"),
        "Newest moment that can be restored from the orphaned archive.",
        reading::recovery_window_end,
    ),
    orphan(name!("orphan_bytes"), "Stored bytes of the orphaned archive.", reading::archive_bytes)
        .labels(&["kind"]),
];
