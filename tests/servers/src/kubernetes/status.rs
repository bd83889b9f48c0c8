//! `metav1.Status` as the API server words it (`apimachinery/pkg/api/errors/errors.go`).

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::types::ResourceType;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// No such path: the plain text of a server that does not have the group installed.
    PageNotFound,
    Status {
        status: Value,
        /// Seconds, for `Retry-After`.
        retry_after: Option<u64>,
    },
}

impl Failure {
    pub(super) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "reason": reason, "code": code,
        });
        Self::Status { status, retry_after: None }.without_empty_reason()
    }

    fn without_empty_reason(mut self) -> Self {
        if let Self::Status { status, .. } = &mut self
            && status["reason"] == ""
            && let Some(map) = status.as_object_mut()
        {
            map.remove("reason");
        }
        self
    }

    fn with_details(mut self, details: Value) -> Self {
        if let Self::Status { status, .. } = &mut self {
            status["details"] = details;
        }
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// `what` continues "… is forbidden: ", as in `User "x" cannot list resource …`.
    pub(super) fn forbidden(group: &str, plural: &str, name: &str, what: &str) -> Self {
        let qualified = qualified(group, plural);
        let message = if name.is_empty() {
            format!("{qualified} is forbidden: {what}")
        } else {
            format!("{qualified} \"{name}\" is forbidden: {what}")
        };
        Self::new(403, "Forbidden", message).with_details(named_details(group, plural, name))
    }

    pub(super) fn not_found(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, plural));
        Self::new(404, "NotFound", message).with_details(named_details(group, plural, name))
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message)
    }

    pub(super) fn already_exists(kind: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        Self::new(409, "AlreadyExists", message).with_details(named_details(
            &kind.group,
            &kind.plural,
            name,
        ))
    }

    pub(super) fn conflict(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Self::new(409, "Conflict", message).with_details(named_details(
            &kind.group,
            &kind.plural,
            name,
        ))
    }

    pub(super) fn apply_conflict(conflicts: &[(String, String)]) -> Self {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                let message = format!("conflict with \"{manager}\"");
                json!({ "reason": "FieldManagerConflict", "message": message, "field": field })
            })
            .collect();
        let plural = if causes.len() == 1 { "" } else { "s" };
        let listed: Vec<String> =
            conflicts.iter().map(|(manager, field)| format!("{manager:?}: {field}")).collect();
        let message = format!(
            "Apply failed with {} conflict{plural}: conflict with {}",
            causes.len(),
            listed.join(", ")
        );
        Self::new(409, "Conflict", message).with_details(json!({ "causes": causes }))
    }

    pub(super) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(super) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let errors: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let errors = match errors.as_slice() {
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let message = format!("{} \"{name}\" is invalid: {errors}", qualified(group, kind));
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| {
                json!({
                    "reason": cause.reason, "message": cause.message, "field": cause.field,
                })
            })
            .collect();
        let mut details = named_details(group, kind, name);
        details["causes"] = Value::Array(causes);
        Self::new(422, "Invalid", message).with_details(details)
    }

    pub(super) fn too_many_requests(retry_after: u64) -> Self {
        let message = "the server has received too many requests and has asked us to try again \
                       later";
        let details = json!({ "retryAfterSeconds": retry_after });
        match Self::new(429, "TooManyRequests", message).with_details(details) {
            Self::Status { status, .. } => Self::Status { status, retry_after: Some(retry_after) },
            page @ Self::PageNotFound => page,
        }
    }

    pub(super) fn timeout_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = json!({
            "reason": "ResourceVersionTooLarge", "message": "Too large resource version",
        });
        let details = json!({ "causes": [cause], "retryAfterSeconds": 1 });
        match Self::new(504, "Timeout", message).with_details(details) {
            Self::Status { status, .. } => Self::Status { status, retry_after: Some(1) },
            page @ Self::PageNotFound => page,
        }
    }

    /// The HTTP status.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::PageNotFound => 404,
            Self::Status { status, .. } => {
                status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500)
            }
        }
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::PageNotFound => PAGE_NOT_FOUND,
            Self::Status { status, .. } => status["message"].as_str().unwrap_or(""),
        }
    }

    /// Puts a text before the message, as an admission webhook's refusal is reported.
    pub(super) fn prefixed(mut self, prefix: &str) -> Self {
        let message = format!("{prefix}{}", self.message());
        if let Self::Status { status, .. } = &mut self {
            status["message"] = Value::String(message);
        }
        self
    }

    /// Adds a cause without a field, as a terminating namespace does.
    pub(super) fn caused_by(mut self, reason: &str, message: &str) -> Self {
        if let Self::Status { status, .. } = &mut self {
            status["details"]["causes"] = json!([{ "reason": reason, "message": message }]);
        }
        self
    }
}

/// What `net/http` writes for a path that nobody serves.
pub(super) const PAGE_NOT_FOUND: &str = "404 page not found\n";

fn named_details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({ "kind": kind });
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    details
}

fn qualified(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}
