//! Tells Kubernetes what changed, as Events on a `Cluster`.

use chrono::DateTime;
use chrono::Utc;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::Client;
use kube::api::ObjectMeta;
use kube::api::PostParams;
use tokio::time::timeout;

use crate::observation::Reading;
use crate::observation::Unreadable;
use crate::observation::UnreadableReason;
use crate::sources::kubernetes::failure;
use crate::sources::limits;

/// An Event to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// That of the object it is about.
    pub namespace: String,
    /// The same for the same event, so that a restart does not tell it again.
    pub name: String,
    pub regarding: Regarding,
    /// One word, such as `WALGapDetected`.
    pub reason: String,
    /// For people; cut to 1 KiB.
    pub note: String,
    pub is_warning: bool,
    pub at: DateTime<Utc>,
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regarding {
    /// Such as `postgresql.cnpg.io/v1`.
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
}

/// What became of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    Created,
    /// There is one of this name already.
    AlreadyTold,
}

const REPORTER: &str = "backup-verifier.monosense.dev/cnpg-backup-verifier";

/// Creates it; needs no other verb.
pub(super) async fn post(client: &Client, event: NewEvent) -> Reading<Posted> {
    let what = format!("create the Event {}/{}", event.namespace, event.name);
    let api: Api<Event> = Api::namespaced(client.clone(), &event.namespace);
    let event = resource(event);
    let parameters = PostParams::default();
    let posted = timeout(limits::KUBERNETES_CALL, api.create(&parameters, &event)).await;
    match posted {
        Ok(Ok(_)) => Ok(Posted::Created),
        Ok(Err(kube::Error::Api(status))) if status.is_already_exists() => Ok(Posted::AlreadyTold),
        Ok(Err(error)) => Err(failure::unreadable(what, &error)),
        Err(_) => Err(Unreadable {
            what,
            why: format!("no answer within {} s", limits::KUBERNETES_CALL.as_secs()),
            reason: UnreadableReason::Timeout,
        }),
    }
}

/// With all fields that the server demands (`ValidateEventCreate` in
/// `pkg/apis/core/validation/events.go`).
fn resource(event: NewEvent) -> Event {
    let Regarding { api_version, kind, name, uid } = event.regarding;
    let metadata = ObjectMeta {
        name: Some(event.name),
        namespace: Some(event.namespace.clone()),
        ..ObjectMeta::default()
    };
    Event {
        action: Some("Verify".to_owned()),
        event_time: Timestamp::from_microsecond(event.at.timestamp_micros()).ok().map(MicroTime),
        metadata,
        note: Some(cut(event.note)),
        reason: Some(event.reason),
        regarding: Some(ObjectReference {
            api_version: Some(api_version),
            kind: Some(kind),
            name: Some(name),
            namespace: Some(event.namespace),
            uid: Some(uid),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some("cnpg-backup-verifier".to_owned()),
        type_: Some(if event.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}

fn cut(mut note: String) -> String {
    note.truncate(note.floor_char_boundary(limits::EVENT_NOTE_BYTES_MAX));
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_the_server_demands() {
        let event = resource(NewEvent {
            namespace: "databases".to_owned(),
            name: "postgres.wal-gap.17".to_owned(),
            regarding: Regarding {
                api_version: "postgresql.cnpg.io/v1".to_owned(),
                kind: "Cluster".to_owned(),
                name: "postgres".to_owned(),
                uid: "u1".to_owned(),
            },
            reason: "WALGapDetected".to_owned(),
            note: "\u{e9}".repeat(600),
            is_warning: true,
            at: "2026-01-10T12:00:00.5Z".parse().unwrap(),
        });
        let event = serde_json::to_value(event).unwrap();
        assert_eq!(event["eventTime"], "2026-01-10T12:00:00.500000Z");
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["regarding"]["namespace"], event["metadata"]["namespace"]);
        assert_eq!(event["note"].as_str().unwrap().len(), 1024);
        for field in ["action", "reason", "reportingController", "reportingInstance"] {
            let text = event[field].as_str().unwrap();
            assert!((1..=128).contains(&text.len()), "{field}: {text}");
        }
    }
}
