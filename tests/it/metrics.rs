//! What Prometheus' own programs say of our metrics.

use std::sync::Arc;
use std::time::Duration;

use cnpg_backup_verifier::config::ContentConfig;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::publication::metrics::Build;
use cnpg_backup_verifier::publication::metrics::Format;
use cnpg_backup_verifier::publication::metrics::RenderedMetrics;
use cnpg_backup_verifier::publication::metrics::families;
use cnpg_backup_verifier::publication::snapshot::DiscoveryState;
use cnpg_backup_verifier::service::health::Health;
use cnpg_backup_verifier::service::http::Published;
use cnpg_backup_verifier::service::http::router;
use cnpg_backup_verifier::service::http::serve;
use cnpg_backup_verifier::service::own_metrics::OwnMetrics;
use cnpg_backup_verifier::service::reading::ReadingRoom;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use prometheus::Histogram;
use prometheus::HistogramOpts;
use prometheus::IntCounterVec;
use prometheus::Opts;
use prometheus::Registry;
use prometheus::process_collector::ProcessCollector;
use test_servers::prometheus::Prometheus;
use test_servers::prometheus::check_metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::orphans::orphaning;
use crate::samples;

/// All that a daemon registers which reads what is stored and remembers it.
pub(crate) fn registered() -> OwnMetrics {
    let directory = tempfile::TempDir::new().unwrap();
    let ledger = Some(directory.path().join("ledger.sqlite"));
    let config = ContentConfig { ledger, ..ContentConfig::default() };
    let room = ReadingRoom::open(config, Bzip2::default()).unwrap().unwrap();
    OwnMetrics::register().unwrap().reading(&room).unwrap()
}

/// Families of every kind that a daemon registers.
fn own() -> Registry {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self())).unwrap();
    let requests = Opts::new("backup_verifier_object_store_requests_total", "Requests sent.");
    let requests = IntCounterVec::new(requests, &["operation"]).unwrap();
    requests.with_label_values(&["list"]).inc();
    registry.register(Box::new(requests)).unwrap();
    let durations =
        HistogramOpts::new("backup_verifier_check_duration_seconds", "Duration of a check.");
    let durations = Histogram::with_opts(durations).unwrap();
    durations.observe(0.25);
    registry.register(Box::new(durations)).unwrap();
    registry
}

#[tokio::test]
async fn promtool_finds_nothing_to_improve() {
    let build = Build { version: "0.1.0", revision: "0123abc", rustc: "1.95.0" };
    let snapshot = Arc::new(orphaning(&samples::fleet(samples::KINDS), &[0]));
    let mut scrape = RenderedMetrics::new(build);
    let (now, own) = (snapshot.generated_at, own().gather());
    let scrape = scrape.scrape(&snapshot, now, &own, Format::Text);
    let finished = check_metrics(&scrape.into_string()).await;
    assert!(finished.success(), "{finished:?}");
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

#[tokio::test]
async fn prometheus_reads_every_family_as_open_metrics() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let (_stop, shutdown) = Shutdown::channel();
    let fleet = orphaning(&samples::fleet(samples::KINDS + 1), &[samples::KINDS]);
    let fleet = fleet.discovered(Some(DiscoveryState::Up));
    let snapshot = Arc::new(fleet);
    let (_sender, snapshots) = watch::channel(Arc::clone(&snapshot));
    let health = Health::new(shutdown);
    let router = router(Published::new(snapshots, health, own()));
    tokio::spawn(serve(listener, router, std::future::pending()));

    let prometheus = Prometheus::start(&[target.as_str()], &[]).await;
    let within = Duration::from_secs(30);
    let archives = prometheus
        .query_until("backup_verifier_archives", within, |samples| !samples.is_empty())
        .await;
    assert_eq!(archives[0].value, 6.0);
    for family in families() {
        let samples = prometheus.query(family.name).await;
        assert!(!samples.is_empty(), "{} was not read", family.name);
        let is_per_archive = samples[0].labels.contains_key("server_name");
        assert_eq!(is_per_archive, family.is_per_archive(), "{}", family.name);
        for label in family.labels {
            assert!(samples[0].labels.contains_key(*label), "{} {label}", family.name);
        }
    }
    // The server name with quotes, backslash and angle brackets arrived as it is.
    let odd = prometheus.query(r#"backup_verifier_checks_total{server_name="odd\"\\<b>4"}"#).await;
    assert_eq!(odd.len(), 1);
    assert_eq!(prometheus.query("process_start_time_seconds").await.len(), 1);
}
