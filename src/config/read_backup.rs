//! What a pod is told that reads one base backup.

use std::path::PathBuf;

use crate::config::arguments::ExpectationArguments;
use crate::config::arguments::FileArguments;
use crate::config::arguments::ReadBackupArguments;
use crate::config::arguments::SelectionArguments;
use crate::config::check::Chosen;
use crate::config::check::ChosenArchives;
use crate::config::environment::Overrides;
use crate::config::problem::ConfigError;
use crate::config::reader::SettingReader;
use crate::domain::backup::BackupId;
use crate::domain::format::Flaw;
use crate::domain::format::Format;

/// Which backup is read, and where its result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBackupConfig {
    /// One archive, by its address.
    pub chosen: ChosenArchives,
    pub backup: BackupId,
    /// As it was given: whoever gave it knows what it must be.
    pub key: String,
    pub result: PathBuf,
}

impl ReadBackupConfig {
    /// Settings come from variables alone.
    pub fn read(arguments: &ReadBackupArguments) -> Result<Self, ConfigError> {
        let ReadBackupArguments { archive, endpoint_url, region, backup, key, result } = arguments;
        let selection = SelectionArguments {
            archive: Some(archive.clone()),
            endpoint_url: endpoint_url.clone(),
            region: region.clone(),
            ..SelectionArguments::default()
        };
        let mut reader = SettingReader::new(Overrides::from_environment());
        let chosen = Chosen {
            file: &FileArguments::default(),
            selection: &selection,
            expectations: &ExpectationArguments::default(),
        };
        let chosen = chosen.read(&mut reader);
        let backup = reader.flag("--backup", Some(backup), &BACKUP);
        let config = backup.map(|backup| {
            let (key, result) = (key.clone(), result.clone());
            Self { chosen, backup, key, result }
        });
        reader.finish(config)
    }
}

const BACKUP: Format<BackupId> = Format {
    expected: "the identifier of a backup, such as 20260801T020000",
    parse: |text| BackupId::parse(text).map_err(|_| Flaw::Mismatch),
};
