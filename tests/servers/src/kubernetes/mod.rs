//! A Kubernetes API server in this process: TLS, bearer tokens, RBAC from its own objects, lists,
//! watches and writes as `kube-apiserver` 1.36 answers them, and faults on demand.
//!
//! It runs no controllers: nothing sets a status, starts a pod or collects garbage, and a container
//! has logged what a test says. It speaks
//! JSON only (`kubectl create token` and other commands that send protobuf get 415), serves one
//! version of each kind, and merges every list of an applied configuration
//! as one value. Its definitions of custom resources know only what concerns backups.
//!
//! ```no_run
//! use test_servers::kubernetes::{ApiServer, Fault, Trigger, User};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let server = ApiServer::start().await?;
//! server.install_all_crds();
//! server.apply("{apiVersion: v1, kind: Namespace, metadata: {name: databases}}");
//! let user = User::service_account("databases", "verifier");
//! let kubeconfig = server.kubeconfig(&user);
//! server.faults().inject(Trigger::next(1).verb("list").resource("clusters"), Fault::InternalError);
//! // ... point a client at the kubeconfig ...
//! assert_eq!(server.permission_use(&user).refused, []);
//! # Ok(())
//! # }
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test support may panic"
)]

mod access;
mod admin;
mod admission;
mod answer;
mod api;
mod built_in;
mod call;
mod cause;
mod connection;
mod control;
mod crd;
mod delete;
mod discovery;
mod event;
mod fault;
mod fields;
mod identity;
mod json;
mod list;
mod managed;
mod metadata;
mod patch;
mod permissions;
mod rbac;
mod requests;
mod reviews;
mod rules;
mod selector;
mod server;
mod state;
mod status;
mod types;
mod validate;
mod watch;
mod watch_event;
mod write;

pub use admin::Admin;
pub use control::FaultControl;
pub use fault::Fault;
pub use fault::Trigger;
pub use fault::WatchBreak;
pub use identity::User;
pub use permissions::Permission;
pub use permissions::PermissionUse;
pub use requests::RequestRecord;
pub use server::ApiServer;
