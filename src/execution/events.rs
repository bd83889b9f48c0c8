//! Writes Events on the `Cluster` they speak of.
//!
//! Each has a name that follows from what it says, so that two replicas write it once.

use chrono::DateTime;
use chrono::Utc;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ObjectMeta;
use kube::api::PostParams;
use tokio::time::timeout;

use crate::domain::cluster::ClusterId;
use crate::publication::events::Event;
use crate::sources::kubernetes::Kubernetes;
use crate::sources::kubernetes::failure;
use crate::sources::limits;

const REPORTER: &str = "backup-verifier.monosense.dev/cnpg-backup-verifier";

/// `note` of an Event holds 1 KiB (`NoteLengthLimit` in `pkg/apis/core/validation/events.go`).
const NOTE_BYTES_MAX: usize = 1 << 10;

/// Creates what changed; needs no other verb. An Event that cannot be written is logged and lost:
/// pages and metrics do not depend on it.
pub async fn write(
    kubernetes: &Kubernetes,
    cluster: &ClusterId,
    uid: &str,
    events: Vec<Event>,
    now: DateTime<Utc>,
) {
    let api = Api::namespaced(kubernetes.client().clone(), &cluster.namespace);
    for event in events {
        let reason = event.reason.as_str();
        let event = resource(cluster, uid, event, now);
        let parameters = PostParams::default();
        let error = match timeout(limits::KUBERNETES_CALL, api.create(&parameters, &event)).await {
            Ok(Ok(_)) => continue,
            // Another replica wrote it, or we did before a restart.
            Ok(Err(kube::Error::Api(status))) if status.is_already_exists() => continue,
            Ok(Err(error)) => failure::why(&error),
            Err(_) => format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs()),
        };
        tracing::warn!(error, reason, "no event was written on cluster {cluster}");
    }
}

/// With all fields that the server demands (`ValidateEventCreate` in
/// `pkg/apis/core/validation/events.go`).
fn resource(cluster: &ClusterId, uid: &str, event: Event, now: DateTime<Utc>) -> v1::Event {
    let metadata = ObjectMeta {
        name: Some(name(cluster, uid, &event, now)),
        namespace: Some(cluster.namespace.clone()),
        ..ObjectMeta::default()
    };
    let is_warning = event.reason.is_warning();
    let mut note = event.note;
    note.truncate(note.floor_char_boundary(NOTE_BYTES_MAX));
    v1::Event {
        action: Some("Verify".to_owned()),
        event_time: Timestamp::from_microsecond(now.timestamp_micros()).ok().map(MicroTime),
        metadata,
        note: Some(note),
        reason: Some(event.reason.as_str().to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some("postgresql.cnpg.io/v1".to_owned()),
            kind: Some("Cluster".to_owned()),
            name: Some(cluster.name.clone()),
            namespace: Some(cluster.namespace.clone()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some("cnpg-backup-verifier".to_owned()),
        type_: Some(if is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..v1::Event::default()
    }
}

/// The same for all replicas that see the same change within the same hour.
fn name(cluster: &ClusterId, uid: &str, event: &Event, now: DateTime<Utc>) -> String {
    let hour = now.format("%Y%m%d%H").to_string();
    let parts = [uid, event.reason.as_str(), &event.key, &hour];
    // Names of objects have at most 253 characters, those of clusters at most 50.
    format!("{}.{:016x}", cluster.name, fnv1a(&parts.join("\n")))
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

    fn written(note: &str, key: &str, at: &str) -> serde_json::Value {
        let cluster = ClusterId { namespace: "databases".to_owned(), name: "postgres".to_owned() };
        let (note, key) = (note.to_owned(), key.to_owned());
        let event = Event { reason: Reason::WalGapDetected, note, key };
        serde_json::to_value(resource(&cluster, "u1", event, at.parse().unwrap())).unwrap()
    }

    #[test]
    fn an_event_has_what_the_server_demands() {
        let event = written(&"\u{20ac}".repeat(600), "one", "2026-01-10T12:00:00.5Z");
        assert_eq!(event["eventTime"], "2026-01-10T12:00:00.500000Z");
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["regarding"]["namespace"], event["metadata"]["namespace"]);
        assert_eq!(event["note"].as_str().unwrap().len(), 1023, "whole characters of three bytes");
        for field in ["action", "reason", "reportingController", "reportingInstance"] {
            let text = event[field].as_str().unwrap();
            assert!((1..=128).contains(&text.len()), "{field}: {text}");
        }
    }

    #[test]
    fn the_name_tells_the_change_and_not_who_saw_it() {
        let name = |key, at| written("either", key, at)["metadata"]["name"].clone();
        let (first, later) = ("2026-01-10T12:00:05Z", "2026-01-10T12:40:00Z");
        assert_eq!(name("one", first), name("one", later));
        assert_ne!(name("one", first), name("two", first));
        assert_ne!(name("one", first), name("one", "2026-01-10T13:00:00Z"));
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
