//! How a version of CloudNativePG and the cluster around it behave.

use std::time::Duration;

use test_servers::barman::Barman;

/// What the pod that restores is spared, or is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    #[default]
    Lives,
    /// It is not scheduled.
    Waits,
    /// Its image cannot be pulled.
    HasNoImage,
    /// Nobody may create it.
    HasNoQuota,
    /// It runs, and nothing comes of it.
    Hangs,
    /// The kernel ends the sidecar.
    RunsOutOfMemory,
    /// It is deleted with its node.
    IsKilled,
}

#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// From 1.28.4, 1.29.2 and 1.30 on a failed Job becomes a phase.
    pub(crate) tells_unrecoverable: bool,
    pub(crate) fate: Fate,
    /// How many pods the Job makes, one after the other, before it has failed: seven in the real world.
    pub(crate) attempts: u32,
    /// What Barman is told, where that is not what the archive is told.
    pub(crate) barman: Option<Barman>,
    /// It is told so at the first attempt only.
    pub(crate) heals: bool,
    /// Which server name Barman is told, where that is not what the manifest says.
    pub(crate) server_name: Option<String>,
    /// A segment that is gone from the archive as it begins.
    pub(crate) loses: Option<String>,
    /// Parameters of the manifest that do not get to PostgreSQL.
    pub(crate) forgotten: &'static [&'static str],
    /// It gives no history file to PostgreSQL, as 1.28.1 does.
    pub(crate) drops_histories: bool,
    /// How long what a cluster owns is there after somebody has deleted it.
    pub(crate) collects_after: Duration,
    /// The volume has no room for what is replayed.
    pub(crate) disk_is_full: bool,
}

impl Habits {
    pub(crate) fn of(fate: Fate) -> Self {
        Self { fate, ..Self::default() }
    }

    pub(super) fn forgets(&self, parameter: &str) -> bool {
        self.forgotten.contains(&parameter)
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            tells_unrecoverable: true,
            fate: Fate::default(),
            attempts: 1,
            barman: None,
            heals: false,
            server_name: None,
            loses: None,
            forgotten: &[],
            drops_histories: false,
            collects_after: Duration::ZERO,
            disk_is_full: false,
        }
    }
}
