//! Events of `events.k8s.io/v1` (`pkg/apis/core/validation/events.go`).

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::json::text;

/// `NoteLengthLimit`, in bytes.
const NOTE_MAX: usize = 1024;
/// `ReasonLengthLimit`, `ActionLengthLimit` and `ReportingInstanceLengthLimit`, in bytes.
const WORD_MAX: usize = 128;

/// Fields that an update cannot change; of the rest, only the series matters.
const IMMUTABLE: [(&str, &str); 13] = [
    ("regarding", "involvedObject"),
    ("reason", "reason"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

/// `ValidateEventCreate` and `ValidateEventUpdate`. The names of the fields in the messages are
/// those of the internal type, as the server has them.
pub(super) fn check(event: &Value, live: Option<&Value>) -> Vec<Cause> {
    let mut causes = place(event);
    let absent = |field: &str| event.get(field).is_none_or(Value::is_null);
    required(event, &mut causes);
    if live.is_none_or(|live| live.get("series") != event.get("series")) {
        series(event, &mut causes);
    }
    if let Some(live) = live {
        for (field, shown) in IMMUTABLE {
            if live.get(field) != event.get(field) {
                causes.push(Cause::invalid(shown, &event[field], "field is immutable"));
            }
        }
        return causes;
    }
    if absent("eventTime") {
        causes.push(Cause::required("eventTime", ""));
    }
    let kind = text(event, "/type");
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        causes.push(Cause::invalid("type", &json!(""), &detail));
    }
    for (field, shown) in &IMMUTABLE[3..7] {
        if !absent(field) {
            causes.push(Cause::invalid(*shown, &json!(""), "needs to be unset"));
        }
    }
    causes
}

/// An event lies in the namespace of what it is about.
fn place(event: &Value) -> Vec<Cause> {
    let own = text(event, "/metadata/namespace");
    let regarding = text(event, "/regarding/namespace");
    let fits = match regarding {
        "" => matches!(own, "default" | "kube-system"),
        regarding => regarding == own,
    };
    if fits {
        return Vec::new();
    }
    let detail = "does not match event.namespace";
    vec![Cause::invalid("involvedObject.namespace", &json!(regarding), detail)]
}

fn required(event: &Value, causes: &mut Vec<Cause>) {
    let controller = text(event, "/reportingController");
    if controller.is_empty() {
        causes.push(Cause::required("reportingController", ""));
    }
    if !is_qualified_name(controller) {
        let detail = "name part must consist of alphanumeric characters, '-', '_' or '.', and \
                      must start and end with an alphanumeric character";
        causes.push(Cause::invalid("reportingController", &json!(controller), detail));
    }
    for field in ["reportingInstance", "action", "reason"] {
        let word = text(event, &format!("/{field}"));
        if word.is_empty() {
            causes.push(Cause::required(field, ""));
        }
        if word.len() > WORD_MAX {
            let detail = format!("can have at most {WORD_MAX} characters");
            causes.push(Cause::invalid(field, &json!(""), &detail));
        }
    }
    if text(event, "/note").len() > NOTE_MAX {
        let detail = format!("can have at most {NOTE_MAX} characters");
        causes.push(Cause::invalid("message", &json!(""), &detail));
    }
}

fn series(event: &Value, causes: &mut Vec<Cause>) {
    let Some(series) = event.get("series").filter(|series| !series.is_null()) else { return };
    if series["count"].as_i64().unwrap_or(0) < 2 {
        causes.push(Cause::invalid("series.count", &json!(""), "should be at least 2"));
    }
    if text(series, "/lastObservedTime").is_empty() {
        causes.push(Cause::required("series.lastObservedTime", ""));
    }
}

/// `IsQualifiedName` in `apimachinery/pkg/util/validation`.
fn is_qualified_name(name: &str) -> bool {
    let (prefix, name) = name.split_once('/').map_or((None, name), |(p, n)| (Some(p), n));
    let is_end = |c: char| c.is_ascii_alphanumeric();
    prefix.is_none_or(crate::kubernetes::metadata::is_subdomain)
        && !name.is_empty()
        && name.len() <= 63
        && name.starts_with(is_end)
        && name.ends_with(is_end)
        && name.chars().all(|c| is_end(c) || "-_.".contains(c))
}
