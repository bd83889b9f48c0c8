//! What archives are held to, as far as the configuration says.

use chrono::TimeDelta;

use crate::config::format;
use crate::config::reader::Section;
use crate::domain::format::AGE_MAX;
use crate::domain::format::BASE_BACKUP_AGE_MAX;
use crate::domain::format::BaseBackupAgeMax;
use crate::domain::format::Flaw;
use crate::domain::format::Format;
use crate::domain::format::LOSS_ACCEPTED;
use crate::domain::format::LossAccepted;

/// What one archive is held to; `None` expects nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectationConfig {
    pub base_backup_age_max: Option<BaseBackupAgeMax>,
    pub wal_age_max: Option<TimeDelta>,
    pub uploading_grace: Option<TimeDelta>,
    /// Gaps from before then are known and accepted.
    pub acknowledge_gap_before: Option<LossAccepted>,
}

/// For an archive that is named by its address alone, and so has no schedule.
pub(super) const BASE_BACKUP_AGE_MAX_EXACTLY: Format<BaseBackupAgeMax> = Format {
    expected: "a duration with its unit from 1s to 3650d, such as 26h",
    parse: |text| match text {
        "auto" => Err(Flaw::Because("\"auto\", though --archive names no schedule".to_owned())),
        _ => (AGE_MAX.parse)(text).map(BaseBackupAgeMax::Exactly),
    },
};

impl ExpectationConfig {
    /// For archives in a configuration that says nothing else.
    pub const DEFAULT: Self = Self {
        base_backup_age_max: Some(BaseBackupAgeMax::FromSchedule),
        // Three times CloudNativePG's archive_timeout of five minutes.
        wal_age_max: Some(TimeDelta::minutes(15)),
        uploading_grace: Some(TimeDelta::minutes(10)),
        acknowledge_gap_before: None,
    };

    /// The defaults for all archives.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self::read_ages(section).or(Self::DEFAULT)
    }

    /// What one archive is held to.
    pub(super) fn read_for_archive(section: &mut Section<'_>, defaults: Self) -> Self {
        let acknowledge_gap_before = section.text("acknowledge_gap_before", &LOSS_ACCEPTED);
        Self { acknowledge_gap_before, ..Self::read_ages(section).or(defaults) }
    }

    fn read_ages(section: &mut Section<'_>) -> Self {
        Self {
            base_backup_age_max: section.text("base_backup_max_age", &BASE_BACKUP_AGE_MAX),
            wal_age_max: section.text("wal_max_age", &AGE_MAX),
            uploading_grace: section.text("uploading_grace", &format::GRACE),
            acknowledge_gap_before: None,
        }
    }

    /// Takes from `other` what is not said here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            base_backup_age_max: self.base_backup_age_max.or(other.base_backup_age_max),
            wal_age_max: self.wal_age_max.or(other.wal_age_max),
            uploading_grace: self.uploading_grace.or(other.uploading_grace),
            acknowledge_gap_before: self.acknowledge_gap_before.or(other.acknowledge_gap_before),
        }
    }
}
