//! Faults on demand: of single requests, of open watches, of the server as a whole.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::double::Plan;
use crate::double::Turns;
use crate::kubernetes::call::Target;

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After`.
    TooManyRequests { retry_after_seconds: u64 },
    /// 500, as when etcd fails.
    InternalError,
    /// 503, as from a server that shuts down.
    Unavailable,
    /// 403 as from the admission of quotas, for whatever is created.
    OverQuota,
    /// 403 as from an admission webhook that refuses.
    WebhookDenies,
    /// 500 as where an admission webhook does not answer.
    WebhookAway,
    /// 410 as the HTTP status, also of a watch.
    Expired,
    /// 502 with an HTML page, as from a load balancer.
    BadGateway,
    /// The right answer, but late.
    Slow(Duration),
    /// The right headers and half of the body, then the connection ends.
    CutBody,
    /// The connection ends instead of an answer.
    Reset,
}

/// Which requests meet a fault.
#[derive(Clone, Debug)]
pub struct Trigger {
    verb: Option<String>,
    resource: Option<String>,
    pub(super) turns: Turns,
}

impl Trigger {
    /// The next `times` requests.
    #[must_use]
    pub fn next(times: u64) -> Self {
        Self { verb: None, resource: None, turns: Turns::next(times) }
    }

    /// The `nth` request from now, counted from one; those before it are answered well.
    #[must_use]
    pub fn nth(nth: u64) -> Self {
        Self { turns: Turns::nth(nth), ..Self::next(1) }
    }

    /// Every request from now on.
    #[must_use]
    pub fn always() -> Self {
        Self::next(u64::MAX)
    }

    /// Narrows the trigger to a verb of RBAC, such as `list`.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Narrows the trigger to a resource by its plural, such as `clusters` or `backups/status`.
    #[must_use]
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    pub(super) fn fits(&self, target: &Target) -> bool {
        self.verb.as_ref().is_none_or(|verb| verb == target.verb)
            && self.resource.as_ref().is_none_or(|resource| *resource == target.resource_path())
    }
}

/// How open watches end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchBreak {
    /// The body ends well, as when the time is up.
    End,
    /// The connection ends between two lines.
    Torn,
    /// The connection ends within a line.
    TornInLine,
    /// An ERROR event with 410, then the body ends well.
    Expired,
}

/// An order to break the watches of one resource, or all.
#[derive(Clone, Debug)]
pub(super) struct BreakOrder {
    pub(super) plural: Option<String>,
    pub(super) how: WatchBreak,
}

impl BreakOrder {
    pub(super) fn concerns(&self, plural: &str) -> bool {
        self.plural.as_ref().is_none_or(|meant| meant == plural)
    }
}

/// All faults, and the switches that a real server has as flags.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) plan: Plan<Trigger, Fault>,
    pub(super) breaks: Vec<BreakOrder>,
    silent: BTreeSet<String>,
    /// The feature gate `WatchList`, on in 1.36.
    pub(super) has_streaming_lists: bool,
    pub(super) bookmark_interval: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            plan: Plan::default(),
            breaks: Vec::new(),
            silent: BTreeSet::new(),
            has_streaming_lists: true,
            // `bookmarkFrequency` in `storage/cacher/cacher.go`.
            bookmark_interval: Duration::from_secs(60),
        }
    }
}

impl Faults {
    pub(super) fn clear(&mut self) {
        self.plan.clear();
        self.silent.clear();
    }

    pub(super) fn silence(&mut self, plural: &str) {
        self.silent.insert(plural.to_owned());
    }

    pub(super) fn unsilence(&mut self, plural: &str) {
        self.silent.remove(plural);
    }

    pub(super) fn is_silent(&self, plural: &str) -> bool {
        self.silent.contains(plural)
    }
}
