//! Connections: every request is counted, met by its fault if it has one, or passed on to S3.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use chrono::TimeDelta;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::DATE;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::service::S3Service;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::double::ResetHere;
use crate::s3::answer;
use crate::s3::control::Control;
use crate::s3::fault::Fault;
use crate::s3::operation::Operation;
use crate::s3::operation::key_of;
use crate::s3::store::Store;

/// Stands before the S3 service.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) service: S3Service,
    /// Over what was remembered.
    pub(super) stale_service: S3Service,
    pub(super) control: Arc<Control>,
    pub(super) store: Store,
}

pub(super) async fn serve(stream: TcpStream, front: Arc<Front>) {
    if let (stream, Ending::Reset) = serve_until_it_ends(stream, front).await {
        // Closing now sends RST instead of FIN.
        stream.set_zero_linger().expect("an open socket");
    }
}

pub(super) async fn serve_by_tls(stream: TcpStream, acceptor: TlsAcceptor, front: Arc<Front>) {
    // A client that does not trust us hangs up.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    serve_until_it_ends(stream, front).await;
}

/// Without a socket.
pub(super) async fn serve_in_process(stream: DuplexStream, front: Arc<Front>) {
    serve_until_it_ends(stream, front).await;
}

enum Ending {
    Usual,
    Reset,
}

async fn serve_until_it_ends<S>(stream: S, front: Arc<Front>) -> (S, Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        Box::pin(async move { front.answer(request).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    let is_reset =
        ended.is_err_and(|error| error.source().is_some_and(|cause| cause.is::<ResetHere>()));
    (stream, if is_reset { Ending::Reset } else { Ending::Usual })
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, ResetHere> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        if uri.path() == answer::LOGIN_PATH {
            return Ok(answer::html(StatusCode::OK));
        }
        let operation = Operation::of(&method, &uri);
        let treatment = self.control.admit(operation, &key_of(&uri), format!("{method} {uri}"));
        if !treatment.latency.is_zero() {
            tokio::time::sleep(treatment.latency).await;
        }
        let mut date_off_by = TimeDelta::zero();
        let response = match treatment.fault {
            None => self.pass_on(operation, request).await,
            Some(Fault::Reset) => return Err(ResetHere),
            Some(Fault::Hang) => {
                self.control.until_it_clears_up().await;
                return Err(ResetHere);
            }
            Some(Fault::StaleList) if operation == Operation::List => {
                answered(&self.stale_service, request).await
            }
            Some(Fault::WrongDate(off_by)) => {
                date_off_by = off_by;
                self.pass_on(operation, request).await
            }
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                self.pass_on(operation, request).await
            }
            Some(fault) => match answer::canned(&fault) {
                Some(response) => {
                    drain(request).await;
                    response
                }
                None => answer::spoil(&fault, self.pass_on(operation, request).await).await,
            },
        };
        let mut response = answer::without_body(&method, response);
        let headers = response.headers_mut();
        headers
            .insert(DATE, HeaderValue::try_from(self.store.clock.http_date(date_off_by)).unwrap());
        let id = format!("{:016X}", treatment.number);
        headers.insert("x-amz-request-id", HeaderValue::try_from(id).unwrap());
        Ok(response)
    }

    async fn pass_on(&self, operation: Operation, request: Request<Incoming>) -> Response<Body> {
        let response = answered(&self.service, request).await;
        if operation == Operation::List && response.status().is_success() {
            self.control.after_list_page(&self.store);
        }
        response
    }
}

async fn answered(service: &S3Service, request: Request<Incoming>) -> Response<Body> {
    let answered = service.call(request.map(Body::from)).await;
    answered.expect("s3s turns every error into a response")
}

/// Reads an upload to its end: closing with unread data would reset the connection.
async fn drain(request: Request<Incoming>) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}
