//! Settings from environment variables and flags, which win over the file.
//!
//! The variable of a setting is its dotted path in capitals, dots as underscores, behind the
//! prefix: `expectations.wal_max_age` is `CNPG_BACKUP_VERIFIER_EXPECTATIONS_WAL_MAX_AGE`. Lists
//! are separated by commas; `archives` has no variable. An empty variable counts as absent.

use std::collections::BTreeMap;
use std::env;

use crate::config::problem::ConfigProblem;

pub(super) const ENVIRONMENT_PREFIX: &str = "CNPG_BACKUP_VERIFIER_";

/// Variables that the command line reads itself.
const ON_THE_COMMAND_LINE: [&str; 3] = ["CONFIG", "LOG_LEVEL", "LOG_FORMAT"];

/// Texts for settings, by the part of the variable's name behind the prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides(BTreeMap<String, Override>);

#[derive(Clone, Debug)]
pub(super) struct Override {
    /// The variable or flag, as the user wrote it.
    pub(super) origin: String,
    pub(super) text: String,
}

impl Overrides {
    pub(super) fn from_environment() -> Self {
        Self::from_variables(env::vars_os().map(|(name, text)| {
            (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned())
        }))
    }

    pub(super) fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter_map(|(origin, text)| {
            let name = origin.strip_prefix(ENVIRONMENT_PREFIX)?.to_owned();
            let is_ours = !text.is_empty()
                && !ON_THE_COMMAND_LINE.contains(&name.as_str())
                && !is_service_link(&name);
            is_ours.then_some((name, Override { origin, text }))
        });
        Self(ours.collect())
    }

    /// A flag for the setting at `path`; it wins over the variable.
    pub(super) fn with_flag(mut self, path: &str, origin: &str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            let flag = Override { origin: origin.to_owned(), text: text.to_owned() };
            self.0.insert(variable_name(path), flag);
        }
        self
    }

    /// Each override is taken once; what is left belongs to no setting.
    pub(super) fn take(&mut self, path: &str) -> Option<Override> {
        self.0.remove(&variable_name(path))
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(&variable_name(path))
    }

    pub(super) fn unknown(self) -> impl Iterator<Item = ConfigProblem> {
        let expected = "the variable of a setting, such as CNPG_BACKUP_VERIFIER_POLL_INTERVAL";
        self.0
            .into_values()
            .map(move |unknown| ConfigProblem::new(unknown.origin, expected, "an unknown name"))
    }
}

fn variable_name(path: &str) -> String {
    path.to_ascii_uppercase().replace('.', "_")
}

/// Kubernetes gives every container variables for the Services of its namespace, and a Service
/// named like us begins with our prefix (`makeLinkVariables` in `pkg/kubelet/envvars`).
fn is_service_link(name: &str) -> bool {
    let name = format!("_{name}");
    ["_SERVICE_HOST", "_PORT"].iter().any(|end| name.ends_with(end))
        || ["_SERVICE_PORT_", "_PORT_"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(names: &[&str]) -> Overrides {
        let full = |name: &&str| (format!("{ENVIRONMENT_PREFIX}{name}"), "text".to_owned());
        Overrides::from_variables(names.iter().map(full))
    }

    #[test]
    fn a_variable_is_named_after_its_setting() {
        let mut overrides = overrides(&["EXPECTATIONS_WAL_MAX_AGE"]);
        let found = overrides.take("expectations.wal_max_age").unwrap();
        assert_eq!(found.origin, "CNPG_BACKUP_VERIFIER_EXPECTATIONS_WAL_MAX_AGE");
        assert!(overrides.take("expectations.wal_max_age").is_none());
    }

    #[test]
    fn variables_that_kubernetes_adds_for_a_service_are_not_ours() {
        let links = [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_METRICS",
            "PORT",
            "PORT_8080_TCP",
            "PORT_8080_TCP_ADDR",
            "METRICS_SERVICE_HOST",
            "METRICS_PORT_8080_TCP_PROTO",
        ];
        assert_eq!(overrides(&links).unknown().count(), 0);
        assert_eq!(overrides(&["POL_INTERVAL", "SUPPORT"]).unknown().count(), 2);
    }

    #[test]
    fn other_variables_and_empty_ones_do_not_count() {
        let variables = [("PATH", "/bin"), ("CNPG_BACKUP_VERIFIER_LISTEN", "")];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(Overrides::from_variables(variables).unknown().count(), 0);
    }
}
