//! What `check` looks at: archives of the configuration, or one named by its address.

use std::path;
use std::path::Path;

use crate::config::Config;
use crate::config::archive::ArchiveConfig;
use crate::config::archive::Archives;
use crate::config::arguments::CheckArguments;
use crate::config::arguments::ExpectationArguments;
use crate::config::arguments::FileArguments;
use crate::config::arguments::Output;
use crate::config::arguments::SelectionArguments;
use crate::config::credentials::Credentials;
use crate::config::drills::DrillsConfig;
use crate::config::environment::Overrides;
use crate::config::expectations::BASE_BACKUP_AGE_MAX_EXACTLY;
use crate::config::expectations::ExpectationConfig;
use crate::config::format;
use crate::config::kubernetes::KubernetesConfig;
use crate::config::object_stores::ObjectStoresConfig;
use crate::config::problem::ConfigError;
use crate::config::problem::ConfigProblem;
use crate::config::read_file;
use crate::config::reader::SettingReader;
use crate::domain::cluster::ClusterScope;
use crate::domain::codec::Bzip2;
use crate::domain::depth::Depth;
use crate::domain::destination::ARCHIVE;
use crate::domain::destination::Access;
use crate::domain::destination::Destination;
use crate::domain::destination::ENDPOINT_URL;
use crate::domain::format::AGE_MAX;
use crate::domain::format::BASE_BACKUP_AGE_MAX;
use crate::domain::format::REGION;
use crate::domain::retention_policy::RetentionPolicy;

/// Everything one pass of `check` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConfig {
    pub chosen: ChosenArchives,
    pub output: Output,
    pub depth: Depth,
}

/// Which archives a command looks at, as far as is known before Kubernetes is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenArchives {
    /// Those of the configuration that are meant; empty only where Kubernetes may know others. An
    /// archive named by its address has empty names and is held only to what flags say.
    pub archives: Vec<ArchiveConfig>,
    /// Only archives of these clusters are meant, also of those that Kubernetes shows.
    pub scope: Option<ClusterScope>,
    /// Never asked for an archive named by its address.
    pub kubernetes: KubernetesConfig,
    pub credentials: Credentials,
    pub object_stores: ObjectStoresConfig,
    pub bzip2_decoder: Bzip2,
    pub drills: DrillsConfig,
    /// Of what is read to its last byte by `read-backup`.
    pub bytes_per_second_max: u64,
    /// How many segments one look opens at most; `None` where nobody said it.
    pub segments_per_look: Option<usize>,
    /// The defaults for archives that Kubernetes shows, without the flags.
    pub expectations: ExpectationConfig,
    /// Applied to `archives` already; wins over annotations too.
    pub flags: FlagExpectations,
}

impl CheckConfig {
    pub fn read(arguments: &CheckArguments) -> Result<Self, ConfigError> {
        Self::read_with(arguments, Overrides::from_environment())
    }

    fn read_with(arguments: &CheckArguments, overrides: Overrides) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(overrides);
        let chosen = Chosen {
            file: &arguments.file,
            selection: &arguments.selection,
            expectations: &arguments.expectations,
        };
        let chosen = chosen.read(&mut reader);
        reader.finish(Some(Self {
            chosen,
            output: arguments.output,
            depth: arguments.depth.into(),
        }))
    }
}

/// What flags say of the archives that are meant and what they are held to.
pub(super) struct Chosen<'a> {
    pub(super) file: &'a FileArguments,
    pub(super) selection: &'a SelectionArguments,
    pub(super) expectations: &'a ExpectationArguments,
}

impl SelectionArguments {
    fn scope(&self) -> Option<ClusterScope> {
        let namespace = self.namespace.clone()?;
        Some(ClusterScope { namespace, cluster: self.cluster.clone() })
    }
}

impl Chosen<'_> {
    pub(super) fn read(&self, reader: &mut SettingReader) -> ChosenArchives {
        let document = read_file(reader, self.file.config.as_deref());
        let flags = FlagExpectations::read(reader, self.selection, self.expectations);
        let segments_per_look = reader.flag(
            "--segments-per-look",
            self.selection.segments_per_look.as_deref(),
            &format::SEGMENTS_PER_LOOK,
        );
        let needed = match self.selection.archive {
            Some(_) => Archives::Optional,
            None => Archives::Needed(
                "at least one archive, or --archive, since kubernetes.enabled is false",
            ),
        };
        let config = Config::read_document(reader, document.as_ref(), needed);
        let scope = self.selection.scope();
        let (mut archives, kubernetes) = match &self.selection.archive {
            Some(address) => {
                let archive = read_archive(reader, address, self.selection);
                (Vec::from_iter(archive), KubernetesConfig::never())
            }
            None => {
                let archives = select(reader, config.archives, scope.as_ref(), &config.kubernetes);
                (archives, config.kubernetes)
            }
        };
        archives.iter_mut().for_each(|archive| flags.apply(archive));
        ChosenArchives {
            archives,
            scope,
            kubernetes,
            credentials: config.credentials,
            object_stores: config.object_stores,
            bzip2_decoder: config.bzip2_decoder,
            drills: config.drills,
            bytes_per_second_max: config.content.bytes_per_second_max,
            segments_per_look: segments_per_look.or(config.segments_per_look),
            expectations: config.expectations,
            flags,
        }
    }
}

/// The archive that `--archive` names.
fn read_archive(
    reader: &mut SettingReader,
    address: &str,
    selection: &SelectionArguments,
) -> Option<ArchiveConfig> {
    let archive = if note_path(reader, "--archive", address) {
        None
    } else {
        reader.flag("--archive", Some(address), &ARCHIVE)
    };
    let access = (selection.endpoint_url.as_deref(), selection.region.as_deref());
    let access = read_access(reader, access, archive.as_ref().map(|(destination, _)| destination));
    let (destination, server_name) = archive?;
    let name = match &destination {
        // A whole bucket has no other name.
        Destination::S3 { bucket, .. } if server_name.is_empty() => bucket.clone(),
        Destination::S3 { .. } | Destination::Directory(_) => server_name.clone(),
    };
    Some(ArchiveConfig::at(name, destination.archive_address(server_name, access)))
}

/// What is said of how the store is reached: nothing may be of a directory.
pub(super) fn read_access(
    reader: &mut SettingReader,
    (endpoint_url, region): (Option<&str>, Option<&str>),
    destination: Option<&Destination>,
) -> Access {
    let access = Access {
        endpoint_url: reader.flag("--endpoint-url", endpoint_url, &ENDPOINT_URL),
        region: reader.flag("--region", region, &REGION),
    };
    if destination.is_some_and(Destination::is_directory) {
        for (flag, text) in [("--endpoint-url", endpoint_url), ("--region", region)] {
            if text.is_some() {
                let expected = "nothing, since the archive is a directory";
                reader.note(ConfigProblem::new(flag, expected, "a value"));
            }
        }
    }
    access
}

/// Refuses the path of a directory, and says how it is written as an address.
pub(super) fn note_path(reader: &mut SettingReader, flag: &str, address: &str) -> bool {
    if !is_path(address) {
        return false;
    }
    let meant = path::absolute(address).map(|path| format!("file://{}", path.display()));
    let expected = "an address; that of a directory begins with file://";
    let meant = meant.map(|meant| format!("; you probably meant {meant}")).unwrap_or_default();
    reader.note(ConfigProblem::new(flag, expected, format!("{address:?}{meant}")));
    true
}

/// As people name directories everywhere else.
fn is_path(address: &str) -> bool {
    !address.contains("://") && (address.starts_with(['/', '.']) || Path::new(address).exists())
}

/// The archives of one cluster, or all: after a restore a cluster may have several.
fn select(
    reader: &mut SettingReader,
    archives: Vec<ArchiveConfig>,
    scope: Option<&ClusterScope>,
    kubernetes: &KubernetesConfig,
) -> Vec<ArchiveConfig> {
    let Some(scope) = scope else { return archives };
    let names: Vec<String> = archives.iter().map(|archive| archive.id.to_string()).collect();
    let is_meant = |it: &ArchiveConfig| scope.holds(&it.id.namespace, &it.id.cluster);
    let selected: Vec<ArchiveConfig> = archives.into_iter().filter(is_meant).collect();
    // An archive that has a problem was left out and may be the one.
    if selected.is_empty() && !kubernetes.may_discover() && !reader.has_problems() {
        let expected = format!("a cluster of the configuration: {}", names.join(", "));
        let found = format!("{:?}", scope.to_string());
        reader.note(ConfigProblem::new(scope_flags(scope), expected, found));
    }
    selected
}

/// By which flags somebody named it.
pub const fn scope_flags(scope: &ClusterScope) -> &'static str {
    match scope.cluster {
        Some(_) => "--namespace --cluster",
        None => "--namespace",
    }
}

/// Expectations from flags, which win over the configuration and over annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagExpectations {
    pub expectations: ExpectationConfig,
    pub retention_policy: Option<RetentionPolicy>,
}

impl FlagExpectations {
    fn read(
        reader: &mut SettingReader,
        selection: &SelectionArguments,
        expectations: &ExpectationArguments,
    ) -> Self {
        let ExpectationArguments { wal_max_age, base_backup_max_age, uploading_grace, retention } =
            expectations;
        let base_backup_format = match selection.archive {
            Some(_) => &BASE_BACKUP_AGE_MAX_EXACTLY,
            None => &BASE_BACKUP_AGE_MAX,
        };
        Self {
            expectations: ExpectationConfig {
                wal_age_max: reader.flag("--wal-max-age", wal_max_age.as_deref(), &AGE_MAX),
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

    /// Holds an archive to what the flags say.
    pub fn apply(&self, archive: &mut ArchiveConfig) {
        archive.expectations = self.expectations.or(archive.expectations);
        if let Some(retention_policy) = &self.retention_policy {
            archive.retention_policy = Some(retention_policy.clone());
        }
    }
}

#[cfg(test)]
mod tests;
