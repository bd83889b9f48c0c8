//! Counters about this process. What the archives hold is rendered from the snapshot instead.

use std::time::Duration;

use prometheus::Gauge;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::Registry;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;

use crate::service::spending::Spending;
use crate::sources::store::requests::Requests;

#[derive(Clone, Debug)]
pub struct OwnMetrics {
    pub registry: Registry,
    pub requests: Requests,
    check_duration_seconds: Histogram,
    monthly_cost_dollars: Gauge,
}

/// From an unchanged archive next door to a cold start on a million segments.
const DURATION_BUCKETS_SECONDS: [f64; 10] =
    [0.05, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 180.0, 600.0];

impl OwnMetrics {
    pub fn register() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = Requests::register(&registry)?;
        let options = HistogramOpts::new(
            "backup_verifier_check_duration_seconds",
            "How long it took to read and judge one archive.",
        );
        let check_duration_seconds =
            Histogram::with_opts(options.buckets(DURATION_BUCKETS_SECONDS.to_vec()))?;
        registry.register(Box::new(check_duration_seconds.clone()))?;
        let monthly_cost_dollars = Gauge::new(
            "backup_verifier_object_store_monthly_cost_dollars",
            "What 30 days of requests to object stores cost at the pace since every archive was read \
             once, at Cloudflare R2's prices before its free requests; NaN until a poll after that.",
        )?;
        monthly_cost_dollars.set(f64::NAN);
        registry.register(Box::new(monthly_cost_dollars.clone()))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry, requests, check_duration_seconds, monthly_cost_dollars })
    }

    pub fn observe_check(&self, duration: Duration) {
        self.check_duration_seconds.observe(duration.as_secs_f64());
    }

    pub(super) fn note_monthly_cost(&self, spending: &mut Spending) {
        if let Some(dollars) = spending.monthly(self.requests.dollars()) {
            self.monthly_cost_dollars.set(dollars);
        }
    }
}
