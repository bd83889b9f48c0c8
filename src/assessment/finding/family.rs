//! What each family of problems tells of its own.

use std::fmt;

use crate::assessment::finding::FindingCode;
use crate::assessment::finding::topic::Topic;

/// The loss is accepted before a moment that the evidence of the finding names so.
pub(super) const ACCEPTED_BEFORE: &str = "accepted_before";

/// Names and values for scripts.
pub(super) type Evidence = Vec<(&'static str, String)>;

/// Its sentence is what it displays.
pub(super) trait Family: fmt::Display {
    /// Which problem it is: the same at each check, until it is gone.
    fn identity(&self) -> (FindingCode, Topic<'_>);

    /// What to do about it: the next command, or the next place to look. `TAKE_A_BACKUP`, `TOPIC`
    /// and `NAMESPACE CLUSTER` stand for what is known elsewhere.
    fn hint(&self) -> &'static str;

    /// What it rests on besides its topic.
    fn evidence(&self) -> Evidence;
}
