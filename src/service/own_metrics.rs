//! Counters about this process. What the archives hold is rendered from the snapshot instead.

use std::time::Duration;

use prometheus::Gauge;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;

use crate::service::reading::ReadingRoom;
use crate::service::spending::Spending;
use crate::sources::store::requests::Requests;

#[derive(Clone, Debug)]
pub struct OwnMetrics {
    pub registry: Registry,
    pub requests: Requests,
    check_duration_seconds: Histogram,
    monthly_cost_dollars: Gauge,
    /// `None` where nothing is read to its last byte.
    reading: Option<ReadingMetrics>,
}

#[derive(Clone, Debug)]
struct ReadingMetrics {
    bytes: IntCounterVec,
    /// `None` where nothing is to be remembered.
    is_ledger_writable: Option<Gauge>,
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
            "What 30 days of requests to object stores would cost, at the pace since every archive \
             was read once and at Cloudflare R2's prices without its free requests; NaN until the \
             poll after that.",
        )?;
        monthly_cost_dollars.set(f64::NAN);
        registry.register(Box::new(monthly_cost_dollars.clone()))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let reading = None;
        Ok(Self { registry, requests, check_duration_seconds, monthly_cost_dollars, reading })
    }

    /// The same, where something is read to its last byte.
    pub fn reading(self, room: &ReadingRoom) -> prometheus::Result<Self> {
        let bytes = IntCounterVec::new(
            Opts::new(
                "backup_verifier_content_verified_bytes_total",
                "Stored bytes of base backups and of WAL that were read to verify them.",
            ),
            &["kind"],
        )?;
        self.registry.register(Box::new(bytes.clone()))?;
        let mut is_ledger_writable = None;
        if room.is_ledger_writable().is_some() {
            let gauge = Gauge::new(
                "backup_verifier_ledger_writable",
                "Whether what was read is remembered across a restart.",
            )?;
            self.registry.register(Box::new(gauge.clone()))?;
            is_ledger_writable = Some(gauge);
        }
        let metrics = ReadingMetrics { bytes, is_ledger_writable };
        metrics.note(room);
        Ok(Self { reading: Some(metrics), ..self })
    }

    pub fn note_reading(&self, room: &ReadingRoom) {
        if let Some(metrics) = &self.reading {
            metrics.note(room);
        }
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

impl ReadingMetrics {
    fn note(&self, room: &ReadingRoom) {
        let read = room.bytes_read();
        for (kind, bytes) in [("base", read.base()), ("wal", read.wal())] {
            let counter = self.bytes.with_label_values(&[kind]);
            counter.inc_by(bytes.saturating_sub(counter.get()));
        }
        if let (Some(gauge), Some(is_writable)) =
            (&self.is_ledger_writable, room.is_ledger_writable())
        {
            gauge.set(f64::from(u8::from(is_writable)));
        }
    }
}
