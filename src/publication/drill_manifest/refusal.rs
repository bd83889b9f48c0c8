//! What must not be drilled, since it would not prove anything or could do harm.

use serde_json::Value;

use crate::domain::archive_id::ArchiveAddress;
use crate::domain::archive_id::StoreAddress;
use crate::domain::destination::Declared;
use crate::domain::destination::declared_address;
use crate::domain::drill_source::DrillStore;
use crate::domain::recovery_cluster::RecoveryCluster;
use crate::publication::drill_manifest::DrillOrder;

/// Why there is no drill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrillRefusal {
    #[error("drills run in a namespace of their own, and {0:?} is that of the source")]
    SameNamespace(String),
    #[error("no ObjectStore in namespace {namespace:?} leads to {archive}: it has {found}")]
    NoStore { namespace: String, archive: String, found: String },
    #[error("the source writes under server name {written:?}, but the archive is {archive}")]
    OtherServer { written: String, archive: String },
    #[error("the archive {0} is in a directory, which no cluster can read")]
    Directory(String),
    #[error("nobody says where the archive lies")]
    NoAddress,
    #[error("the source names no image: neither status.image nor spec.imageName is set")]
    NoImage,
    #[error("the source does not say how large its volume is")]
    NoStorage,
    #[error("the manifest would have {0}")]
    Forbidden(&'static str),
}

/// What a drill's `Cluster` must not have: it would archive, be archived, follow, create what was lost,
/// read Secrets of others, or be counted as one that stays.
const FORBIDDEN: [&str; 13] = [
    "/spec/plugins",
    "/spec/backup",
    "/spec/managed",
    "/spec/replica",
    "/spec/env",
    "/spec/envFrom",
    "/spec/monitoring",
    "/spec/superuserSecret",
    "/spec/projectedVolumeTemplate",
    "/spec/bootstrap/recovery/database",
    "/spec/bootstrap/recovery/owner",
    "/spec/bootstrap/recovery/secret",
    "/spec/externalClusters/0/plugin/isWALArchiver",
];

pub(super) fn of_namespace(order: &DrillOrder<'_>) -> Result<(), DrillRefusal> {
    let source = order.source.namespace();
    if order.namespace == source || order.namespace == order.assessment.archive.namespace {
        return Err(DrillRefusal::SameNamespace(order.namespace.to_owned()));
    }
    Ok(())
}

/// The one that leads to the archive of the source, and nowhere else.
pub(super) fn store_of_archive<'a>(order: &DrillOrder<'a>) -> Result<&'a DrillStore, DrillRefusal> {
    let address = order.assessment.address.as_ref().ok_or(DrillRefusal::NoAddress)?;
    if matches!(address.store, StoreAddress::Directory(_)) {
        return Err(DrillRefusal::Directory(address.to_string()));
    }
    let written = order.source.server_name();
    if written != address.server_name || written != order.assessment.archive.server_name {
        let (written, archive) = (written.to_owned(), address.to_string());
        return Err(DrillRefusal::OtherServer { written, archive });
    }
    let leads_there = |store: &&DrillStore| is_same_place(store, address);
    order.stores.iter().find(leads_there).ok_or_else(|| {
        let found = order.stores.iter().map(|it| format!("{} ({})", it.name, it.destination_path));
        let found: Vec<String> = found.collect();
        DrillRefusal::NoStore {
            namespace: order.namespace.to_owned(),
            archive: address.to_string(),
            found: if found.is_empty() { "none".to_owned() } else { found.join(", ") },
        }
    })
}

/// Whatever region is named: it leads to no other bucket.
fn is_same_place(store: &DrillStore, address: &ArchiveAddress) -> bool {
    let declared = declared_address(Declared {
        destination_path: &store.destination_path,
        endpoint_url: store.endpoint_url.as_deref(),
        region: None,
        server_name: &address.server_name,
    });
    let place = |address: &ArchiveAddress| {
        let StoreAddress::S3 { bucket, endpoint_url, .. } = &address.store else { return None };
        let endpoint_url = endpoint_url.as_deref().map(|it| it.trim_end_matches('/').to_owned());
        Some((bucket.clone(), endpoint_url, address.prefix.trim_matches('/').to_owned()))
    };
    declared.is_ok_and(|declared| place(&declared).is_some() && place(&declared) == place(address))
}

/// Asked of what will be sent, whoever made it.
pub(super) fn of_manifest(cluster: &RecoveryCluster) -> Result<(), DrillRefusal> {
    let sent = serde_json::to_value(cluster).unwrap_or(Value::Null);
    match forbidden(&sent) {
        Some(field) => Err(DrillRefusal::Forbidden(field)),
        None => Ok(()),
    }
}

fn forbidden(manifest: &Value) -> Option<&'static str> {
    let is_there = |pointer: &&&str| manifest.pointer(pointer).is_some();
    if let Some(found) = FORBIDDEN.iter().find(is_there) {
        return Some(found);
    }
    let is_named = manifest.pointer("/spec/bootstrap/recovery/recoveryTarget/backupID").is_some();
    (!is_named).then_some("no backupID")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_archives_follows_or_creates_is_forbidden() {
        let target = json!({"backupID": "20260101T000000"});
        let plugin = json!({"name": "a plugin", "parameters": {}});
        let sound = json!({"spec": {
            "bootstrap": {"recovery": {"recoveryTarget": target}},
            "externalClusters": [{"name": "origin", "plugin": plugin}],
        }});
        assert_eq!(forbidden(&sound), None);
        for pointer in FORBIDDEN {
            let mut manifest = sound.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            manifest.pointer_mut(parent).unwrap()[field] = json!([]);
            assert_eq!(forbidden(&manifest), Some(pointer));
        }
        assert_eq!(forbidden(&json!({"spec": {}})), Some("no backupID"));
        assert_eq!(forbidden(&Value::Null), Some("no backupID"));
    }

    #[test]
    fn a_store_is_the_archives_by_bucket_prefix_and_endpoint() {
        let address = |path: &str, endpoint_url: Option<&str>| {
            let declared = Declared {
                destination_path: path,
                endpoint_url,
                region: Some("eu-west-1"),
                server_name: "main",
            };
            declared_address(declared).unwrap()
        };
        let store = |path: &str, endpoint_url: Option<&str>| DrillStore {
            name: "store".to_owned(),
            destination_path: path.to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
        };
        let url = Some("https://s3.example.com");
        let archive = address("s3://cnpg/prod", url);
        assert!(is_same_place(
            &store("s3://cnpg/prod/", Some("https://s3.example.com/")),
            &archive
        ));
        for other in [
            store("s3://cnpg/", url),
            store("s3://cnpg2/prod", url),
            store("s3://cnpg/prod", None),
            store("s3://cnpg/prod", Some("https://s3.example.org")),
            store("nonsense", url),
        ] {
            assert!(!is_same_place(&other, &archive), "{other:?}");
        }
    }
}
