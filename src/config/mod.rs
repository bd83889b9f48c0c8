//! Flags, environment and one YAML file in; one checked configuration out, or all its problems.
//!
//! Opens no port, asks no store, and reads no credential. Nothing else reads the environment.

mod archive;
mod archives;
mod arguments;
mod check;
mod content;
mod credentials;
mod document;
mod drills;
mod environment;
mod expectations;
mod format;
mod jobs;
mod key_file;
mod kubernetes;
mod object_stores;
mod polling;
mod problem;
mod read_backup;
mod reader;
mod restore;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub use crate::config::archive::ArchiveConfig;
use crate::config::archive::Archives;
pub use crate::config::archives::ArchivesConfig;
pub use crate::config::arguments::ArchivesArguments;
pub use crate::config::arguments::CheckArguments;
pub use crate::config::arguments::DrillArguments;
pub use crate::config::arguments::DrillOutput;
pub use crate::config::arguments::Output;
pub use crate::config::arguments::PlanOutput;
pub use crate::config::arguments::ReadBackupArguments;
pub use crate::config::arguments::RestoreArguments;
pub use crate::config::arguments::RestorePlanArguments;
pub use crate::config::arguments::RunArguments;
pub use crate::config::arguments::WalRestoreArguments;
pub use crate::config::check::CheckConfig;
pub use crate::config::check::ChosenArchives;
pub use crate::config::check::FlagExpectations;
pub use crate::config::check::scope_flags;
pub use crate::config::content::ContentConfig;
pub use crate::config::credentials::Credentials;
use crate::config::document::Node;
pub use crate::config::drills::DrillsConfig;
use crate::config::environment::Overrides;
pub use crate::config::expectations::ExpectationConfig;
pub use crate::config::jobs::JobsConfig;
pub use crate::config::key_file::open_key_file;
pub use crate::config::kubernetes::KubernetesConfig;
pub use crate::config::kubernetes::KubernetesEnabled;
pub use crate::config::object_stores::ObjectStoresConfig;
pub use crate::config::polling::Polling;
pub use crate::config::problem::ConfigError;
pub use crate::config::problem::ConfigProblem;
pub use crate::config::read_backup::ReadBackupConfig;
use crate::config::reader::Section;
use crate::config::reader::SettingReader;
pub use crate::config::restore::CleanUp;
pub use crate::config::restore::DrillConfig;
pub use crate::config::restore::FurtherReadings;
pub use crate::config::restore::ONE_ARCHIVE;
pub use crate::config::restore::OperatorConfig;
pub use crate::config::restore::RestoreConfig;
pub use crate::config::restore::RestorePlanConfig;
pub use crate::config::restore::ServerConfig;
use crate::domain::codec::Bzip2;

/// Everything the daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// Between two looks at each archive.
    pub poll_interval: Duration,
    pub polling: Polling,
    /// Between two listings of everything; not shorter than `poll_interval`.
    pub full_listing_interval: Duration,
    /// How many segments one look opens at most; `None` leaves it to the command.
    pub segments_per_look: Option<usize>,
    pub kubernetes: KubernetesConfig,
    pub credentials: Credentials,
    pub object_stores: ObjectStoresConfig,
    pub bzip2_decoder: Bzip2,
    pub content: ContentConfig,
    pub drills: DrillsConfig,
    /// Empty only where Kubernetes may name others.
    pub archives: Vec<ArchiveConfig>,
    /// For archives that say nothing else; those in `archives` have them filled in.
    pub expectations: ExpectationConfig,
}

impl Config {
    /// The configuration of the daemon: at least one archive, unless Kubernetes may name some.
    pub fn read(arguments: &RunArguments) -> Result<Self, ConfigError> {
        Self::read_with(arguments, Overrides::from_environment())
    }

    /// The same from the text of a file, without flags and environment.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(Overrides::default());
        let document = Node::parse(text, "the configuration");
        let document = document.map_err(|problem| reader.note(problem)).ok();
        let config = Self::read_document(&mut reader, document.as_ref(), WITHOUT_KUBERNETES);
        reader.finish(Some(config))
    }

    fn read_with(arguments: &RunArguments, overrides: Overrides) -> Result<Self, ConfigError> {
        let listen = arguments.listen.as_deref();
        let mut reader = SettingReader::new(overrides.with_flag("listen", "--listen", listen));
        let document = read_file(&mut reader, arguments.file.config.as_deref());
        let config = Self::read_document(&mut reader, document.as_ref(), WITHOUT_KUBERNETES);
        reader.finish(Some(config))
    }

    /// Reads all settings; defaults stand in for what has a problem.
    fn read_document(
        reader: &mut SettingReader,
        document: Option<&Node>,
        needed: Archives,
    ) -> Self {
        // What a file that could not be read may name is not missed.
        let needed = document.map_or(Archives::Optional, |_| needed);
        reader.read(document.unwrap_or(&Node::Null), |section| {
            let listen = section.text("listen", &format::LISTEN).unwrap_or(LISTEN);
            let poll_interval = section.text("poll_interval", &format::POLL_INTERVAL);
            let poll_interval = poll_interval.unwrap_or(POLL_INTERVAL);
            let polling = section.text("polling", &polling::POLLING).unwrap_or_default();
            let full_listing_interval = full_listing_interval(section, poll_interval, polling);
            let segments_per_look = section.count("segments_per_look", &format::SEGMENTS_PER_LOOK);
            let mut kubernetes = section.section("kubernetes", KubernetesConfig::read);
            let needed = if kubernetes.may_discover() { Archives::Optional } else { needed };
            let credentials = section.section("credentials", |section| {
                kubernetes.read_from_credentials(section);
                credentials::read_files(section)
            });
            let object_stores = section.section("object_stores", ObjectStoresConfig::read);
            let bzip2_decoder = section.text("bzip2_decoder", &format::BZIP2_DECODER);
            let content = section.section("content", ContentConfig::read);
            if content.jobs.is_some() {
                jobs::note_missing(section, &credentials, &kubernetes);
            }
            let drills = section.section("drills", DrillsConfig::read);
            if drills.namespace.is_some() && !kubernetes.may_discover() {
                let expected = "nothing, since kubernetes.enabled is false";
                section.note::<()>("drills.namespace", expected, "a namespace");
            }
            kubernetes.drill_namespace.clone_from(&drills.namespace);
            let expectations = section.section("expectations", ExpectationConfig::read);
            let archives = archive::read_archives(section, expectations, needed);
            Self {
                listen,
                poll_interval,
                polling,
                full_listing_interval,
                segments_per_look,
                kubernetes,
                credentials,
                object_stores,
                bzip2_decoder: bzip2_decoder.unwrap_or_default(),
                content,
                drills,
                archives,
                expectations,
            }
        })
    }
}

fn full_listing_interval(
    section: &mut Section<'_>,
    poll_interval: Duration,
    polling: Polling,
) -> Duration {
    const KEY: &str = "full_listing_interval";
    let interval = section.text(KEY, &format::FULL_LISTING_INTERVAL);
    if let Some(interval) = interval.filter(|interval| *interval < poll_interval) {
        let expected = "a duration not shorter than poll_interval";
        section.note::<()>(KEY, expected, humantime::format_duration(interval).to_string());
    }
    interval.unwrap_or(polling.full_listing_interval()).max(poll_interval)
}

/// Reads the file, if there is one; a file that cannot be read is a problem and no document.
fn read_file(reader: &mut SettingReader, path: Option<&Path>) -> Option<Node> {
    let Some(path) = path else { return Some(Node::Null) };
    let origin = path.display().to_string();
    let document = read_text(path)
        .map_err(|found| ConfigProblem::new(&origin, "a readable file of at most 1 MiB", found))
        .and_then(|text| Node::parse(&text, &origin));
    document.map_err(|problem| reader.note(problem)).ok()
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    let bytes = read.map_err(|error| error.to_string())?;
    if FILE_BYTES_MAX < bytes as u64 { Err("a larger one".to_owned()) } else { Ok(text) }
}

const WITHOUT_KUBERNETES: Archives =
    Archives::Needed("at least one archive, since kubernetes.enabled is false");

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// What a `ConfigMap` can hold.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests;
