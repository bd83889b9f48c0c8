//! What the server asks for, and what it gets.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::net::UnixStream;

use crate::restore::courier::Courier;
use crate::restore::delivery::Fetched;
use crate::restore::log_file::LogFile;
use crate::restore::trouble::Trouble;
use crate::restore::wal_request::REQUEST_BYTES_MAX;
use crate::restore::wal_request::Reply;
use crate::restore::wal_request::Request;

impl Courier {
    /// Answers requests for as long as it is polled.
    pub(in crate::restore) async fn listen(
        self: Arc<Self>,
        listener: UnixListener,
    ) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let courier = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = courier.serve(stream).await {
                    tracing::warn!(%error, "a request of the server was not answered");
                }
            });
        }
    }

    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        (&mut stream).take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await?;
        let reply = match Request::parse(&line) {
            Some(request) => self.answer(&request).await,
            None => Reply::Unread("the request is not understood".to_owned()),
        };
        stream.write_all(reply.line().as_bytes()).await?;
        stream.shutdown().await
    }

    async fn answer(&self, Request { name, path }: &Request) -> Reply {
        let Some(file) = LogFile::parse(name) else { return Reply::Missing };
        let fetched = match self.prepared(file).await {
            Some(fetched) => fetched,
            None => {
                let fetched = self.delivery.fetch(file, self.next_copy()).await;
                if let (LogFile::Segment(name), Fetched::File(path)) = (file, &fetched) {
                    self.read_beyond(name, path).await;
                }
                fetched
            }
        };
        let to = self.data.join(path);
        let reply = self.hand_over(file, fetched, &to);
        if reply == Reply::Delivered && matches!(file, LogFile::Segment(_)) {
            let mut state = self.state();
            state.delivered = state.delivered.saturating_add(1);
        }
        reply
    }

    /// The segment, if it was fetched ahead; waits for one that is on its way.
    async fn prepared(&self, file: LogFile) -> Option<Fetched> {
        let LogFile::Segment(name) = file else { return None };
        let at = self.way.iter().position(|it| *it == name)?;
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if let Some(ready) = state.ready.remove(&at) {
                    // The server is past what lies before it.
                    let stale = state.ready.split_off(&at);
                    let stale = std::mem::replace(&mut state.ready, stale);
                    drop(state);
                    stale.into_values().for_each(|it| discard(&it.fetched));
                    return Some(ready.fetched);
                }
                if at < state.passed || state.begun <= at {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn hand_over(&self, file: LogFile, fetched: Fetched, to: &Path) -> Reply {
        let is_on_way = matches!(file, LogFile::Segment(name) if self.way.contains(&name));
        match fetched {
            Fetched::File(path) => {
                let given = self.account.give(&path).and_then(|()| fs::rename(&path, to));
                match given {
                    Ok(()) => Reply::Delivered,
                    Err(error) => self.unwritten(&error),
                }
            }
            Fetched::Missing => {
                if is_on_way {
                    self.note(Trouble::Missing(file.to_string()));
                }
                Reply::Missing
            }
            Fetched::Undecodable(why) => {
                tracing::warn!(%file, why, "the file cannot be decoded; it counts as missing");
                self.note(Trouble::Undecodable(file.to_string(), why));
                Reply::Missing
            }
            Fetched::Unread(error) => {
                let why = error.to_string();
                self.note(Trouble::Unread(file.to_string(), error));
                Reply::Unread(why)
            }
            Fetched::Unwritten(error) => self.unwritten(&error),
        }
    }

    fn unwritten(&self, error: &io::Error) -> Reply {
        self.note(Trouble::Unwritten(error.to_string()));
        Reply::Unread(format!("the file cannot be written: {error}"))
    }

    fn note(&self, trouble: Trouble) {
        let mut state = self.state();
        if state.troubles.len() < 100 && !state.troubles.contains(&trouble) {
            state.troubles.push(trouble);
        }
    }
}

/// Nobody asks for it any more.
fn discard(fetched: &Fetched) {
    if let Fetched::File(path) = fetched {
        // The whole directory goes at the end.
        let _ = fs::remove_file(path);
    }
}
