//! Accepts connections and bounds what each may take. Knows nothing of the answers.
//!
//! `axum::serve` sets no limit on headers and none on how long a client may take to send them.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use crate::service::http::seats::Seat;
use crate::service::http::seats::Seats;
use crate::service::shutdown::Shutdown;

/// Answers until `stop` is ready, then lets the answers that have begun come to their end.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let (closing, closed) = Shutdown::channel();
    let seats = Arc::new(Seats::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let seat = seats.take(peer.ip().to_canonical());
                    connections.spawn(answer(stream, seat, router.clone(), closed.clone()));
                }
                Err(error) => wait_after(&error).await,
            },
        }
    }
    drop(listener);
    closing.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_TIME_MAX, ended).await.is_err() {
        tracing::warn!("connections are still open and are cut off");
    }
}

async fn answer(stream: TcpStream, seat: Seat, router: Router, mut closed: Shutdown) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    builder.header_read_timeout(HEADER_TIME_MAX);
    builder.max_buf_size(HEADER_BYTES_MAX);
    builder.max_headers(HEADERS_MAX);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME_MAX));
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        seat.note_request();
        router.call(request)
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection ended early");
            }
            return;
        }
        () = seat.displaced() => {
            tracing::debug!("connection closed to make room for a new one");
            return;
        }
        () = closed.requested() => {}
        () = sleep(CONNECTION_TIME_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    if timeout(DRAIN_TIME_MAX, connection).await.is_err() {
        tracing::debug!("connection is cut off");
    }
}

/// A client that went away is its own affair; without file descriptors it helps to wait.
async fn wait_after(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
        _ => {
            tracing::warn!(%error, "connection cannot be accepted");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Our longest address and a browser's cookies for the same host fit twice.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Browsers behind two proxies send about 30.
const HEADERS_MAX: usize = 64;

/// For sending the headers, and between two requests on one connection.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// A client that reads on takes some of an answer within this, over the slowest of links.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);

/// Whoever reads an answer drop by drop gives the connection back after this time.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(600);

/// The whole program has five seconds to end.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(3);
