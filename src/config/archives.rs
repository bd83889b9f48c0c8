//! What `archives` looks at: a place where the folders of servers lie.

use crate::config::Config;
use crate::config::archive::ArchiveConfig;
use crate::config::archive::Archives;
use crate::config::arguments::ArchivesArguments;
use crate::config::arguments::Output;
use crate::config::check::ChosenArchives;
use crate::config::check::FlagExpectations;
use crate::config::check::note_path;
use crate::config::check::read_access;
use crate::config::environment::Overrides;
use crate::config::expectations::ExpectationConfig;
use crate::config::kubernetes::KubernetesConfig;
use crate::config::problem::ConfigError;
use crate::config::read_file;
use crate::config::reader::SettingReader;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::destination::Access;
use crate::domain::destination::DESTINATION;
use crate::domain::destination::Destination;

/// Everything that `archives` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivesConfig {
    destination: Destination,
    access: Access,
    /// Without the archives, which are to be found.
    pub chosen: ChosenArchives,
    /// How the result of a check of each is printed; `None` where only their addresses are wanted.
    pub check: Option<Output>,
}

impl ArchivesConfig {
    pub fn read(arguments: &ArchivesArguments) -> Result<Self, ConfigError> {
        let mut reader = SettingReader::new(Overrides::from_environment());
        let document = read_file(&mut reader, arguments.file.config.as_deref());
        let config = Config::read_document(&mut reader, document.as_ref(), Archives::Optional);
        let destination = if note_path(&mut reader, "--at", &arguments.at) {
            None
        } else {
            reader.flag("--at", Some(&arguments.at), &DESTINATION)
        };
        let access = (arguments.endpoint_url.as_deref(), arguments.region.as_deref());
        let access = read_access(&mut reader, access, destination.as_ref());
        let chosen = ChosenArchives {
            archives: Vec::new(),
            scope: None,
            kubernetes: KubernetesConfig::never(),
            credentials: config.credentials,
            object_stores: config.object_stores,
            drills: config.drills,
            bzip2_decoder: config.bzip2_decoder,
            segments_per_look: config.segments_per_look,
            expectations: ExpectationConfig::default(),
            flags: FlagExpectations::default(),
            bytes_per_second_max: config.content.bytes_per_second_max,
        };
        let check = arguments.check.then_some(arguments.output);
        let read = destination.map(|destination| Self { destination, access, chosen, check });
        reader.finish(read)
    }

    /// The place itself, as the address of an archive without a name.
    pub fn place(&self) -> ArchiveAddress {
        self.destination.clone().archive_address(String::new(), self.access.clone())
    }

    /// The archive of a server whose folder lies there.
    pub fn archive(&self, server_name: &str) -> ArchiveConfig {
        let (destination, access) = (self.destination.clone(), self.access.clone());
        let address = destination.archive_address(server_name.to_owned(), access);
        ArchiveConfig::at(server_name.to_owned(), address)
    }
}
