//! What is drilled where nobody says it: what the daemon says is due.

use crate::config::ArchiveConfig;
use crate::config::DrillConfig;
use crate::config::ExpectationConfig;
use crate::domain::archive_id::ArchiveId;
use crate::domain::cluster::ClusterScope;
use crate::domain::destination::Declared;
use crate::domain::destination::declared_address;
use crate::domain::drill_source::DrillStore;
use crate::service::drill::operator::refused;
use crate::sources::due_drill;
use crate::sources::due_drill::DueDrill;
use crate::sources::kubernetes::drills::DrillNamespace;

/// Fills in what the daemon says. Whether there is anything to be drilled.
pub(super) async fn choose(
    config: &mut DrillConfig,
    namespace: &DrillNamespace,
) -> anyhow::Result<bool> {
    let Some(daemon) = &config.operator.daemon else { return Ok(true) };
    let asked = due_drill::ask(daemon).await;
    let due = asked.map_err(|why| anyhow::anyhow!("ask {daemon} which drill is due: {why}"))?;
    let Some(due) = due else { return Ok(false) };
    let stores = namespace.stores().await.map_err(|unread| anyhow::anyhow!("{unread}"))?;
    let archive = archive(&due, &stores).map_err(|why| refused(&why))?;
    tracing::info!(archive = %archive.id, kind = due.kind.code(), due.why, "a drill is due");
    let scope = ClusterScope { namespace: due.cnpg_namespace, cluster: Some(due.cnpg_cluster) };
    (config.kind, config.seed) = (due.kind, Some(due.seed));
    config.chosen.scope = Some(scope);
    config.chosen.archives = vec![archive];
    Ok(true)
}

/// The archive, as a store of the namespace of drills leads to it: the daemon does not say by which
/// endpoint.
fn archive(due: &DueDrill, stores: &[DrillStore]) -> Result<ArchiveConfig, String> {
    let path = due.destination_path.as_deref().ok_or("the archive that is due is in no bucket")?;
    let plain = |path: &str| path.trim_end_matches('/').to_owned();
    let mut leading = stores.iter().filter(|it| plain(&it.destination_path) == plain(path));
    let store = leading.next().ok_or_else(|| format!("no ObjectStore leads to {path}"))?;
    if leading.next().is_some() {
        return Err(format!("several ObjectStores lead to {path}"));
    }
    let address = declared_address(Declared {
        destination_path: path,
        endpoint_url: store.endpoint_url.as_deref(),
        region: None,
        server_name: &due.server_name,
    });
    Ok(ArchiveConfig {
        id: ArchiveId {
            namespace: due.cnpg_namespace.clone(),
            cluster: due.cnpg_cluster.clone(),
            server_name: due.server_name.clone(),
        },
        address: address.map_err(|error| error.to_string())?,
        retention_policy: None,
        schedule: None,
        expectations: ExpectationConfig::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::DrillKind;

    fn due(destination_path: Option<&str>) -> DueDrill {
        DueDrill {
            kind: DrillKind::Full,
            cnpg_namespace: "databases".to_owned(),
            cnpg_cluster: "main".to_owned(),
            server_name: "main-2".to_owned(),
            destination_path: destination_path.map(str::to_owned),
            seed: 1,
            why: String::new(),
        }
    }

    fn store(path: &str) -> DrillStore {
        DrillStore {
            name: "store".to_owned(),
            destination_path: path.to_owned(),
            endpoint_url: Some("https://s3.example.com".to_owned()),
        }
    }

    #[test]
    fn the_archive_is_where_the_only_store_leads() {
        let stores = [store("s3://backups/a/"), store("s3://backups/b")];
        let found = archive(&due(Some("s3://backups/b/")), &stores).unwrap();
        assert_eq!(found.address.to_string(), "s3://backups/b/main-2");
        assert_eq!(found.id.to_string(), "databases/main (main-2)");
    }

    #[test]
    fn what_no_store_or_several_lead_to_is_refused() {
        let stores = [store("s3://backups/a/"), store("s3://backups/a")];
        for (path, why) in [
            (Some("s3://backups/a"), "several ObjectStores lead to s3://backups/a"),
            (Some("s3://backups/b"), "no ObjectStore leads to s3://backups/b"),
            (None, "the archive that is due is in no bucket"),
        ] {
            assert_eq!(archive(&due(path), &stores).unwrap_err(), why);
        }
    }
}
