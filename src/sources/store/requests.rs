//! Counts the requests that object stores answer, as metrics about ourselves.
//!
//! The S3 client feeds it, once for every attempt as sent, because that is what a provider bills.
//! A directory or a store in memory sends nothing and is not counted.

use std::time::Duration;

use prometheus::HistogramOpts;
use prometheus::HistogramVec;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;

use crate::sources::store::error::StoreErrorKind;

/// The calls of an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    List,
    Get,
    GetRange,
    Head,
    Lifecycle,
}

/// Counters of all object stores of this process.
#[derive(Clone, Debug)]
pub struct Requests {
    sent: IntCounterVec,
    errors: IntCounterVec,
    duration_seconds: HistogramVec,
}

/// From a store in the next room to one that is about to time out.
const DURATION_BUCKETS_SECONDS: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

impl Operation {
    pub const ALL: [Self; 5] = [Self::List, Self::Get, Self::GetRange, Self::Head, Self::Lifecycle];

    pub const fn code(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::GetRange => "get_range",
            Self::Head => "head",
            Self::Lifecycle => "lifecycle",
        }
    }
}

impl Requests {
    /// All series start at zero, so that a first error is an increase.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let sent = IntCounterVec::new(
            Opts::new(
                "backup_verifier_object_store_requests_total",
                "Requests sent to object stores, each attempt of a retried one counted.",
            ),
            &["operation"],
        )?;
        let errors = IntCounterVec::new(
            Opts::new(
                "backup_verifier_object_store_request_errors_total",
                "Requests to object stores that were not answered as they should, by reason.",
            ),
            &["operation", "code"],
        )?;
        let duration_seconds = HistogramVec::new(
            HistogramOpts::new(
                "backup_verifier_object_store_request_duration_seconds",
                "Time from a request to an object store to its answer, without an object's body.",
            )
            .buckets(DURATION_BUCKETS_SECONDS.to_vec()),
            &["operation"],
        )?;
        for operation in Operation::ALL {
            let operation = operation.code();
            sent.with_label_values(&[operation]);
            duration_seconds.with_label_values(&[operation]);
            for kind in StoreErrorKind::OF_REQUESTS {
                errors.with_label_values(&[operation, kind.code()]);
            }
        }
        registry.register(Box::new(sent.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        registry.register(Box::new(duration_seconds.clone()))?;
        Ok(Self { sent, errors, duration_seconds })
    }

    pub fn count_sent(&self, operation: Operation) {
        self.sent.with_label_values(&[operation.code()]).inc();
    }

    pub fn count_error(&self, operation: Operation, kind: StoreErrorKind) {
        self.errors.with_label_values(&[operation.code(), kind.code()]).inc();
    }

    pub fn observe_duration(&self, operation: Operation, duration: Duration) {
        let histogram = self.duration_seconds.with_label_values(&[operation.code()]);
        histogram.observe(duration.as_secs_f64());
    }

    /// What the requests so far cost at Cloudflare R2, in dollars, before those that are free each
    /// month. Amazon's prices are of the same order.
    pub fn dollars(&self) -> f64 {
        let dollars = |operation| self.sent(operation) as f64 * Self::price_dollars(operation);
        Operation::ALL.into_iter().map(dollars).sum()
    }

    /// LIST is a class A operation, the others are of class B.
    pub const fn price_dollars(operation: Operation) -> f64 {
        match operation {
            Operation::List => 4.50e-6,
            Operation::Get | Operation::GetRange | Operation::Head | Operation::Lifecycle => {
                0.36e-6
            }
        }
    }

    pub fn sent(&self, operation: Operation) -> u64 {
        self.sent.with_label_values(&[operation.code()]).get()
    }

    pub fn errors(&self, operation: Operation, kind: StoreErrorKind) -> u64 {
        self.errors.with_label_values(&[operation.code(), kind.code()]).get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_exists_before_the_first_request() {
        let registry = Registry::new();
        let requests = Requests::register(&registry).unwrap();
        let series = |name: &str| {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name().ends_with(name)).unwrap();
            family.get_metric().len()
        };
        assert_eq!(series("_requests_total"), 5);
        assert_eq!(series("_request_errors_total"), 70);
        assert_eq!(series("_request_duration_seconds"), 5);
        requests.count_sent(Operation::List);
        requests.count_error(Operation::List, StoreErrorKind::Throttled);
        assert_eq!(requests.sent(Operation::List), 1);
        requests.count_sent(Operation::Head);
        assert_eq!(requests.dollars(), (4.50 + 0.36) / 1e6);
        assert_eq!(requests.errors(Operation::List, StoreErrorKind::Throttled), 1);
        assert_eq!(requests.errors(Operation::Get, StoreErrorKind::Throttled), 0);
    }
}
