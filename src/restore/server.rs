//! The server that recovers: started, listened to, stopped.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::restore::account::Account;
use crate::restore::log::Line;
use crate::restore::log::Lines;
use crate::restore::programs::Programs;

/// A server of which the log is read. It ends with this value.
pub(super) struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    lines: Lines,
    /// The last lines, for whoever asks why it ended.
    tail: VecDeque<String>,
}

const TAIL_LINES: usize = 20;

/// After its log has ended.
const END_MAX: Duration = Duration::from_secs(5);

/// A checkpoint of everything that was replayed may be due.
const STOP_MAX: Duration = Duration::from_mins(10);

impl Server {
    pub(super) fn start(programs: &Programs, account: &Account, data: &Path) -> io::Result<Self> {
        let mut command = account.command(&programs.path("postgres"));
        command.arg("-D").arg(data).current_dir(data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Whoever waits for us with Ctrl-C means us, and we tell the server.
        command.process_group(0);
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        let stderr = stderr.ok_or_else(|| io::Error::other("the server has no log"))?;
        let log = BufReader::new(stderr);
        Ok(Self { child, log, lines: Lines::default(), tail: VecDeque::new() })
    }

    /// The next line of the log; `None` once the server has ended.
    pub(super) async fn next_line(&mut self) -> Option<Line> {
        // Whoever waits may stop waiting between any two pieces.
        let line = loop {
            let mut piece = self.log.fill_buf().await.ok()?;
            if piece.is_empty() {
                break self.lines.rest()?;
            }
            let before = piece.len();
            let line = self.lines.step(&mut piece);
            let taken = before.saturating_sub(piece.len());
            self.log.consume(taken);
            if let Some(line) = line {
                break line;
            }
        };
        tracing::debug!(target: "postgres", "{line}");
        let parsed = Line::parse(&line);
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
        Some(parsed)
    }

    /// Why it ended, in its own words, or in those of the kernel.
    pub(super) async fn last_words(&mut self) -> String {
        let status = timeout(END_MAX, self.child.wait()).await.ok().and_then(Result::ok);
        if let Some(status) = status.filter(|it| it.signal().is_some()) {
            self.tail.push_back(format!("the server was terminated by {status}"));
        }
        self.words()
    }

    /// What it has said of late.
    pub(super) fn words(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Reads the log on, so that the server is never kept from writing it.
    pub(super) async fn drain(&mut self) {
        while self.next_line().await.is_some() {}
    }

    /// Shuts it down as at the end of a day's work, so that it starts again without recovery.
    pub(super) async fn stop(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGINT);
        let ended = async {
            self.drain().await;
            self.child.wait().await
        };
        match timeout(STOP_MAX, ended).await {
            Ok(status) => status,
            Err(_) => {
                self.signal(Signal::SIGQUIT);
                self.child.wait().await
            }
        }
    }

    /// Ends it at once: what it wrote is thrown away.
    pub(super) async fn abandon(&mut self) {
        self.signal(Signal::SIGQUIT);
        let _ = timeout(Duration::from_secs(10), self.child.wait()).await;
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            // One that has ended needs no signal.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends its children as well.
        self.signal(Signal::SIGQUIT);
    }
}
