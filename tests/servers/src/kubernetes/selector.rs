//! Label and field selectors (`apimachinery/pkg/labels/selector.go`, `fields/selector.go`).

use serde_json::Value;

use crate::kubernetes::json::text;
use crate::kubernetes::json::text_map;
use crate::kubernetes::status::Failure;
use crate::kubernetes::types::ResourceType;

/// Which objects a list or a watch shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

#[derive(Clone, Debug)]
struct FieldRequirement {
    field: String,
    value: String,
    is_equal: bool,
}

impl Selector {
    /// Refuses a selector that cannot be read, and fields that the kind does not select by.
    pub(super) fn parse(
        kind: &ResourceType,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Failure> {
        let labels = labels.map_or(Ok(Vec::new()), parse_labels)?;
        let fields = fields.map_or(Ok(Vec::new()), |text| parse_fields(kind, text))?;
        Ok(Self { labels, fields })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = text_map(object, "/metadata/labels");
        let fits = |requirement: &Requirement| match requirement {
            Requirement::In(key, values) => {
                labels.get(key).is_some_and(|value| values.contains(value))
            }
            Requirement::NotIn(key, values) => {
                labels.get(key).is_none_or(|value| !values.contains(value))
            }
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Absent(key) => !labels.contains_key(key),
        };
        self.labels.iter().all(fits)
            && self.fields.iter().all(|requirement| {
                let pointer = format!("/{}", requirement.field.replace('.', "/"));
                (text(object, &pointer) == requirement.value) == requirement.is_equal
            })
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Failure> {
    let refuse = || {
        let message = format!("unable to parse requirement: found {text:?}, expected: a selector");
        Failure::bad_request(message)
    };
    split_outside_parentheses(text)
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| parse_requirement(part).ok_or_else(refuse))
        .collect()
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| {
        let text = text.trim();
        let is_key = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!text.is_empty() && text.chars().all(is_key)).then(|| text.to_owned())
    };
    if let Some((before, after)) = part.split_once('(') {
        let values = after.trim_end().strip_suffix(')')?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (name, operator) = before.trim().rsplit_once(' ')?;
        return match operator {
            "in" => Some(Requirement::In(key(name)?, values)),
            "notin" => Some(Requirement::NotIn(key(name)?, values)),
            _ => None,
        };
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(key(name)?, vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = part.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value).trim();
        return Some(Requirement::In(key(name)?, vec![value.to_owned()]));
    }
    match part.strip_prefix('!') {
        Some(name) => Some(Requirement::Absent(key(name)?)),
        None => Some(Requirement::Exists(key(part)?)),
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .collect()
}

fn parse_fields(kind: &ResourceType, text: &str) -> Result<Vec<FieldRequirement>, Failure> {
    let parse = |part: &str| {
        let (field, value, is_equal) = match part.split_once("!=") {
            Some((field, value)) => (field, value, false),
            None => {
                let (field, value) = part.split_once('=').ok_or_else(|| {
                    let message = format!("invalid selector: '{text}'; can't understand '{part}'");
                    Failure::bad_request(message)
                })?;
                (field, value.strip_prefix('=').unwrap_or(value), true)
            }
        };
        let is_known = matches!(field, "metadata.name" | "metadata.namespace")
            || kind.selectable_fields().contains(&field);
        if !is_known {
            let message = format!(
                "Unable to find {:?} that match label selector \"\", field selector {text:?}: \
                 field label not supported: {field}",
                format!("{}, Resource={}", kind.api_version(), kind.plural)
            );
            return Err(Failure::bad_request(message));
        }
        Ok(FieldRequirement { field: field.to_owned(), value: value.to_owned(), is_equal })
    };
    text.split(',').filter(|part| !part.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_label_selector_selects_by_equality_and_by_set() {
        let object = json!({ "metadata": { "labels": { "app": "a", "tier": "db" } } });
        let check = |text: &str, expected: bool| {
            let selector = Selector { labels: parse_labels(text).unwrap(), fields: Vec::new() };
            assert_eq!(selector.matches(&object), expected, "{text}");
        };
        check("app=a", true);
        check("app==a,tier=db", true);
        check("app!=a", false);
        check("zone!=x", true);
        check("app in (a, b),tier", true);
        check("app notin (a,b)", false);
        check("!app", false);
        check("!zone", true);
        check("zone", false);
        assert!(parse_labels("app in a").is_err());
        assert!(parse_labels("app like (a)").is_err());
    }
}
