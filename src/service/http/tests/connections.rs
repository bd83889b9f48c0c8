//! Real connections, and what they may not do to others.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::service::http::Router;
use crate::service::http::serve;
use crate::service::http::tests::Daemon;
use crate::service::shutdown::Shutdown;

/// Sends bytes to a real server and reads all of its answer.
async fn exchange(router: Router, bytes: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, router, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    server.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_real_connection_gets_a_real_answer() {
    let request = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = exchange(Daemon::new().router, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let cookie = "a".repeat(HEADERS_TOO_LONG);
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
    let answer = exchange(Daemon::new().router, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many: String = (0..100).map(|number| format!("x-{number}: a\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    let answer = exchange(Daemon::new().router, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

/// More than the server's buffer, and little enough to be read before the connection is closed.
const HEADERS_TOO_LONG: usize = 17_000;

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_hung_up_on() {
    let answer = exchange(Daemon::new().router, b"GET / HT").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_stop_ends_idle_connections_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, mut requested) = Shutdown::channel();
    let router = Daemon::new().router;
    let server = tokio::spawn(async move { serve(listener, router, requested.requested()).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stop.send_replace(true);
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// A client of its own address, since nobody gets more than half of the connections.
async fn connect(server: SocketAddr, number: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let host = u8::try_from(number % 8).unwrap() + 2;
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
    socket.connect(server).await.unwrap()
}

/// Whether probes and metrics are answered, each on a connection of its own.
async fn answers(server: SocketAddr) -> bool {
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer.starts_with(b"HTTP/1.1 200")
    };
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        // A kubelet waits a second.
        if !timeout(Duration::from_secs(1), ask(path)).await.unwrap_or(false) {
            return false;
        }
    }
    true
}

async fn listening() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let daemon = Daemon::after_reading();
        // Kept: without it the shutdown counts as requested.
        let Daemon { router, shutdown: _shutdown, .. } = daemon;
        serve(listener, router, std::future::pending()).await;
    });
    address
}

#[tokio::test]
async fn five_hundred_silent_connections_keep_neither_probe_nor_scrape_out() {
    let server = listening().await;
    let mut silent = Vec::new();
    for number in 0..500 {
        silent.push(connect(server, number).await);
    }
    assert!(answers(server).await);
    // All from one address, as behind an ingress.
    for _ in 0..200 {
        silent.push(connect(server, 0).await);
    }
    assert!(answers(server).await);
}

#[tokio::test]
async fn connections_that_are_renewed_all_the_time_keep_neither_probe_nor_scrape_out() {
    let server = listening().await;
    let mut renewed = Vec::new();
    for number in 0..128 {
        renewed.push(connect(server, number).await);
    }
    for round in 0..10 {
        for (number, stream) in renewed.iter_mut().enumerate() {
            *stream = connect(server, number).await;
        }
        assert!(answers(server).await, "round {round}");
    }
}

#[tokio::test]
async fn clients_that_never_read_keep_neither_probe_nor_scrape_out() {
    let server = listening().await;
    let mut deaf = Vec::new();
    for number in 0..128 {
        let stream = connect(server, number).await;
        // More answers than the kernel holds for a client that does not read.
        let requests = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(200);
        let _: io::Result<usize> = stream.try_write(&requests);
        deaf.push(stream);
    }
    assert!(answers(server).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_hung_up_on() {
    let server = listening().await;
    let mut stream = TcpStream::connect(server).await.unwrap();
    let requests = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2_000);
    let sent = async {
        loop {
            stream.write_all(&requests).await?;
        }
    };
    let sent: Result<io::Result<()>, _> = timeout(Duration::from_secs(60), sent).await;
    assert!(sent.unwrap().is_err());
}
