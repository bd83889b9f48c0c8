//! Connections: TLS, one request after the other, and answers as bytes.

use std::convert::Infallible;
use std::io;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use futures::stream;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use http::header::WARNING;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::double::ResetHere;
use crate::kubernetes::answer::Answer;
use crate::kubernetes::api;
use crate::kubernetes::api::Shared;
use crate::kubernetes::call::Call;
use crate::kubernetes::call::Query;
use crate::kubernetes::call::Target;
use crate::kubernetes::fault::Fault;
use crate::kubernetes::identity::User;
use crate::kubernetes::status::Failure;
use crate::kubernetes::status::PAGE_NOT_FOUND;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The largest request (`MaxRequestBodyBytes` of the API server), in bytes.
const REQUEST_MAX: usize = 3 * 1024 * 1024;
/// Answers of this size are compressed when asked (`defaultGzipThresholdBytes`), in bytes.
const GZIP_FROM: usize = 128 * 1024;

pub(super) async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // Who does not speak TLS, or trusts another authority, leaves here.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { answer(&shared, request).await })
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that is torn, by us or by the client, has nobody left to tell.
    drop(connection.await);
}

async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, ResetHere> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, REQUEST_MAX).collect().await else {
        let message = "Request entity too large: limit is 3145728";
        return Ok(refusal(&Failure::new(413, "RequestEntityTooLarge", message)));
    };
    let authorization = head.headers.get("authorization");
    let authorization = authorization.map_or(Ok(""), |value| value.to_str()).unwrap_or("invalid");
    let user = User::of_header(authorization, &shared.state().tokens);
    let user = match user {
        Ok(user) => user,
        Err(failure) => return Ok(refusal(&failure)),
    };
    let call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: Query::parse(head.uri.query().unwrap_or("")),
        headers: head.headers,
        body: body.to_bytes(),
        user,
    };
    let target = Target::of(&call.method, &call.path, &call.query);
    let fault = shared.state().faults.plan.take(|trigger| trigger.fits(&target));
    if let Some(Fault::Slow(delay)) = &fault {
        tokio::time::sleep(*delay).await;
    }
    let result = api::answer(shared, &call, fault.as_ref());
    match fault {
        Some(Fault::Reset) => Err(ResetHere),
        Some(Fault::BadGateway) => Ok(bad_gateway()),
        Some(Fault::CutBody) => Ok(cut(response(&call, result)).await),
        _ => Ok(response(&call, result)),
    }
}

fn response(call: &Call, result: Result<Answer, Failure>) -> Response<Body> {
    match result {
        Err(failure) => refusal(&failure),
        Ok(Answer::Text(text)) => {
            bytes(200, "text/plain; charset=utf-8", Bytes::from(text.into_owned()))
        }
        Ok(Answer::Watch(watch)) => {
            let mut response =
                Response::new(BodyExt::boxed_unsync(StreamBody::new(watch.into_frames())));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Ok(Answer::Json { code, body, warnings }) => {
            let mut body = body.to_string().into_bytes();
            body.push(b'\n');
            let compresses =
                body.len() >= GZIP_FROM && call.header("accept-encoding").contains("gzip");
            let body = if compresses { gzip(&body) } else { body };
            let mut response = bytes(code, "application/json", Bytes::from(body));
            let headers = response.headers_mut();
            if compresses {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            for warning in warnings {
                let warning = warning.replace('\\', "\\\\").replace('"', "\\\"");
                let warning = format!("299 - \"{warning}\"");
                headers.append(WARNING, HeaderValue::try_from(warning).expect("printable"));
            }
            response
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn refusal(failure: &Failure) -> Response<Body> {
    match failure {
        Failure::PageNotFound => {
            bytes(404, "text/plain; charset=utf-8", Bytes::from(PAGE_NOT_FOUND))
        }
        Failure::Status { status, retry_after } => {
            let body = format!("{status}\n");
            let mut response = bytes(failure.code(), "application/json", Bytes::from(body));
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            response
        }
    }
}

fn bad_gateway() -> Response<Body> {
    let page = "<html><head><title>502 Bad Gateway</title></head></html>\n";
    bytes(502, "text/html", Bytes::from(page))
}

fn bytes(code: u16, content_type: &'static str, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    let mut response = Response::new(BodyExt::boxed_unsync(body));
    *response.status_mut() = StatusCode::from_u16(code).expect("one of ours");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Keeps the headers and half of the body, and then tears the connection.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    let whole = match body.frame().await {
        Some(Ok(frame)) => frame.into_data().expect("bodies have no trailers"),
        _ => Bytes::new(),
    };
    let half = whole.slice(..whole.len() / 2);
    let torn = stream::once(async {
        // What was written so far leaves before the connection does.
        tokio::task::yield_now().await;
        Err(io::Error::other("the body is cut"))
    });
    let body = StreamBody::new(stream::iter([Ok(Frame::data(half))]).chain(torn));
    Response::from_parts(head, BodyExt::boxed_unsync(body))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    // The level of the API server (`defaultGzipContentEncodingLevel`).
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}
