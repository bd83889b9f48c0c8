//! What `check` looks at: archives of the configuration, or one named by its address.

use crate::config::Config;
use crate::config::archive::ArchiveConfig;
use crate::config::archive::Archives;
use crate::config::arguments::CheckArguments;
use crate::config::arguments::ExpectationArguments;
use crate::config::arguments::Output;
use crate::config::arguments::SelectionArguments;
use crate::config::credentials::Credentials;
use crate::config::environment::Overrides;
use crate::config::expectations::BASE_BACKUP_AGE_MAX;
use crate::config::expectations::BASE_BACKUP_AGE_MAX_EXACTLY;
use crate::config::expectations::ExpectationConfig;
use crate::config::format;
use crate::config::location::ARCHIVE;
use crate::config::location::Access;
use crate::config::location::ENDPOINT_URL;
use crate::config::problem::ConfigError;
use crate::config::problem::Problem;
use crate::config::read_file;
use crate::config::reader::Reader;
use crate::domain::archive_id::ArchiveId;
use crate::domain::retention_policy::RetentionPolicy;

/// Everything one pass of `check` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConfig {
    /// At least one. An archive named by its address has empty names and is held only to what
    /// flags say.
    pub archives: Vec<ArchiveConfig>,
    pub credentials: Credentials,
    pub output: Output,
}

impl CheckConfig {
    pub fn read(arguments: &CheckArguments) -> Result<Self, ConfigError> {
        Self::read_with(arguments, Overrides::from_environment())
    }

    fn read_with(arguments: &CheckArguments, overrides: Overrides) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(overrides);
        let document = read_file(&mut reader, arguments.file.config.as_deref());
        let flags = Flags::read(&mut reader, arguments);
        let needed = match arguments.selection.archive {
            Some(_) => Archives::Optional,
            None => {
                Archives::Needed("at least one archive, or --archive (Kubernetes is not asked yet)")
            }
        };
        let Config { archives, credentials, .. } =
            Config::read_document(&mut reader, document.as_ref(), needed);

        let mut archives = match &arguments.selection.archive {
            Some(address) => {
                Vec::from_iter(read_archive(&mut reader, address, &arguments.selection))
            }
            None => select(&mut reader, archives, &arguments.selection),
        };
        archives.iter_mut().for_each(|archive| flags.apply(archive));
        reader.finish(Some(Self { archives, credentials, output: arguments.output }))
    }
}

/// The archive that `--archive` names.
fn read_archive(
    reader: &mut Reader,
    address: &str,
    selection: &SelectionArguments,
) -> Option<ArchiveConfig> {
    let archive = reader.flag("--archive", Some(address), &ARCHIVE);
    let endpoint_url = selection.endpoint_url.as_deref();
    let region = selection.region.as_deref();
    let access = Access {
        endpoint_url: reader.flag("--endpoint-url", endpoint_url, &ENDPOINT_URL),
        region: reader.flag("--region", region, &format::REGION),
    };
    let (destination, server_name) = archive?;
    if destination.is_directory() {
        for (flag, text) in [("--endpoint-url", endpoint_url), ("--region", region)] {
            if text.is_some() {
                let expected = "nothing, since the archive is a directory";
                reader.note(Problem::new(flag, expected, "a value"));
            }
        }
    }
    let id = ArchiveId {
        namespace: String::new(),
        cluster: String::new(),
        server_name: server_name.clone(),
    };
    Some(ArchiveConfig {
        id,
        address: destination.archive_address(server_name, access),
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig::default(),
    })
}

/// The archives of one cluster, or all: after a restore a cluster may have several.
fn select(
    reader: &mut Reader,
    archives: Vec<ArchiveConfig>,
    selection: &SelectionArguments,
) -> Vec<ArchiveConfig> {
    let (Some(namespace), Some(cluster)) = (&selection.namespace, &selection.cluster) else {
        return archives;
    };
    let names: Vec<String> = archives.iter().map(|archive| archive.id.to_string()).collect();
    let of_cluster = |archive: &ArchiveConfig| {
        (&archive.id.namespace, &archive.id.cluster) == (namespace, cluster)
    };
    let selected: Vec<ArchiveConfig> = archives.into_iter().filter(of_cluster).collect();
    // An archive that has a problem was left out and may be the one.
    if selected.is_empty() && !reader.has_problems() {
        let expected = format!("a cluster of the configuration: {}", names.join(", "));
        let found = format!("{:?}", format!("{namespace}/{cluster}"));
        reader.note(Problem::new("--namespace --cluster", expected, found));
    }
    selected
}

/// Expectations from flags, which win over the configuration.
struct Flags {
    expectations: ExpectationConfig,
    retention_policy: Option<RetentionPolicy>,
}

impl Flags {
    fn read(reader: &mut Reader, arguments: &CheckArguments) -> Self {
        let ExpectationArguments { wal_max_age, base_backup_max_age, uploading_grace, retention } =
            &arguments.expectations;
        let base_backup_format = match arguments.selection.archive {
            Some(_) => &BASE_BACKUP_AGE_MAX_EXACTLY,
            None => &BASE_BACKUP_AGE_MAX,
        };
        Self {
            expectations: ExpectationConfig {
                wal_age_max: reader.flag("--wal-max-age", wal_max_age.as_deref(), &format::AGE_MAX),
                base_backup_age_max: reader.flag(
                    "--base-backup-max-age",
                    base_backup_max_age.as_deref(),
                    base_backup_format,
                ),
                uploading_grace: reader.flag(
                    "--uploading-grace",
                    uploading_grace.as_deref(),
                    &format::GRACE,
                ),
                acknowledge_gap_before: None,
            },
            retention_policy: reader.flag("--retention", retention.as_deref(), &format::RETENTION),
        }
    }

    fn apply(&self, archive: &mut ArchiveConfig) {
        archive.expectations = self.expectations.or(archive.expectations);
        if let Some(retention_policy) = &self.retention_policy {
            archive.retention_policy = Some(retention_policy.clone());
        }
    }
}

#[cfg(test)]
mod tests;
