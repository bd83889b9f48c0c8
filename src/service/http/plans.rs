//! `/api/v1/restore-plan/{namespace}/{cluster}?to=`: can this cluster be restored to …

use std::collections::HashMap;

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::domain::asked_target::Asker;
use crate::domain::recovery_target::Target;
use crate::publication::restore_plan::PlanDocument;
use crate::publication::view::View;
use crate::service::clock;
use crate::service::http::Published;
use crate::service::http::refusal;

/// Always 200 for a cluster that is watched: the document tells whether the target is reachable.
pub(super) async fn restore_plan(
    State(published): State<Published>,
    Path(cluster): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    answer(&published, &cluster, query, |document| match document.json() {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "restore plan cannot be written as JSON");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "the plan cannot be written as JSON")
        }
    })
}

/// A file to keep where it outlives this Kubernetes.
pub(super) async fn bundle(
    State(published): State<Published>,
    Path(cluster): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    answer(&published, &cluster, query, |document| {
        let Some(bundle) = document.bundle() else {
            return refusal(StatusCode::CONFLICT, &document.without_bundle());
        };
        let headers = [
            (header::CONTENT_TYPE, "application/yaml"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"recovery-bundle.yaml\""),
        ];
        (headers, bundle).into_response()
    })
}

fn answer(
    published: &Published,
    (namespace, cluster): &(String, String),
    mut query: HashMap<String, String>,
    respond: impl FnOnce(&PlanDocument<'_>) -> Response,
) -> Response {
    let now = clock::now();
    let target = match query.remove("to").as_deref() {
        None | Some("") => Target::Latest,
        Some(text) => match Asker::in_utc(now).read_query(text) {
            Ok(target) => target,
            Err(why) => return refusal(StatusCode::BAD_REQUEST, &format!("to: {why}")),
        },
    };
    if let Some(unknown) = query.keys().next() {
        return refusal(StatusCode::BAD_REQUEST, &format!("unknown parameter {unknown:?}"));
    }
    let Some(snapshot) = published.snapshot().of_cluster(namespace, cluster) else {
        return published.not_watched(namespace, cluster);
    };
    // A cluster with several archives is restored from the one in the best state.
    let Some(archive) = View::new(&snapshot, now).worst_first().pop() else {
        return published.not_watched(namespace, cluster);
    };
    respond(&PlanDocument::new(archive.assessment, target))
}
