//! What was seen of one archive, once. Says nothing of good or bad.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![warn(clippy::wildcard_enum_match_arm)]

pub mod backup;
pub mod backup_result;
pub mod cluster;
pub mod content;
mod edge_uploads;
pub mod expiry;
pub mod fold;
pub mod folder_sums;
pub mod inventory;
pub mod job;
pub mod probe;
pub mod probes;
pub mod range_ends;
pub mod recovery;
pub mod recovery_log;
pub mod sought;
pub mod store_clock;
pub mod surroundings;
pub mod timeline_archive;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use chrono::Utc;

use crate::domain::orphan::Orphan;
use crate::domain::timeline::HistoryError;
use crate::domain::timeline::TimelineHistory;
use crate::domain::timeline::TimelineId;
use crate::domain::unreadable::Unreadable;
use crate::observation::backup::ObservedBackup;
use crate::observation::cluster::ObservedCluster;
use crate::observation::content::Content;
use crate::observation::expiry::ExpiryRule;
use crate::observation::inventory::Inventory;
use crate::observation::probes::Probes;
use crate::observation::store_clock::StoreClock;
use crate::observation::surroundings::Surroundings;

/// A fact, or why it could not be read.
pub type Reading<T> = Result<T, Unreadable>;

/// All readings of one archive at one time.
#[derive(Clone, Debug)]
pub struct Observation {
    pub began_at: DateTime<Utc>,
    pub store_clock: StoreClock,
    /// When the latest listing of everything began: what was deleted before that was noticed.
    pub fully_listed_at: Option<DateTime<Utc>>,
    /// Why the store is asked for lists alone.
    pub head_trouble: Option<HeadTrouble>,
    /// By which the store deletes; `None` where it does not tell.
    pub expiry_rules: Option<Vec<ExpiryRule>>,
    pub backups: Reading<Vec<ObservedBackup>>,
    pub archive: Reading<Inventory>,
    /// Only where neither backups nor WAL were found.
    pub surroundings: Option<Reading<Surroundings>>,
    /// One entry for every history file that the archive lists.
    pub histories: BTreeMap<TimelineId, ObservedHistory>,
    pub probes: Probes,
    /// Empty unless objects were read to their last byte.
    pub content: Content,
    /// `None` for an archive that only the configuration names.
    pub cluster: Option<Arc<ObservedCluster>>,
    /// `None` unless it is known that no cluster names the archive.
    pub orphan: Option<Orphan>,
}

/// What is wrong with a store's answers to HEAD, where its lists are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTrouble {
    Refused,
    /// It says of something that it is there, and no list shows it.
    Invents,
}

/// What opening one history file showed.
pub type ObservedHistory = Reading<Result<TimelineHistory, HistoryDamage>>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryDamage {
    /// PostgreSQL refuses to start with it.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// barman-cloud-wal-restore cannot deliver it, so PostgreSQL takes it for missing.
    #[error("it cannot be decompressed: {0}")]
    Undecodable(String),
}

impl Observation {
    /// Nothing could be read.
    pub fn unread_archive(began_at: DateTime<Utc>, unreadable: Unreadable) -> Self {
        Self {
            began_at,
            store_clock: StoreClock::default(),
            fully_listed_at: None,
            head_trouble: None,
            expiry_rules: None,
            backups: Err(unreadable.clone()),
            archive: Err(unreadable),
            surroundings: None,
            histories: BTreeMap::new(),
            probes: Probes::default(),
            content: Content::default(),
            cluster: None,
            orphan: None,
        }
    }

    /// Whether every part of the archive was read.
    pub fn is_complete(&self) -> bool {
        self.unread().next().is_none()
    }

    /// Everything that could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Unreadable> {
        let backups = self.backups.as_ref();
        let infos = backups.into_iter().flatten().filter_map(ObservedBackup::unread);
        let histories = self.histories.values().filter_map(|history| history.as_ref().err());
        let around = self.surroundings.as_ref().and_then(|it| it.as_ref().err());
        let lists = backups.err().into_iter().chain(self.archive.as_ref().err()).chain(around);
        let read = histories.chain(self.probes.unread()).chain(self.content.unread());
        lists.chain(infos).chain(read)
    }
}
