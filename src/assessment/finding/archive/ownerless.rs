//! What to do about an archive whose cluster is gone: no server is left that could upload anything
//! again or take a backup, and no retention policy cleans up.

use crate::assessment::GapEffect;
use crate::assessment::finding::archive::backup::BackupDefect;
use crate::assessment::finding::archive::store::StoreDefect;
use crate::assessment::finding::archive::wal::Carrier;
use crate::assessment::finding::archive::wal::WalDefect;
use crate::assessment::finding::family::Family;

const RESTORE_OR_DELETE: &str = "this cannot be repaired, because the archive's cluster is gone: \
                                 if the data may be needed, restore what restore-plan offers; \
                                 otherwise delete the archive's folder";

const RESTORE_WITH_TARGET_TLI: &str = "if the data may be needed, restore with targetTLI as \
                                       restore-plan says; otherwise delete the archive's folder";

/// Of what lies in a cold class.
const COLD: &str = "if the data may be needed, remove the lifecycle rule for this \
                               prefix, and thaw or copy back what a restore needs; otherwise \
                               delete the archive's folder";

pub(in crate::assessment::finding) fn of_wal(defect: &WalDefect) -> &'static str {
    match defect {
        WalDefect::Gap { gap, parent_has_segment: true, .. }
            if gap.effect == GapEffect::StopsRecovery =>
        {
            "do not restore the latest state: recovery would replay the old timeline's segment and \
             bring back abandoned transactions; restore to a moment before the gap"
        }
        WalDefect::Gap { gap, .. } if gap.effect == GapEffect::Hole => {
            "this cannot be repaired, because the archive's cluster is gone; all other moments can \
             still be restored"
        }
        WalDefect::TimelineFork { .. } => RESTORE_WITH_TARGET_TLI,
        WalDefect::ForeignSystem { harm, .. } if harm.misled_to.is_some() => {
            RESTORE_WITH_TARGET_TLI
        }
        WalDefect::ForeignSystem { carrier: Carrier::Backup(_), harm, .. } if harm.is_none() => {
            "nothing to do: what both servers wrote can be restored"
        }
        WalDefect::SegmentTwice { .. } => "nothing to do: PostgreSQL gets one of the two",
        WalDefect::PartialShadowsSegment { .. } => defect.hint(),
        WalDefect::Gap { gap, .. } if gap.effect == GapEffect::Harmless => defect.hint(),
        WalDefect::Gap { .. }
        | WalDefect::Damaged { .. }
        | WalDefect::HistoryMissing { .. }
        | WalDefect::HistoryDamaged { .. }
        | WalDefect::ForeignSystem { .. } => RESTORE_OR_DELETE,
    }
}

pub(in crate::assessment::finding) fn of_backup(defect: &BackupDefect) -> &'static str {
    match defect {
        BackupDefect::NoneUsable { .. } => {
            "nothing can be restored from here, and the archive's cluster is gone: look for the \
             data elsewhere (a volume, a snapshot, a copy of the bucket) before you delete the \
             archive's folder"
        }
        BackupDefect::Cold { .. } => COLD,
        BackupDefect::Failed { .. }
        | BackupDefect::Stuck { .. }
        | BackupDefect::Incomplete { .. }
        | BackupDefect::InfoUnreadable { .. }
        | BackupDefect::Damaged { .. }
        | BackupDefect::Incremental { .. } => RESTORE_OR_DELETE,
    }
}

pub(in crate::assessment::finding) fn of_store(defect: &StoreDefect) -> &'static str {
    match defect {
        StoreDefect::ColdWal { .. } => COLD,
        StoreDefect::Infrequent => "a restore reads all of it: budget for that",
        StoreDefect::ClockUnreliable(_) => {
            "check the clock of this machine, then that of the store and of any proxy or cache in \
             front of it"
        }
        StoreDefect::Empty { .. }
        | StoreDefect::NotFound(_)
        | StoreDefect::Unreachable(_)
        | StoreDefect::Denied(_)
        | StoreDefect::ListingUnusable(_)
        | StoreDefect::ClockSkew(_)
        | StoreDefect::HeadUnusable(_)
        | StoreDefect::NotAllowed(_)
        | StoreDefect::Unencrypted { .. } => defect.hint(),
    }
}
