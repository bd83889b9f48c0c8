//! The rules of `x-kubernetes-validations`, in the few forms that the installed definitions use.
//!
//! It is no CEL: a definition with a rule of another form is refused, so that none goes unchecked.

use serde_json::Value;
use serde_json::json;

use crate::kubernetes::cause::Cause;
use crate::kubernetes::validate::Place;

/// A rule that can be judged.
#[derive(Debug, PartialEq, Eq)]
enum Rule<'a> {
    /// `!has(self.FIELD)`
    Absent(&'a str),
    /// `!(has(self.ONE) && has(self.OTHER))`
    NotBoth(&'a str, &'a str),
    /// `self == oldSelf`, which is judged on a change only.
    Unchanged,
    /// `!self.exists(a, a.startsWith('PREFIX'))`
    NoneStartsWith(&'a str),
}

impl<'a> Rule<'a> {
    fn parse(rule: &'a str) -> Option<Self> {
        let field = |text: &'a str| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = text.strip_prefix("has(self.")?.strip_suffix(')')?;
            name.chars().all(is_name).then_some(name)
        };
        if matches!(rule, "self == oldSelf" | "oldSelf == self") {
            return Some(Self::Unchanged);
        }
        let negated = rule.strip_prefix('!')?;
        if let Some(name) = field(negated) {
            return Some(Self::Absent(name));
        }
        if let Some(both) = negated.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            let (one, other) = both.split_once(" && ")?;
            return Some(Self::NotBoth(field(one)?, field(other)?));
        }
        let prefix = negated.strip_prefix("self.exists(a, a.startsWith('")?;
        Some(Self::NoneStartsWith(prefix.strip_suffix("'))")?))
    }

    fn holds(&self, value: &Value, live: Option<&Value>) -> bool {
        match self {
            Self::Absent(field) => value.get(field).is_none(),
            Self::NotBoth(one, other) => value.get(one).is_none() || value.get(other).is_none(),
            Self::Unchanged => live.is_none_or(|live| live == value),
            Self::NoneStartsWith(prefix) => {
                let mut items = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                !items.any(|item| item.starts_with(prefix))
            }
        }
    }
}

/// Whether a rule of a definition can be judged.
pub(super) fn is_known(rule: &str) -> bool {
    Rule::parse(rule).is_some()
}

/// Judges the rules of a value.
pub(super) fn check(place: &Place<'_>, causes: &mut Vec<Cause>) {
    let validations = place.schema["x-kubernetes-validations"].as_array();
    for validation in validations.into_iter().flatten() {
        let text = validation["rule"].as_str().unwrap_or("");
        let rule = Rule::parse(text).expect("checked with the definition");
        if rule.holds(place.value, place.live) {
            continue;
        }
        let message = validation["message"].as_str().unwrap_or(text);
        let field = validation["fieldPath"].as_str().unwrap_or("");
        let field = format!("{}{field}", place.path);
        causes.push(match validation["reason"].as_str() {
            Some("FieldValueForbidden") => Cause::forbidden(field, message),
            Some("FieldValueRequired") => Cause::required(field, message),
            _ => {
                let shown = match place.value {
                    Value::Object(_) => json!("object"),
                    Value::Array(_) => json!("array"),
                    value => value.clone(),
                };
                Cause::invalid(field, &shown, message)
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_or_refused() {
        assert_eq!(Rule::parse("!has(self.serverName)"), Some(Rule::Absent("serverName")));
        assert_eq!(Rule::parse("oldSelf == self"), Some(Rule::Unchanged));
        assert_eq!(Rule::parse("!(has(self.a) && has(self.b))"), Some(Rule::NotBoth("a", "b")));
        assert!(is_known("!self.exists(a, a.startsWith('--log-level'))"));
        assert!(!is_known("self.size() > 0"));
    }
}
