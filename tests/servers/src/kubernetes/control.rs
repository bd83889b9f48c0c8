//! Faults, as a test turns them on and off.

use std::sync::Arc;
use std::time::Duration;

use crate::kubernetes::api::Shared;
use crate::kubernetes::fault::BreakOrder;
use crate::kubernetes::fault::Fault;
use crate::kubernetes::fault::Trigger;
use crate::kubernetes::fault::WatchBreak;

/// Turns faults on and off; they hold for all connections.
#[derive(Debug)]
pub struct FaultControl<'a> {
    shared: &'a Arc<Shared>,
}

impl<'a> FaultControl<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Plans a fault. The first planned one that fits a request is used.
    pub fn inject(&self, trigger: Trigger, fault: Fault) {
        self.shared.state().faults.plan.add(trigger.turns, trigger, fault);
    }

    /// Takes back what is planned, and lets silent watches speak.
    pub fn clear(&self) {
        let mut state = self.shared.state();
        state.faults.clear();
        state.announce();
    }

    /// How many planned faults have not been used up.
    #[must_use]
    pub fn left(&self) -> usize {
        self.shared.state().faults.plan.len()
    }

    /// Ends the open watches of one resource, by its plural, or all with `None`.
    pub fn break_watches(&self, plural: Option<&str>, how: WatchBreak) {
        let mut state = self.shared.state();
        state.faults.breaks.push(BreakOrder { plural: plural.map(str::to_owned), how });
        state.announce();
    }

    /// Keeps the watches of a resource open, and sends nothing on them, not even bookmarks.
    pub fn silence_watches(&self, plural: &str) {
        self.shared.state().faults.silence(plural);
    }

    /// Sends what was held back since `silence_watches`.
    pub fn unsilence_watches(&self, plural: &str) {
        let mut state = self.shared.state();
        state.faults.unsilence(plural);
        state.announce();
    }

    /// Forgets old versions of a resource, by its plural, or of all with `None`: 410 to who resumes
    /// a watch or continues a list from before. Open watches go on.
    pub fn compact(&self, plural: Option<&str>) {
        self.shared.state().compact(plural);
    }

    /// Answers 422 to who streams a list over a watch, as servers did before 1.34.
    pub fn refuse_streaming_lists(&self) {
        self.shared.state().faults.has_streaming_lists = false;
    }

    /// Ends `refuse_streaming_lists`.
    pub fn allow_streaming_lists(&self) {
        self.shared.state().faults.has_streaming_lists = true;
    }

    /// How often a watch that asked for bookmarks gets one; watches that are open keep their pace
    /// until the next one.
    pub fn set_bookmark_interval(&self, interval: Duration) {
        self.shared.state().faults.bookmark_interval = interval;
    }
}
