//! The closed list of finding codes, which metrics, alerts and scripts refer to.

macro_rules! finding_codes {
    ($($variant:ident => $code:literal,)*) => {
        /// A problem's name for machines. New problems get new codes; none is ever reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($variant,)*
        }

        impl FindingCode {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    };
}

finding_codes! {
    WalGap => "wal_gap",
    WalDamaged => "wal_damaged",
    HistoryMissing => "history_missing",
    HistoryDamaged => "history_damaged",
    PartialShadowsSegment => "partial_shadows_segment",
    SegmentTwice => "segment_twice",
    NoUsableBackup => "no_usable_backup",
    BackupFailed => "backup_failed",
    BackupIncomplete => "backup_incomplete",
    BackupInfoUnreadable => "backup_info_unreadable",
    BackupStuck => "backup_stuck",
    BackupOverdue => "backup_overdue",
    BackupNeverRan => "backup_never_ran",
    WalStale => "wal_stale",
    ArchiverStuck => "archiver_stuck",
    WindowShort => "window_short",
    RetentionNotEnforced => "retention_not_enforced",
    ForeignSystem => "foreign_system",
    SharedServerName => "shared_server_name",
    ArchiveEmpty => "archive_empty",
    StoreUnreachable => "store_unreachable",
    StoreDenied => "store_denied",
    NoObjectStore => "no_object_store",
    BackupsElsewhere => "backups_elsewhere",
    NoSchedule => "no_schedule",
    ScheduleSuspended => "schedule_suspended",
    ScheduleFiveFields => "schedule_five_fields",
    ScheduleWrongMethod => "schedule_wrong_method",
    WalArchiverNotEnabled => "wal_archiver_not_enabled",
    WalArchivingSkipped => "wal_archiving_skipped",
    EmptyArchiveCheckSkipped => "empty_archive_check_skipped",
    LegacyInTreeBackup => "legacy_in_tree_backup",
    NoRetentionPolicy => "no_retention_policy",
    PluginUnavailable => "plugin_unavailable",
    CredentialsIncomplete => "credentials_incomplete",
    R2ChecksumEnvMissing => "r2_checksum_env_missing",
    RestoreDrillOverdue => "restore_drill_overdue",
    RestoreDrillFailed => "restore_drill_failed",
    ScheduleInvalid => "schedule_invalid",
    WalNotStored => "wal_not_stored",
    AnnotationInvalid => "annotation_invalid",
    KubernetesUnreadable => "kubernetes_unreadable",
    ClockSkew => "clock_skew",
    ClockUnreliable => "clock_unreliable",
    HeadUnusable => "head_unusable",
    EndpointNotAllowed => "endpoint_not_allowed",
    EndpointUnencrypted => "endpoint_unencrypted",
    TimelineFork => "timeline_fork",
    BackupIncremental => "backup_incremental",
    StorageClassCold => "storage_class_cold",
    StorageClassInfrequent => "storage_class_infrequent",
    FirstBackupAwaited => "first_backup_awaited",
    BackupDamaged => "backup_damaged",
    TablespaceMissing => "tablespace_missing",
    OperatorDropsTimelines => "operator_drops_timelines",
    ContentUnverified => "content_unverified",
    DeletedEarly => "deleted_early",
    ArchiveNotFound => "archive_not_found",
    LifecycleRuleConflict => "lifecycle_rule_conflict",
    RestoreDrillInconclusive => "restore_drill_inconclusive",
    RecoveryTooSlow => "recovery_too_slow",
    ContentVerificationStuck => "content_verification_stuck",
    ArchiveOrphaned => "archive_orphaned",
    ListingUnusable => "listing_unusable",
}
