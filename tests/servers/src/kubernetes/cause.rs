//! What is wrong with one field, worded as `field.Error` is
//! (`apimachinery/pkg/util/validation/field/errors.go`).

use serde_json::Value;

/// One entry of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

impl Cause {
    pub(super) fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueRequired", field, detail_after("Required value", detail))
    }

    pub(super) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    pub(super) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, detail_after("Forbidden", detail))
    }

    pub(super) fn unsupported(field: impl Into<String>, value: &Value, known: &[Value]) -> Self {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", known.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    pub(super) fn wrong_type(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new("FieldValueTypeInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    pub(super) fn new(
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { reason, field: field.into(), message: message.into() }
    }
}

fn detail_after(what: &str, detail: &str) -> String {
    if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") }
}
