//! A restore on this machine, for the commands that need one: from the plan to a server that answers.

mod scratch;
mod stage;
mod tablespaces;
mod usage;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;

use crate::assessment::plan::Restore;
use crate::config::ServerConfig;
use crate::domain::backup_info::BackupInfo;
use crate::domain::backup_info::BackupWal;
use crate::domain::backup_info::Tablespace;
use crate::observation::backup::ObservedBackup;
use crate::restore::account::Account;
use crate::restore::delivery::Source;
use crate::restore::failed::Failed;
use crate::restore::place::Durability;
use crate::restore::place::Place;
use crate::restore::programs::Programs;
use crate::restore::questions::Access;
use crate::restore::recovery::Course;
use crate::restore::recovery::Recovered;
use crate::restore::recovery::Recovery;
use crate::service::watched::Watched;
use crate::service::world::World;
use crate::sources::store::metered::ByteRate;
use crate::sources::store::metered::BytesRead;
use crate::sources::store::metered::MeteredStore;

pub(super) use crate::service::restoring::scratch::Scratch;
pub(super) use crate::service::restoring::scratch::end_server;
pub(super) use crate::service::restoring::scratch::server_on;
use crate::service::restoring::stage::Stage;
pub(super) use crate::service::restoring::tablespaces::directories;

/// Everything that is known before the first byte is written.
pub(super) struct Prepared<'a> {
    source: Source,
    /// How much of it was read.
    pub(super) read: Arc<BytesRead>,
    backup: &'a ObservedBackup,
    info: &'a BackupInfo,
    wal: BackupWal,
    pub(super) plan: &'a Restore,
    pub(super) account: Account,
    pub(super) programs: Programs,
    program: PathBuf,
    server: &'a ServerConfig,
}

/// The superuser that CloudNativePG makes.
const SUPERUSER: &str = "postgres";

impl<'a> Prepared<'a> {
    /// Finds what is needed on this machine, and says what is missing.
    pub(super) async fn of(
        archive: &'a Watched,
        world: &World,
        plan: &'a Restore,
        server: &'a ServerConfig,
    ) -> anyhow::Result<Self> {
        let id = plan.backup_id();
        let address = archive.spec.address.as_ref().context("the cluster has no archive")?;
        let backup = archive.base_backup(id);
        let backup = backup.with_context(|| format!("the backup {id} is not there any more"))?;
        let info = backup.parsed_info().with_context(|| format!("{id}: no backup.info"))?;
        let wal = info.wal.with_context(|| format!("{id}: backup.info names no WAL"))?;
        let version = info.server_version.context("backup.info names no version of PostgreSQL")?;
        let account = Account::choose(server.account.as_deref()).map_err(usage::of_account)?;
        let programs = Programs::find(server.programs.as_deref(), version / 10_000).await;
        let programs = programs.map_err(usage::of_programs)?;
        let read = Arc::<BytesRead>::default();
        let store = world.stores.open(address, &archive.spec.access);
        let store = MeteredStore::new(store, Arc::new(ByteRate::new(u64::MAX)), Arc::clone(&read));
        let turns = world.stores.turns(address);
        let source = Source { store: Arc::new(store), turns, folder: address.folder() };
        let program = std::env::current_exe().context("find the running program")?;
        Ok(Self { source, read, backup, info, wal, plan, account, programs, program, server })
    }

    pub(super) fn base_bytes(&self) -> u64 {
        self.backup.size_bytes()
    }

    pub(super) const fn system_identifier(&self) -> Option<u64> {
        self.info.system_identifier
    }

    /// How the restored server is asked.
    pub(super) fn access(&self, sockets: &Path) -> Access {
        let major = self.info.server_version.unwrap_or_default() / 10_000;
        Access::local(sockets, self.role(), major)
    }

    pub(super) fn role(&self) -> &str {
        self.server.role.as_deref().unwrap_or(SUPERUSER)
    }

    pub(super) fn tablespaces(&self) -> &[Tablespace] {
        &self.info.tablespaces
    }

    /// Restores, and tells on stderr how far it is.
    pub(super) async fn recover_at(
        &self,
        place: Place,
        durability: Durability,
        course: &mut Course,
    ) -> Result<Recovered, Failed> {
        let stage = Stage::show(Arc::clone(&self.read), self.base_bytes());
        let recovery = Recovery {
            source: self.source.clone(),
            backup: self.backup,
            info: self.info,
            wal: self.wal,
            plan: self.plan,
            place,
            programs: self.programs.clone(),
            program: self.program.clone(),
            durability,
            settings: self.server.settings.clone(),
        };
        recovery.run(course, |step| stage.enter(step)).await
    }
}
