//! What each fault looks like on the wire.
//!
//! Codes, messages and headers are those of Amazon S3 (API reference, "Error responses"), of R2
//! where only R2 has them, and of common proxies.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt;
use futures::stream;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http::header::HeaderName;
use http::header::LOCATION;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::Body;

use crate::s3::fault::Fault;

/// Served without a signature, so that a client which follows the redirect gets a page.
pub(super) const LOGIN_PATH: &str = "/login.html";

/// Of a body that is larger than any should be.
const PIECE: &[u8] = &[b' '; 64 << 10];

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// The answer that replaces the right one; `None` for faults that change or delay it.
pub(super) fn canned(fault: &Fault) -> Option<Response<Body>> {
    let response = match fault {
        Fault::SlowDown => error(503, "SlowDown", "Please reduce your request rate."),
        Fault::TooManyRequests => error(429, "TooManyRequests", "Reduce your request rate."),
        Fault::InternalError => {
            error(500, "InternalError", "We encountered an internal error. Please try again.")
        }
        Fault::LateError => error(200, "InternalError", "Please try again."),
        Fault::Unauthorized => error(401, "Unauthorized", "Unauthorized"),
        Fault::AccessDenied => error(403, "AccessDenied", "Access Denied"),
        Fault::RequestTimeTooSkewed => error(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Fault::NoSuchKey => error(404, "NoSuchKey", "The specified key does not exist."),
        Fault::PermanentRedirect { region } => permanent_redirect(region),
        Fault::AuthorizationHeaderMalformed { region } => authorization_malformed(region),
        Fault::RedirectToLogin => {
            let mut response = html(StatusCode::FOUND);
            response.headers_mut().insert(LOCATION, LOGIN_PATH.parse().unwrap());
            response
        }
        Fault::HtmlPage => html(StatusCode::OK),
        Fault::EmptyBody => Response::new(Body::empty()),
        Fault::LargeBody { status, bytes } => large(*status, *bytes),
        Fault::Drip { status } => drip(*status),
        Fault::Gateway { status } => html(StatusCode::from_u16(*status).unwrap()),
        Fault::CutBody | Fault::CutBodyAt(_) | Fault::Slow(_) | Fault::Reset => return None,
        Fault::Hang | Fault::HalfBody | Fault::ArchiveTier | Fault::StaleList => return None,
        Fault::WrongDate(_) => return None,
        Fault::XmlCutAtStart | Fault::XmlCutInTag | Fault::XmlCutBetweenElements => return None,
    };
    Some(response)
}

/// Spoils the right answer, for the faults that do.
pub(super) async fn spoil(fault: &Fault, response: Response<Body>) -> Response<Body> {
    let cut: fn(&[u8]) -> usize = match fault {
        Fault::CutBody => return cut_body(response, None).await,
        Fault::CutBodyAt(at) => return cut_body(response, Some(*at)).await,
        Fault::ArchiveTier => return archived(response),
        Fault::HalfBody => |body| body.len() / 2,
        Fault::XmlCutAtStart => |xml| end_of(b"</Name>", xml),
        Fault::XmlCutInTag => |xml| end_of(b"</", half(xml)),
        Fault::XmlCutBetweenElements => |xml| end_of(b"</Contents>", half(xml)),
        _ => return response,
    };
    let (mut head, body) = response.into_parts();
    let body = collect(body).await;
    let body = body.slice(..cut(&body));
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(head, Body::from(body))
}

/// Takes away what HTTP does not send after HEAD and with 304.
pub(super) fn without_body(method: &Method, response: Response<Body>) -> Response<Body> {
    let status = response.status();
    if method != Method::HEAD && status != StatusCode::NOT_MODIFIED {
        return response;
    }
    let (mut head, _) = response.into_parts();
    if !status.is_success() {
        head.headers.remove(CONTENT_TYPE);
        head.headers.remove(CONTENT_LENGTH);
    }
    Response::from_parts(head, Body::empty())
}

pub(super) fn html(status: StatusCode) -> Response<Body> {
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
                <body><form><input name=\"user\"></form></body></html>\n";
    let mut response = Response::new(Body::from(page.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, "text/html; charset=utf-8".parse().unwrap());
    response
}

fn error(status: u16, code: &str, message: &str) -> Response<Body> {
    error_with(status, code, message, "")
}

fn error_with(status: u16, code: &str, message: &str, more: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message>{more}<RequestId>0A1B2C3D4E5F6071</RequestId>\
         <HostId>aG9zdA==</HostId></Error>"
    );
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert(CONTENT_TYPE, "application/xml".parse().unwrap());
    response
}

fn large(status: u16, bytes: u64) -> Response<Body> {
    let pieces = (0..bytes.div_ceil(PIECE.len() as u64)).map(|_| Bytes::from_static(PIECE));
    streamed(status, stream::iter(pieces))
}

fn drip(status: u16) -> Response<Body> {
    let drops = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Bytes::from_static(b" "), ()))
    });
    streamed(status, drops)
}

fn streamed(status: u16, pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = pieces.map(|piece| Ok::<_, io::Error>(Frame::data(piece)));
    let mut response = Response::new(Body::http_body_unsync(StreamBody::new(frames)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert(CONTENT_TYPE, "application/xml".parse().unwrap());
    response
}

fn permanent_redirect(region: &str) -> Response<Body> {
    let message = "The bucket you are attempting to access must be addressed using the specified \
                   endpoint. Please send all future requests to this endpoint.";
    let endpoint = format!("<Endpoint>s3.{region}.amazonaws.com</Endpoint>");
    let mut response = error_with(301, "PermanentRedirect", message, &endpoint);
    response.headers_mut().insert(BUCKET_REGION, region.parse().unwrap());
    response
}

fn authorization_malformed(region: &str) -> Response<Body> {
    let message =
        format!("The authorization header is malformed; the region is wrong; expecting '{region}'");
    let element = format!("<Region>{region}</Region>");
    let mut response = error_with(400, "AuthorizationHeaderMalformed", &message, &element);
    response.headers_mut().insert(BUCKET_REGION, region.parse().unwrap());
    response
}

fn archived(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert("x-amz-storage-class", "INTELLIGENT_TIERING".parse().unwrap());
    headers.insert("x-amz-archive-status", "ARCHIVE_ACCESS".parse().unwrap());
    response
}

async fn cut_body(response: Response<Body>, at: Option<usize>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let body = collect(body).await;
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    let begin = body.slice(..at.unwrap_or(body.len() / 2).min(body.len()));
    let frames = stream::unfold(Some(begin), |left| async move {
        match left {
            Some(begin) if !begin.is_empty() => Some((Ok(Frame::data(begin)), Some(Bytes::new()))),
            _ => {
                // Lets hyper flush the beginning before the error closes the connection.
                tokio::task::yield_now().await;
                Some((Err(io::Error::other("the body is cut here")), None))
            }
        }
    });
    Response::from_parts(head, Body::http_body_unsync(StreamBody::new(frames)))
}

async fn collect(body: Body) -> Bytes {
    BodyExt::collect(body).await.expect("an answer from memory").to_bytes()
}

fn half(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len() / 2).expect("half of it")
}

/// The end of the last occurrence; half of the whole if there is none.
fn end_of(needle: &[u8], haystack: &[u8]) -> usize {
    let start = haystack.windows(needle.len()).rposition(|window| window == needle);
    start.map_or(haystack.len() / 2, |start| start + needle.len())
}
