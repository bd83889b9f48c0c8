//! What a recovery leaves: a server that runs.

use std::io;

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

impl Recovered {
    /// Ends when the server does, which it should not: its log is read meanwhile.
    pub async fn alive(&mut self) -> String {
        self.server.drain().await;
        self.server.last_words()
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
        kept::settle(&self.place.data)?;
        Ok(self.place)
    }

    /// Ends the server at once; its data is of no use then.
    pub async fn abandon(mut self) -> Place {
        self.server.abandon().await;
        self.place
    }
}
