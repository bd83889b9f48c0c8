//! Writes Events on the `Cluster` they speak of.
//!
//! Each has a name that follows from what it says, so that two replicas write it once.

use chrono::DateTime;
use chrono::Utc;

use crate::publication::events::Event;
use crate::service::archive_spec::ArchiveSpec;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::NewEvent;
use crate::sources::kubernetes::Regarding;

/// Sends what changed. An Event that cannot be sent is logged and lost: pages and metrics do not
/// depend on it.
pub(super) async fn write(
    kubernetes: &Kubernetes,
    spec: &ArchiveSpec,
    events: Vec<Event>,
    now: DateTime<Utc>,
) {
    let Some(cluster) = spec.cluster.as_deref() else { return };
    for event in events {
        let new = NewEvent {
            namespace: cluster.id.namespace.clone(),
            name: name(&cluster.id.name, &cluster.uid, &event, now),
            regarding: Regarding {
                api_version: "postgresql.cnpg.io/v1".to_owned(),
                kind: "Cluster".to_owned(),
                name: cluster.id.name.clone(),
                uid: cluster.uid.clone(),
            },
            reason: event.reason.as_str().to_owned(),
            note: event.note,
            is_warning: event.reason.is_warning(),
            at: now,
        };
        let (reason, cluster) = (event.reason.as_str(), &cluster.id);
        if let Err(error) = kubernetes.post_event(new).await {
            tracing::warn!(%error, reason, "no event was written on cluster {cluster}");
        }
    }
}

/// The same for all replicas that see the same change within the same hour.
fn name(cluster: &str, uid: &str, event: &Event, now: DateTime<Utc>) -> String {
    let hour = now.format("%Y%m%d%H").to_string();
    let parts = [uid, event.reason.as_str(), &event.key, &hour];
    // Names of objects have at most 253 characters, those of clusters at most 50.
    format!("{cluster}.{:016x}", fnv1a(&parts.join("\n")))
}

/// FNV-1a: the hash must stay the same across versions of the program, which `Hash` does not promise.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::events::Reason;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn the_name_tells_the_change_and_not_who_saw_it() {
        let event = |key: &str| Event {
            reason: Reason::WalGapDetected,
            note: "either".to_owned(),
            key: key.to_owned(),
        };
        let name = |key, at| name("postgres", "uid", &event(key), at);
        let (first, later) = (at("2026-01-10T12:00:05Z"), at("2026-01-10T12:40:00Z"));
        assert_eq!(name("one", first), name("one", later));
        assert_ne!(name("one", first), name("two", first));
        assert_ne!(name("one", first), name("one", at("2026-01-10T13:00:00Z")));
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
