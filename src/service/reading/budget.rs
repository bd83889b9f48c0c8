//! How much may still be read this month.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::DateTime;
use chrono::Utc;
use tokio::task::spawn_blocking;

use crate::ledger::Ledger;
use crate::publication::wording::bytes;

/// Of all archives together, in stored bytes and in months of the calendar by UTC.
#[derive(Debug)]
pub(super) struct Budget {
    /// `None` is as much as there is.
    per_month_max: Option<u64>,
    ledger: Arc<Ledger>,
    /// The last month of which it was said that nothing is left.
    told: Mutex<String>,
}

impl Budget {
    pub(super) fn new(per_month_max: Option<u64>, ledger: Arc<Ledger>) -> Self {
        Self { per_month_max, ledger, told: Mutex::default() }
    }

    /// Whether so much may be read now.
    pub(super) async fn allows(&self, wanted: u64, now: DateTime<Utc>) -> bool {
        let Some(max) = self.per_month_max else { return true };
        let (ledger, month) = (Arc::clone(&self.ledger), month_of(now));
        let this = month.clone();
        // What is not known may be all.
        let spent = spawn_blocking(move || ledger.spent(&month)).await;
        let spent = spent.ok().flatten().unwrap_or(max);
        let is_allowed = wanted <= max.saturating_sub(spent);
        if !is_allowed {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if *told != this {
                tracing::warn!(
                    month = this,
                    read = bytes(spent),
                    "content.bytes_per_month_max leaves too little for the next thing to read"
                );
                *told = this;
            }
        }
        is_allowed
    }

    pub(super) async fn spend(&self, bytes: u64, now: DateTime<Utc>) {
        if self.per_month_max.is_some() {
            let (ledger, month) = (Arc::clone(&self.ledger), month_of(now));
            let _: Result<bool, _> = spawn_blocking(move || ledger.spend(&month, bytes)).await;
        }
    }
}

fn month_of(now: DateTime<Utc>) -> String {
    now.format("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_month_has_an_end_and_so_has_its_budget() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let ledger = Arc::new(Ledger::in_memory().unwrap());
        let budget = Budget::new(Some(100), ledger);
        let (january, february) = (at("2026-01-31T23:59:59Z"), at("2026-02-01T00:00:00Z"));
        assert!(budget.allows(100, january).await);
        assert!(!budget.allows(101, january).await);
        budget.spend(60, january).await;
        assert!(budget.allows(40, january).await && !budget.allows(41, january).await);
        budget.spend(60, january).await;
        assert!(!budget.allows(1, january).await);
        assert!(budget.allows(100, february).await);
    }
}
