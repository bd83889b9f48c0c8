//! Finds the archives at a place, for whoever does not remember how a server was called.

use anyhow::anyhow;

use crate::assessment::verdict::Verdict;
use crate::config::ArchivesConfig;
use crate::config::CheckConfig;
use crate::config::ChosenArchives;
use crate::domain::archive_id::ArchiveAddress;
use crate::domain::depth::Depth;
use crate::service::check::check;
use crate::service::output;
use crate::service::progress;
use crate::service::world::World;
use crate::sources::archive::surroundings::Below;
use crate::sources::archive::surroundings::archives_below;
use crate::sources::store::opening::Access;

/// Prints the address of each, or checks them all; then tells the worst verdict.
pub async fn archives(config: ArchivesConfig) -> anyhow::Result<Option<Verdict>> {
    let chosen = config.chosen.clone();
    let (credentials, object_stores) = (&chosen.credentials, chosen.object_stores.clone());
    let world =
        World::open(credentials, object_stores, chosen.bzip2_decoder, &chosen.kubernetes).await?;
    let place = config.place();
    let store = world.stores.open(&place, &Access::default());
    let below = {
        let _shown = progress::wait(format!("looking for archives at {place}"));
        archives_below(store.as_ref(), place.folder().as_str()).await
    };
    let below = below.map_err(|error| anyhow!("list {place}: {error}"))?;
    if below.archives.is_empty() {
        return Err(absence(&place, &below));
    }
    let archives: Vec<_> = below.archives.iter().map(|name| config.archive(name)).collect();
    if let Some(output) = config.check {
        let chosen = ChosenArchives { archives, ..chosen };
        let checked = CheckConfig { chosen, output, depth: Depth::Listing };
        return check(checked).await.map(Some);
    }
    let addresses: Vec<String> = archives.iter().map(|it| it.address.to_string()).collect();
    output::print(&addresses.join("\n"))?;
    if below.has_more {
        tracing::warn!("{place} has more folders than were looked into");
    }
    Ok(None)
}

/// What is there instead.
fn absence(place: &ArchiveAddress, below: &Below) -> anyhow::Error {
    let others = match below.others.as_slice() {
        [] => "nothing is there".to_owned(),
        others => format!("there are {}", others.join(", ")),
    };
    anyhow!("no folder at {place} holds base/ or wals/: {others}")
}
