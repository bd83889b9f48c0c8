//! What the servers of our own share: a port that can be closed and opened again, faults that are
//! planned for requests, and answers that are none.

#![expect(clippy::expect_used, reason = "test support may panic")]

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use anyhow::Context as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

/// A port of loopback, and what serves each connection; all end when it is dropped.
pub(crate) struct Door {
    address: SocketAddr,
    serve: Serve,
    /// `None` while connections are refused.
    accepting: Mutex<Option<JoinHandle<Infallible>>>,
}

type Serve = Arc<dyn Fn(TcpStream) -> BoxFuture<'static, ()> + Send + Sync>;

impl Door {
    /// Opens a free port, in the current tokio runtime.
    pub(crate) async fn open<S>(
        serve: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> anyhow::Result<Self>
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(free).await.context("bind a loopback port")?;
        let address = listener.local_addr().context("read the bound port")?;
        let serve: Serve = Arc::new(move |stream| Box::pin(serve(stream)));
        let accepting = Mutex::new(Some(tokio::spawn(accept(listener, Arc::clone(&serve)))));
        Ok(Self { address, serve, accepting })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections; the next attempt is refused.
    pub(crate) async fn close(&self) {
        let accepting = self.take();
        if let Some(task) = accepting {
            task.abort();
            task.await.expect_err("it never ends by itself");
        }
    }

    /// Opens the same port again; fails when somebody else took it in between.
    pub(crate) async fn open_again(&self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await.context("bind the port again")?;
        let task = tokio::spawn(accept(listener, Arc::clone(&self.serve)));
        *self.accepting.lock().expect("no panic under the lock") = Some(task);
        Ok(())
    }

    fn take(&self) -> Option<JoinHandle<Infallible>> {
        self.accepting.lock().expect("no panic under the lock").take()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Door").field(&self.address).finish()
    }
}

/// Accepts until the task is aborted, which also ends all connections.
async fn accept(listener: TcpListener, serve: Serve) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                stream.set_nodelay(true).expect("a fresh socket");
                connections.spawn(serve(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Which of the requests that a trigger fits meet its fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    skip: u64,
    times: u64,
}

impl Turns {
    pub(crate) const fn next(times: u64) -> Self {
        Self { skip: 0, times }
    }

    /// Counted from one; those before it are answered well.
    pub(crate) const fn nth(nth: u64) -> Self {
        Self { skip: nth.saturating_sub(1), times: 1 }
    }
}

/// The faults to come.
#[derive(Debug)]
pub(crate) struct Plan<Trigger, Fault> {
    faults: Vec<(Turns, Trigger, Fault)>,
}

impl<Trigger, Fault> Default for Plan<Trigger, Fault> {
    fn default() -> Self {
        Self { faults: Vec::new() }
    }
}

impl<Trigger, Fault: Clone> Plan<Trigger, Fault> {
    pub(crate) fn add(&mut self, turns: Turns, trigger: Trigger, fault: Fault) {
        self.faults.push((turns, trigger, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.faults.len()
    }

    /// The first planned fault whose trigger fits and whose turn it is.
    pub(crate) fn take(&mut self, fits: impl Fn(&Trigger) -> bool) -> Option<Fault> {
        let mut taken = None;
        for (turns, _, fault) in self.faults.iter_mut().filter(|(_, trigger, _)| fits(trigger)) {
            if turns.skip > 0 {
                turns.skip -= 1;
            } else {
                turns.times = turns.times.saturating_sub(1);
                taken = Some(fault.clone());
                break;
            }
        }
        self.faults.retain(|(turns, _, _)| turns.times > 0);
        taken
    }
}

/// Makes hyper drop the connection without an answer.
#[derive(Debug)]
pub(crate) struct ResetHere;

impl fmt::Display for ResetHere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is to be reset")
    }
}

impl Error for ResetHere {}
