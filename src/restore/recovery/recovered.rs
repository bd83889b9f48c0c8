//! What a recovery leaves: a server that runs.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::restore::end::lacking_machine;
use crate::restore::end::of_death;
use crate::restore::failed::Failed;
use crate::restore::kept;
use crate::restore::place::Place;
use crate::restore::programs::Programs;
use crate::restore::server::Server;

/// A server that has recovered and takes connections at its socket.
pub struct Recovered {
    pub(super) server: Server,
    pub place: Place,
    pub(super) programs: Programs,
}

/// What it writes when it dies comes at once.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

impl Recovered {
    /// Ends when the server does, which it should not: its log is read meanwhile.
    pub async fn alive(&mut self) -> Failed {
        self.server.drain().await;
        of_death(&self.server.last_words().await)
    }

    /// Why a check failed, where that is not for its answer: the server may have been killed, or have no
    /// room.
    pub async fn excuse(&mut self, failed: Failed) -> Failed {
        let words = match timeout(LAST_WORDS_MAX, self.server.drain()).await {
            Ok(()) => self.server.last_words().await,
            Err(_) => self.server.words(),
        };
        match lacking_machine(None, &words) {
            Some((class, words)) => Failed::new(class, format!("{}; {words}", failed.detail)),
            None => failed,
        }
    }

    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Shuts the server down in order, and leaves its data ready to be started by anybody.
    pub async fn stop(mut self) -> io::Result<Place> {
        let status = self.server.stop().await?;
        if !status.success() {
            return Err(io::Error::other(format!("the server ended with {status}")));
        }
        kept::settle(self.place.data())?;
        Ok(self.place)
    }

    /// Ends the server at once; its data is of no use then.
    pub async fn abandon(mut self) -> Place {
        self.server.abandon().await;
        self.place
    }
}
