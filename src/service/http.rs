//! What the daemon answers over HTTP: page, metrics, status, probes. Read-only.

mod drills;
mod guard;
mod negotiation;
mod pages;
mod plans;
mod probes;
mod seats;
mod server;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::stream;
use prometheus::Registry;
use tokio::sync::watch;

use crate::assessment::verdict::Verdict;
use crate::publication::metrics::Build;
use crate::publication::metrics::RenderedMetrics;
use crate::publication::snapshot::Snapshot;
use crate::publication::status_json;
use crate::publication::view::View;
use crate::service::build;
use crate::service::clock;
use crate::service::health::Health;
use crate::service::health::Progress;
use crate::service::http::negotiation::accepted_format;

pub use crate::service::http::server::serve;

/// What all answers are made of.
#[derive(Clone, Debug)]
pub struct Published {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    health: Health,
    registry: Registry,
    metrics: Arc<Mutex<RenderedMetrics>>,
}

impl Published {
    /// `registry` holds the counters about ourselves.
    pub fn new(
        snapshots: watch::Receiver<Arc<Snapshot>>,
        health: Health,
        registry: Registry,
    ) -> Self {
        let build =
            Build { version: build::VERSION, revision: build::REVISION, rustc: build::RUSTC };
        let metrics = Arc::new(Mutex::new(RenderedMetrics::new(build)));
        Self { snapshots, health, registry, metrics }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// At first nobody knows what is watched.
    fn not_watched(&self, namespace: &str, cluster: &str) -> Response {
        if Progress::Found <= self.health.progress() {
            refusal(StatusCode::NOT_FOUND, &format!("{namespace}/{cluster} is not watched"))
        } else {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "it is not yet known what is watched")
        }
    }
}

pub fn router(published: Published) -> Router {
    Router::new()
        .route("/", get(pages::overview))
        .route("/archives/{namespace}/{cluster}", get(pages::cluster))
        .route("/archive", get(pages::archive))
        .route("/style.css", get(pages::stylesheet))
        .route("/icons/{name}", get(pages::icon))
        .route("/metrics", get(metrics))
        .route("/livez", get(probes::live))
        .route("/healthz", get(probes::live))
        .route("/readyz", get(probes::ready))
        .route("/api/v1/status", get(status))
        .route("/api/v1/status/{namespace}/{cluster}", get(cluster_status))
        .route("/api/v1/restore-plan/{namespace}/{cluster}", get(plans::restore_plan))
        .route("/api/v1/drills/next", get(drills::next))
        .route("/api/v1/bundle/{namespace}/{cluster}", get(plans::bundle))
        .fallback(pages::no_such_page)
        .layer(middleware::from_fn(guard::bound))
        .with_state(published)
}

async fn metrics(State(published): State<Published>, headers: HeaderMap) -> Response {
    let format = accepted_format(&headers);
    let own = published.registry.gather();
    let scrape = {
        // A panic while rendering leaves a text that the next scrape writes anew.
        let mut metrics = published.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.scrape(&published.snapshot(), clock::now(), &own, format)
    };
    let length = scrape.snapshot.len() + scrape.own.len();
    // The snapshot's text is sent from where it is, without a copy.
    let snapshot = Bytes::from_owner(SharedText(scrape.snapshot));
    let parts = [snapshot, Bytes::from(scrape.own)].map(Ok::<Bytes, Infallible>);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::VARY, HeaderValue::from_static("Accept")),
    ];
    (headers, Body::from_stream(stream::iter(parts))).into_response()
}

struct SharedText(Arc<String>);

impl AsRef<[u8]> for SharedText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Always 200: the document tells the verdict.
async fn status(State(published): State<Published>) -> Response {
    document(StatusCode::OK, &View::new(&published.snapshot(), clock::now()))
}

/// The status code tells the verdict to monitors that look at nothing else.
async fn cluster_status(
    State(published): State<Published>,
    Path((namespace, cluster)): Path<(String, String)>,
) -> Response {
    match published.snapshot().of_cluster(&namespace, &cluster) {
        Some(snapshot) => {
            let view = View::new(&snapshot, clock::now());
            let code = match view.verdict {
                Verdict::Recoverable | Verdict::AtRisk => StatusCode::OK,
                Verdict::Unknown if view.is_unknown_by_nature() => StatusCode::OK,
                Verdict::Unknown | Verdict::Unrecoverable => StatusCode::SERVICE_UNAVAILABLE,
            };
            document(code, &view)
        }
        None => published.not_watched(&namespace, &cluster),
    }
}

fn document(code: StatusCode, view: &View<'_>) -> Response {
    match status_json::render(view) {
        Ok(text) => (code, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "status cannot be written as JSON");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be written as JSON")
        }
    }
}

fn refusal(code: StatusCode, why: &str) -> Response {
    (code, Json(serde_json::json!({ "error": why }))).into_response()
}

#[cfg(test)]
mod tests;
