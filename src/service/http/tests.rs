mod connections;

use std::time::Duration;

use axum::body::to_bytes;
use axum::http::Method;
use axum::http::Request;
use chrono::DateTime;
use tower::ServiceExt as _;

use super::*;
use crate::publication::page;
use crate::publication::samples;
use crate::service::shutdown::Shutdown;

/// A daemon without a loop: the test plays it.
struct Daemon {
    router: Router,
    health: Health,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shutdown: watch::Sender<bool>,
}

struct Answer {
    code: u16,
    headers: HeaderMap,
    body: String,
}

impl Daemon {
    fn new() -> Self {
        let (shutdown, requested) = Shutdown::channel();
        let health = Health::new(requested);
        let empty = Snapshot::empty(DateTime::UNIX_EPOCH);
        let (snapshots, receiver) = watch::channel(Arc::new(empty));
        let published = Published::new(receiver, health.clone(), Registry::new());
        Self { router: router(published), health, snapshots, shutdown }
    }

    fn after_reading() -> Self {
        let daemon = Self::new();
        let mut fleet = samples::fleet(samples::KINDS);
        for archive in &mut fleet.archives {
            Arc::make_mut(&mut archive.assessment).checked_at = clock::now();
        }
        daemon.snapshots.send_replace(Arc::new(fleet));
        daemon.health.reached(Progress::Read);
        daemon
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (code, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { code, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }
}

impl Answer {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.body).unwrap()
    }
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let daemon = Daemon::after_reading();
    let text = daemon.get("/metrics").await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.body.contains("# TYPE backup_verifier_checks_total counter\n"));
    assert!(!text.body.contains("# EOF"));
    let request = Request::get("/metrics").header("accept", "application/openmetrics-text");
    let open_metrics = daemon.send(request.body(Body::empty()).unwrap()).await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open_metrics.header("content-type"), content_type);
    assert!(open_metrics.body.contains("# TYPE backup_verifier_checks counter\n"));
    assert!(open_metrics.body.ends_with("\n# EOF\n"));
    for answer in [text, open_metrics] {
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert_eq!(answer.header("vary"), "Accept");
    }
}

#[tokio::test]
async fn metrics_show_the_newest_snapshot() {
    let daemon = Daemon::new();
    assert!(daemon.get("/metrics").await.body.contains("\nbackup_verifier_archives 0\n"));
    daemon.snapshots.send_replace(Arc::new(samples::fleet(2)));
    assert!(daemon.get("/metrics").await.body.contains("\nbackup_verifier_archives 2\n"));
}

#[tokio::test]
async fn the_code_of_a_cluster_tells_its_verdict() {
    let daemon = Daemon::after_reading();
    for (kind, code) in [
        (samples::HEALTHY, 200),
        (samples::AT_RISK, 200),
        (samples::UNRECOVERABLE, 503),
        (samples::UNREAD_SINCE, 503),
    ] {
        let answer = daemon.get(&format!("/api/v1/status/databases/postgres-{kind:04}")).await;
        assert_eq!(answer.code, code, "{kind}");
        let document = answer.json();
        assert_eq!(document["archives"].as_array().unwrap().len(), 1);
        assert_eq!(document["verdict"], document["archives"][0]["verdict"]);
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_watched_is_not_found() {
    let daemon = Daemon::after_reading();
    let answer = daemon.get("/api/v1/status/databases/nobody").await;
    assert_eq!(answer.code, 404);
    assert_eq!(answer.json(), serde_json::json!({"error": "databases/nobody is not watched"}));
}

#[tokio::test]
async fn before_the_archives_are_found_nobody_is_told_that_his_cluster_is_not_watched() {
    let answer = Daemon::new().get("/api/v1/status/databases/postgres-0000").await;
    assert_eq!(answer.code, 503);
    assert!(answer.json()["error"].as_str().unwrap().contains("not yet known"));
}

#[tokio::test]
async fn the_next_drill_is_named_or_there_is_none() {
    let starting = Daemon::new().get("/api/v1/drills/next").await;
    assert_eq!(starting.code, 503);
    let daemon = Daemon::after_reading();
    // What was drilled last in the samples is long ago by the real clock.
    let answer = daemon.get("/api/v1/drills/next").await;
    assert_eq!((answer.code, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json()["cnpg_namespace"], "databases");
    let mut fleet = Snapshot::clone(&daemon.snapshots.borrow());
    for watched in &mut fleet.archives {
        Arc::make_mut(&mut watched.assessment).promises.drills.are_run = false;
    }
    daemon.snapshots.send_replace(Arc::new(fleet));
    let none = daemon.get("/api/v1/drills/next").await;
    assert_eq!((none.code, none.body.as_str()), (204, ""));
}

#[tokio::test]
async fn the_status_of_the_fleet_is_a_document_whatever_it_says() {
    let answer = Daemon::after_reading().get("/api/v1/status").await;
    assert_eq!(answer.code, 200);
    assert_eq!(answer.json()["verdict"], "unrecoverable");
}

#[tokio::test(start_paused = true)]
async fn liveness_depends_on_the_event_loop_alone() {
    let daemon = Daemon::after_reading();
    daemon.shutdown.send_replace(true);
    for path in ["/livez", "/healthz"] {
        let answer = daemon.get(path).await;
        assert_eq!((answer.code, answer.body.as_str()), (200, "ok\n"));
    }
    let verbose = daemon.get("/healthz?verbose").await;
    assert_eq!((verbose.code, verbose.body.as_str()), (200, "[+]loop ok\nlivez check passed\n"));
    tokio::time::advance(Duration::from_mins(4)).await;
    let stuck = daemon.get("/livez").await;
    let body = "[-]loop failed: has not turned for 240 s\nlivez check failed\n";
    assert_eq!((stuck.code, stuck.body.as_str()), (503, body));
}

#[tokio::test]
async fn readiness_begins_when_all_were_read_and_ends_with_the_shutdown() {
    let daemon = Daemon::new();
    assert_eq!(daemon.get("/readyz").await.code, 503);
    daemon.health.reached(Progress::Read);
    assert_eq!(daemon.get("/readyz").await.code, 200);
    let verbose = daemon.get("/readyz?verbose=1").await;
    assert_eq!(verbose.body, "[+]archives ok\n[+]shutdown ok\nreadyz check passed\n");
    daemon.shutdown.send_replace(true);
    assert_eq!(daemon.get("/readyz").await.code, 503);
}

#[tokio::test]
async fn the_page_is_found_with_its_style_and_icons_and_nothing_else_is() {
    let daemon = Daemon::after_reading();
    let page = daemon.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.body.contains("UNRECOVERABLE"));
    assert!(page.body.contains(&format!("href=\"{}\"", page::STYLESHEET_PATH)));
    let style = daemon.get(&format!("/{}", page::STYLESHEET_PATH)).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    for verdict in Verdict::ALL {
        let icon = daemon.get(&format!("/{}", page::icon_path(verdict))).await;
        assert_eq!(icon.header("content-type"), "image/svg+xml");
    }
    for path in ["/admin", "/icons/fine.svg", "/archives", "/archives/databases"] {
        assert_eq!(daemon.get(path).await.code, 404, "{path}");
    }
}

#[tokio::test]
async fn every_archive_has_a_page_that_finds_its_way_back() {
    let daemon = Daemon::after_reading();
    for path in [
        "/archives/databases/postgres-0000",
        "/archive?namespace=databases&cluster=postgres-0000&server_name=postgres-0000&x=y",
    ] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.code, 200, "{path}");
        let root = if path.starts_with("/archives") { "../../" } else { "" };
        assert!(answer.body.contains(&format!("href=\"{root}style.css\"")), "{path}");
    }
    for path in ["/archives/databases/nobody", "/archive", "/archives/%2e%2e/%3Cb%3E"] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.code, 404, "{path}");
        assert!(answer.body.contains("is not watched") && !answer.body.contains("<b>"), "{path}");
    }
    assert_eq!(Daemon::new().get("/archives/databases/postgres-0000").await.code, 503);
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_a_bad_request_with_a_page() {
    let daemon = Daemon::after_reading();
    let archive = "/archives/databases/postgres-0000";
    for path in [&format!("{archive}?to=tomorrow"), &format!("{archive}?at="), "/?page=0"] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.code, 400, "{path}");
        assert!(answer.body.contains("role=\"alert\""), "{path}");
    }
    for query in ["to=latest", "at=2026-01-10T06:00", "to=latest&to=latest", "%FF=%FF&&=&"] {
        let answer = daemon.get(&format!("{archive}?{query}")).await;
        assert_eq!(answer.code, 200, "{query}");
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_load_nothing_from_elsewhere() {
    let daemon = Daemon::after_reading();
    for path in ["/", "/metrics", "/livez", "/api/v1/status", "/nowhere"] {
        let answer = daemon.get(path).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let daemon = Daemon::after_reading();
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method).uri("/metrics");
        let answer = daemon.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.code, answer.header("allow")), (405, "GET,HEAD"));
    }
    let request = Request::head("/metrics").body(Body::empty()).unwrap();
    let head = daemon.send(request).await;
    let get = daemon.get("/metrics").await;
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn a_request_with_a_large_body_is_refused() {
    let daemon = Daemon::after_reading();
    let request = Request::get("/metrics").body(Body::from(vec![0; 2_000])).unwrap();
    assert_eq!(daemon.send(request).await.code, 413);
}
