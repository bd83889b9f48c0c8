//! The archives that the configuration names.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::config::expectations::ExpectationConfig;
use crate::config::format;
use crate::config::reader::Section;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::ArchiveId;
use crate::domain::destination::Access;
use crate::domain::destination::DESTINATION;
use crate::domain::destination::ENDPOINT_URL;
use crate::domain::format::REGION;
use crate::domain::retention_policy::RetentionPolicy;
use crate::domain::schedule::Schedule;

/// One archive, where it lies, and what it is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveConfig {
    pub id: ArchiveId,
    pub address: ArchiveAddress,
    pub retention_policy: Option<RetentionPolicy>,
    pub schedule: Option<Schedule>,
    /// With the defaults for all archives filled in.
    pub expectations: ExpectationConfig,
}

impl ArchiveConfig {
    /// One that is named by its address alone, and held to nothing.
    pub(super) fn at(name: String, address: ArchiveAddress) -> Self {
        let id = ArchiveId { namespace: String::new(), cluster: String::new(), server_name: name };
        Self {
            id,
            address,
            retention_policy: None,
            schedule: None,
            expectations: ExpectationConfig::default(),
        }
    }
}

/// What is expected of `archives` where none are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Archives {
    Optional,
    Needed(&'static str),
}

/// Reads `archives`; an archive with a problem is left out.
pub(super) fn read_archives(
    section: &mut Section<'_>,
    defaults: ExpectationConfig,
    needed: Archives,
) -> Vec<ArchiveConfig> {
    let mut paths = BTreeMap::new();
    let archives = section.sections("archives", |section| {
        let archive = read_archive(section, defaults)?;
        match paths.entry(archive.id.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(section.path().to_owned());
                Some(archive)
            }
            Entry::Occupied(earlier) => section.note(
                "server_name",
                format!(
                    "a different one from {} with the same namespace and cluster",
                    earlier.get()
                ),
                format!("{:?}", archive.id.server_name),
            ),
        }
    });
    if let (true, Archives::Needed(expected)) = (archives.is_empty(), needed) {
        section.note_missing("archives", expected);
    }
    archives.into_iter().flatten().collect()
}

fn read_archive(section: &mut Section<'_>, defaults: ExpectationConfig) -> Option<ArchiveConfig> {
    let namespace = section.required("namespace", &format::NAME);
    let cluster = section.required("cluster", &format::NAME);
    let server_name = section.text("server_name", &format::SERVER_NAME);
    let destination = section.required("destination_path", &DESTINATION);
    let s3_keys = ["endpoint_url", "region"].into_iter().filter(|key| section.has(key));
    let s3_keys: Vec<&str> = s3_keys.collect();
    let access = Access {
        endpoint_url: section.text("endpoint_url", &ENDPOINT_URL),
        region: section.text("region", &REGION),
    };
    let retention_policy = section.text("retention_policy", &format::RETENTION);
    let schedule = section.text("schedule", &format::SCHEDULE);
    let expectations = section
        .section("expectations", |section| ExpectationConfig::read_for_archive(section, defaults));

    let destination = destination?;
    if destination.is_directory() {
        for key in s3_keys {
            section.note::<()>(key, "nothing, since the archive is a directory", "a value");
        }
    }
    let (namespace, cluster) = (namespace?, cluster?);
    // As the plugin does where `serverName` is absent.
    let server_name = server_name.unwrap_or_else(|| cluster.clone());
    Some(ArchiveConfig {
        id: ArchiveId { namespace, cluster, server_name: server_name.clone() },
        address: destination.archive_address(server_name, access),
        retention_policy,
        schedule,
        expectations,
    })
}
