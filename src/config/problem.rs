//! What is wrong with the configuration: every problem, each naming its setting.
//!
//! A text that may hold a credential never gets into a problem.

use std::fmt;

/// Everything that is wrong, one problem per line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<ConfigProblem>);

/// One setting that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The dotted path, the flag or the environment variable, as the user wrote it.
    pub key: String,
    pub expected: String,
    pub found: String,
}

impl ConfigProblem {
    pub(super) fn new(
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { key: shown(key.into()), expected: expected.into(), found: shown(found.into()) }
    }
}

/// A password in an address stands between a colon and an at sign. Such an address may be anywhere,
/// even for a key, where somebody forgot the colon before it.
fn shown(text: String) -> String {
    let may_hold_password = text.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if may_hold_password {
        "something that may hold a password, not shown".to_owned()
    } else {
        text
    }
}

impl ConfigError {
    /// One problem, which shows only when what the configuration leaves open was asked for.
    pub fn late(key: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self(vec![ConfigProblem::new(key, expected, found)])
    }

    /// Nothing is named, and there turned out to be no Kubernetes that could name something.
    pub fn without_archives() -> Self {
        const EXPECTED: &str = "at least one archive in the configuration, an address by --archive where a command takes \
             one, or a way to Kubernetes (a ServiceAccount or a kubeconfig)";
        Self::late("archives", EXPECTED, "none of these")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.key, self.expected, self.found)
    }
}
