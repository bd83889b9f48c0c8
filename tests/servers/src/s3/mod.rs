//! An S3 server in this process: real HTTP, real signatures, objects in memory, faults on demand.
//!
//! It is written on the `s3s` crate, which does routing, XML and signature checks. It does not keep
//! versions, user metadata or checksums, and it speaks path style only.
//!
//! ```no_run
//! use test_servers::s3::{Fault, Operation, S3Server, Trigger};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let server = S3Server::start().await?;
//! server.create_bucket("backups");
//! server.put("backups", "main/base/backup.info", "status=DONE\n");
//! server.inject(Trigger::nth(Operation::List, 2), Fault::SlowDown);
//! // ... point a client at server.endpoint_url() ...
//! assert_eq!(server.requests().of(Operation::List), 2);
//! # Ok(())
//! # }
//! ```

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "test support may panic")]

mod answer;
mod backend;
mod clock;
mod connection;
mod control;
mod fault;
mod get_object;
mod list_objects;
mod listing;
mod multipart;
mod operation;
mod server;
mod store;

pub use fault::Fault;
pub use fault::Trigger;
pub use operation::Operation;
pub use operation::Requests;
pub use server::S3Server;
pub use server::TlsDoor;
pub use store::Store;
