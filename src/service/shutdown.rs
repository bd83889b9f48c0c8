//! From signals to one channel that everything waits on.

use std::io;
use std::process;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;

/// Tells when the process is asked to end. Clones hear the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for SIGTERM and SIGINT from now on; a second one ends the process at once. SIGHUP,
    /// which would end it as well, is ignored: there is nothing to reload.
    pub fn on_signals() -> io::Result<Self> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                tracing::info!("SIGHUP is ignored: restart to apply a changed configuration");
            }
        });
        let (sender, shutdown) = Self::channel();
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("shutting down");
            sender.send_replace(true);
            let signal = signals.next().await;
            exit_at_once(signal);
        });
        Ok(shutdown)
    }

    /// One that is requested by sending `true`, or by dropping the sender.
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until shutdown is requested.
    pub async fn requested(&mut self) {
        // An error is a dropped sender: nobody could ask any more.
        let _ = self.0.wait_for(|is_requested| *is_requested).await;
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever asks twice does not want to wait")]
fn exit_at_once(signal: SignalKind) {
    // What a shell reports for a process that a signal ended.
    process::exit(128 + signal.as_raw_value());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_hears_the_request() {
        let (sender, mut shutdown) = Shutdown::channel();
        let mut other = shutdown.clone();
        assert!(!shutdown.is_requested());
        sender.send_replace(true);
        shutdown.requested().await;
        other.requested().await;
        assert!(other.is_requested());
    }

    #[tokio::test]
    async fn a_lost_sender_is_a_request() {
        let (sender, mut shutdown) = Shutdown::channel();
        drop(sender);
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
