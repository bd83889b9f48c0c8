//! What people open in a browser.

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::assessment::verdict::Verdict;
use crate::publication::page;
use crate::publication::page::Archives;
use crate::publication::page::Context;
use crate::publication::page::FormFields;
use crate::publication::page::Page;
use crate::publication::view::View;
use crate::service::build;
use crate::service::clock;
use crate::service::health::Progress;
use crate::service::http::Published;

pub(super) async fn overview(
    State(published): State<Published>,
    Query(fields): Query<FormFields>,
) -> Response {
    let snapshot = published.snapshot();
    let view = View::new(&snapshot, clock::now());
    answer(page::overview(&context(&published, &view, ""), &fields))
}

/// `/archives/{namespace}/{cluster}`
pub(super) async fn cluster(
    State(published): State<Published>,
    Path((namespace, cluster)): Path<(String, String)>,
    Query(fields): Query<FormFields>,
) -> Response {
    let shown = Archives::OfCluster { namespace, cluster };
    archives(&published, "../../", &shown, &fields)
}

/// `/archive?server_name=`
pub(super) async fn archive(
    State(published): State<Published>,
    Query(fields): Query<FormFields>,
) -> Response {
    archives(&published, "", &Archives::named(&fields), &fields)
}

fn archives(
    published: &Published,
    root: &'static str,
    shown: &Archives,
    fields: &FormFields,
) -> Response {
    let snapshot = published.snapshot();
    let view = View::new(&snapshot, clock::now());
    let context = context(published, &view, root);
    if let Some(page) = page::archives(&context, shown, fields) {
        return answer(page);
    }
    let code = if context.knows_archives {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Html(page::not_found(&context, shown))).into_response()
}

/// Any other address. Links lead up as far as it goes down, since a proxy may have put a path before it.
pub(super) async fn no_such_page(State(published): State<Published>, uri: Uri) -> Response {
    let depth = uri.path().matches('/').count().saturating_sub(1);
    let root = "../".repeat(depth.min(DEPTH_MAX));
    let snapshot = published.snapshot();
    let view = View::new(&snapshot, clock::now());
    let html = page::no_such_page(&context(&published, &view, &root));
    (StatusCode::NOT_FOUND, Html(html)).into_response()
}

/// Deeper addresses than this are nobody's mistake.
const DEPTH_MAX: usize = 16;

fn context<'a>(published: &Published, view: &'a View<'a>, root: &'a str) -> Context<'a> {
    Context {
        view,
        knows_archives: Progress::Found <= published.health.progress(),
        root,
        version: build::VERSION,
    }
}

/// The code is about the request; what it says of the archives stands on the page.
fn answer(page: Page) -> Response {
    let code = if page.is_refusal { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (code, Html(page.html)).into_response()
}

pub(super) async fn stylesheet() -> Response {
    unchanging("text/css; charset=utf-8", page::STYLESHEET.to_owned())
}

pub(super) async fn icon(Path(name): Path<String>) -> Response {
    let asked = format!("icons/{name}");
    match Verdict::ALL.into_iter().find(|verdict| page::icon_path(*verdict) == asked) {
        Some(verdict) => unchanging("image/svg+xml", page::icon(verdict)),
        None => (StatusCode::NOT_FOUND, "there is no such icon\n").into_response(),
    }
}

/// Until the next version of the program, which should be seen soon.
fn unchanging(content_type: &'static str, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=300")];
    (headers, body).into_response()
}
