//! What watching costs: every LIST and GET is billed.

use std::time::Duration;

use chrono::TimeDelta;
use cnpg_backup_verifier::assessment::verdict::Verdict;
use cnpg_backup_verifier::config::Config;
use cnpg_backup_verifier::config::ContentConfig;
use cnpg_backup_verifier::config::DrillsConfig;
use cnpg_backup_verifier::config::ExpectationConfig;
use cnpg_backup_verifier::config::KubernetesConfig;
use cnpg_backup_verifier::config::KubernetesEnabled;
use cnpg_backup_verifier::config::ObjectStoresConfig;
use cnpg_backup_verifier::config::Polling;
use cnpg_backup_verifier::domain::codec::Bzip2;
use cnpg_backup_verifier::service::clock;
use cnpg_backup_verifier::service::run::run_until;
use cnpg_backup_verifier::service::shutdown::Shutdown;
use cnpg_backup_verifier::sources::store::requests::Operation as Counted;
use test_servers::http;
use test_servers::process::wait_until;
use test_servers::s3::Operation;
use test_servers::s3::S3Server;
use tokio::net::TcpListener;

use crate::made_archive::BUCKET;
use crate::made_archive::MadeArchive;
use crate::scene::KeyFiles;
use crate::scene::Scene;

#[tokio::test]
async fn a_steady_poll_costs_one_list() {
    let mut scene = Scene::of(&MadeArchive::healthy(40)).await;
    let first = scene.look().await;
    assert_eq!(first.verdict, Verdict::Recoverable, "{first:#?}");

    scene.server.reset_requests();
    let counted = Counted::ALL.map(|it| scene.requests.sent(it));
    for _ in 0..10 {
        assert_eq!(scene.poll().await.windows, first.windows);
    }
    let log = scene.server.request_log();
    let of = |part: &str| log.iter().filter(|line| line.contains(part)).count();
    assert_eq!(scene.server.requests().of(Operation::List), 10, "{log:#?}");
    assert_eq!(scene.server.requests().total(), 10, "{log:#?}");
    assert_eq!((of("prefix=pg%2Fbase%2F"), of("prefix=pg%2Fwals%2F")), (0, 10), "{log:#?}");

    let lists = [10, 0, 0, 0, 0];
    let expected: Vec<u64> = counted.iter().zip(lists).map(|(before, it)| before + it).collect();
    assert_eq!(Counted::ALL.map(|it| scene.requests.sent(it)).to_vec(), expected);
}

#[tokio::test]
async fn a_new_segment_costs_one_get_and_a_thousand_one_list() {
    let mut archive = MadeArchive::healthy(40);
    let mut scene = Scene::of(&archive).await;
    scene.look().await;

    scene.server.reset_requests();
    for number in 41..=45 {
        let key = archive.add_segment(number, clock::now());
        let (content, uploaded_at) = archive.objects[&key].clone();
        scene.server.put_at(BUCKET, key, content, uploaded_at);
        let newest = scene.poll().await.newest_segment.unwrap();
        assert_eq!(newest.name.to_string(), format!("0000000100000000{number:08X}"));
    }
    let requests = scene.server.requests();
    let log = scene.server.request_log();
    assert_eq!((requests.of(Operation::List), requests.of(Operation::Get)), (5, 5), "{log:#?}");
    assert_eq!(requests.total(), 10, "{log:#?}");

    let now = clock::now();
    let many = (46..2500).map(|number| (archive.segment_key(1, number), 300, now));
    scene.server.put_many_synthetic(BUCKET, many);
    let key = archive.add_segment(2500, now);
    scene.server.put(BUCKET, key.clone(), archive.objects[&key].0.clone());
    scene.server.reset_requests();
    let after = scene.poll().await;
    assert_eq!(after.verdict, Verdict::Recoverable, "{after:#?}");
    let requests = scene.server.requests();
    let log = scene.server.request_log();
    assert_eq!((requests.of(Operation::List), requests.of(Operation::Get)), (3, 1), "{log:#?}");
}

#[tokio::test]
async fn a_complete_listing_of_a_short_archive_costs_three_lists_and_the_newest_segment() {
    let mut scene = Scene::of(&MadeArchive::healthy(40)).await;
    scene.look().await;
    scene.server.reset_requests();
    scene.look().await;
    let requests = scene.server.requests();
    let log = scene.server.request_log();
    assert_eq!((requests.of(Operation::List), requests.of(Operation::Get)), (3, 1), "{log:#?}");
    // And the bucket's rules.
    assert_eq!((requests.of(Operation::Lifecycle), requests.total()), (1, 5), "{log:#?}");
}

#[tokio::test]
async fn the_daemon_counts_what_it_sends_and_sends_one_list_a_poll() {
    let server = S3Server::start().await.unwrap();
    let archive = MadeArchive::healthy(40);
    archive.put_into(&server);
    let keys = KeyFiles::of(&server);
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        poll_interval: Duration::from_millis(300),
        polling: Polling::List,
        full_listing_interval: Duration::from_secs(3600),
        kubernetes: KubernetesConfig {
            enabled: KubernetesEnabled::Never,
            ..KubernetesConfig::default()
        },
        credentials: keys.config(),
        object_stores: ObjectStoresConfig::default(),
        drills: DrillsConfig::default(),
        content: ContentConfig { wal: false, base_backups_every: None, ..ContentConfig::default() },
        bzip2_decoder: Bzip2::Fast,
        segments_per_look: None,
        archives: vec![archive.config(Some(server.endpoint_url()))],
        expectations: ExpectationConfig {
            uploading_grace: Some(TimeDelta::minutes(10)),
            ..ExpectationConfig::default()
        },
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    let (stop, shutdown) = Shutdown::channel();
    let running = tokio::spawn(run_until(config, listener, shutdown));

    // Between two cycles, the lists beyond one a check are those of the first one.
    let (checks, beyond) = wait_until("three checks", LIMIT, async || {
        let (checks, lists) = checks_and_lists(&http::get(&url).await.body)?;
        (3.0 <= checks).then_some((checks, lists - checks))
    })
    .await;
    wait_until("five more checks at one list each", LIMIT, async || {
        let (later, lists) = checks_and_lists(&http::get(&url).await.body)?;
        (checks + 5.0 <= later && lists - later == beyond).then_some(())
    })
    .await;

    stop.send_replace(true);
    running.await.unwrap().unwrap();
    let counted = server.requests();
    assert_eq!(counted.writes(), 0);
    assert_eq!(counted.of(Operation::Head), 0);
}

/// `None` before the first check.
fn checks_and_lists(metrics: &str) -> Option<(f64, f64)> {
    let value = |start: &str| {
        let line = metrics.lines().find(|line| line.starts_with(start))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    Some((
        value("backup_verifier_checks_total{")?,
        value("backup_verifier_object_store_requests_total{operation=\"list\"}")?,
    ))
}

const LIMIT: Duration = Duration::from_secs(60);
