//! Reads one base backup to its last byte, in the pod of a Job, and leaves the result where Kubernetes
//! keeps it.

use std::sync::Arc;

use anyhow::Context;

use crate::assessment::damages;
use crate::config::ReadBackupConfig;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::backup::BackupId;
use crate::observation::Observation;
use crate::observation::backup_result::BackupResult;
use crate::observation::backup_result::ReadBackup;
use crate::observation::backup_result::ReadingEnd;
use crate::observation::backup_result::ReadingKey;
use crate::service::clock;
use crate::service::verified::sum_of;
use crate::service::world::World;
use crate::sources::archive::Collector;
use crate::sources::archive::Listing;
use crate::sources::archive::verification::Progress;
use crate::sources::store::metered::ByteRate;
use crate::sources::store::metered::BytesRead;
use crate::sources::store::metered::MeteredStore;
use crate::sources::store::opening::Access;

/// What was read, and whether it was read to its end: damaged or not, that is all that a Job has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Read,
    Unread,
}

/// Reads, writes the result, and tells whether there is anything to be told of the backup.
pub async fn read_backup(config: ReadBackupConfig) -> anyhow::Result<Outcome> {
    let key = ReadingKey::parse(&config.key).context("--key is no key")?;
    let chosen = config.chosen;
    let archive = chosen.archives.first().context("--archive names no archive")?;
    let (bzip2, kubernetes) = (chosen.bzip2_decoder, &chosen.kubernetes);
    let world =
        World::open(&chosen.credentials, chosen.object_stores.clone(), bzip2, kubernetes).await?;
    let reading = LoneReading {
        bytes: Arc::default(),
        rate: Arc::new(ByteRate::new(chosen.bytes_per_second_max)),
        id: config.backup,
    };
    let end = match reading.read(&world, &archive.address).await {
        Ok(read) => ReadingEnd::Read(read),
        Err(why) => ReadingEnd::Unread(why),
    };
    let outcome = match &end {
        ReadingEnd::Read(_) => Outcome::Read,
        ReadingEnd::Unread(why) => {
            tracing::error!(backup = %reading.id, why, "the base backup could not be read");
            Outcome::Unread
        }
    };
    // The kubelet has made the file, in a folder that cannot be written.
    std::fs::write(&config.result, BackupResult { key, end }.encode())
        .with_context(|| format!("write the result to {}", config.result.display()))?;
    Ok(outcome)
}

struct LoneReading {
    bytes: Arc<BytesRead>,
    rate: Arc<ByteRate>,
    id: BackupId,
}

impl LoneReading {
    /// Or why it cannot be read.
    async fn read(&self, world: &World, address: &ArchiveAddress) -> Result<ReadBackup, String> {
        let store = world.stores.open(address, &Access::default());
        let store = MeteredStore::new(store, Arc::clone(&self.rate), Arc::clone(&self.bytes));
        let turns = world.stores.turns(address);
        let mut collector = Collector::new(Arc::new(store), turns, address.folder());
        let seen = collector.observe(Listing::Complete, clock::now()).await;
        self.read_of(&collector, &seen).await
    }

    async fn read_of(
        &self,
        collector: &Collector,
        seen: &Observation,
    ) -> Result<ReadBackup, String> {
        let backups = seen.backups.as_ref().map_err(ToString::to_string)?;
        let backup = backups.iter().find(|backup| backup.id == self.id);
        let backup = backup.ok_or_else(|| format!("there is no backup {}", self.id))?;
        let info = backup.parsed_info().ok_or("its backup.info cannot be read")?;
        let sum = sum_of(backup).ok_or("the store gives no entity tags")?;
        let progress = Arc::<Progress>::default();
        let content = collector.verify_backup(backup, info, seen.archive.as_ref(), &progress).await;
        let unread = content.tars.iter().find_map(|tar| tar.report.as_ref().err());
        if let Some(unread) = unread.or(content.log_unread.as_ref()) {
            return Err(unread.to_string());
        }
        if content.tars.is_empty() {
            return Err("it has no tar files".to_owned());
        }
        Ok(ReadBackup {
            sum,
            objects: u64::try_from(content.tars.len()).unwrap_or(u64::MAX),
            bytes: self.bytes.base(),
            damages: damages(&content, info),
            more: 0,
        })
    }
}
