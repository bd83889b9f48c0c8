//! `/api/v1/drills/next`: which restore drill should be run next.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::publication::due_drill;
use crate::publication::view::View;
use crate::service::clock;
use crate::service::health::Progress;
use crate::service::http::Published;
use crate::service::http::refusal;

/// 204 where none is due; that nothing has been read yet is told apart.
pub(super) async fn next(State(published): State<Published>) -> Response {
    let snapshot = published.snapshot();
    match due_drill::next(&View::new(&snapshot, clock::now())) {
        Some(document) => Json(document).into_response(),
        None if published.health.progress() < Progress::Read => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "not every archive has been read yet")
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
