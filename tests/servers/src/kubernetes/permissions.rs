//! What a user asked for against what its roles grant, both ways.

use std::collections::BTreeSet;
use std::fmt;

use crate::kubernetes::identity::User;
use crate::kubernetes::json::texts;
use crate::kubernetes::rbac;
use crate::kubernetes::requests::RequestRecord;
use crate::kubernetes::state::State;

/// A verb on a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Empty for the core group.
    pub group: String,
    /// The plural, with its subresource behind a slash; a path for what is no resource.
    pub resource: String,
    pub verb: String,
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource, verb } = self;
        if group.is_empty() {
            write!(formatter, "{verb} {resource}")
        } else {
            write!(formatter, "{verb} {resource}.{group}")
        }
    }
}

/// How a user's roles fit what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionUse {
    /// Asked for and not granted, wherever it was.
    pub refused: Vec<Permission>,
    /// Granted and never asked for.
    pub unused: Vec<Permission>,
}

/// What a user asked for, allowed or not.
pub(super) fn used(state: &State, user: &User) -> Vec<Permission> {
    sorted(records(state, user).filter_map(permission))
}

/// What the bindings of a user grant. `*` stays as it is written.
pub(super) fn granted(state: &State, user: &User) -> Vec<Permission> {
    let rules = rbac::rules_of(state, user);
    let rules = rules.iter().filter(|granted| !granted.binding.starts_with("system:"));
    sorted(rules.flat_map(|granted| {
        let mut permissions = Vec::new();
        for verb in texts(&granted.rule, "/verbs") {
            let new = |group: &str, resource: &str| Permission {
                group: group.to_owned(),
                resource: resource.to_owned(),
                verb: verb.to_owned(),
            };
            permissions.extend(texts(&granted.rule, "/nonResourceURLs").map(|url| new("", url)));
            for group in texts(&granted.rule, "/apiGroups") {
                permissions.extend(texts(&granted.rule, "/resources").map(|r| new(group, r)));
            }
        }
        permissions
    }))
}

/// Compares both.
pub(super) fn compare(state: &State, user: &User) -> PermissionUse {
    let refused = records(state, user).filter(|record| !record.is_allowed);
    let used = used(state, user);
    let is_used = |granted: &Permission| {
        let fits = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        used.iter().any(|used| {
            fits(&granted.group, &used.group)
                && fits(&granted.resource, &used.resource)
                && fits(&granted.verb, &used.verb)
        })
    };
    let unused = granted(state, user).into_iter().filter(|granted| !is_used(granted)).collect();
    PermissionUse { refused: sorted(refused.filter_map(permission)), unused }
}

fn records<'a>(state: &'a State, user: &'a User) -> impl Iterator<Item = &'a RequestRecord> {
    state.log.all().iter().filter(|record| record.user == user.name)
}

/// Discovery is nobody's permission to give.
fn permission(record: &RequestRecord) -> Option<Permission> {
    let resource = match (record.resource.as_str(), record.subresource.as_str()) {
        ("", _) if record.is_allowed => return None,
        ("", _) => record.uri.clone(),
        (resource, "") => resource.to_owned(),
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    Some(Permission { group: record.group.clone(), resource, verb: record.verb.clone() })
}

fn sorted(permissions: impl Iterator<Item = Permission>) -> Vec<Permission> {
    permissions.collect::<BTreeSet<_>>().into_iter().collect()
}
