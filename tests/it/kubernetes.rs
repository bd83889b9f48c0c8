//! The daemon in Kubernetes, over the same API that everybody uses.
//!
//! Every test makes a namespace of its own, applies the roles of `deploy` to it and gives the
//! daemon a token of the account that they name. The server is the double in this process or, for
//! `make test-kube`, the one that the kubeconfig in `BACKUP_VERIFIER_KUBECONFIG` leads to as an
//! administrator. That one needs the custom resources and no controllers, since the tests write the
//! status of objects themselves. Each test removes there what the ones before it left, so one run
//! at a time. What only the double can do is in `faults`.

mod backups;
mod credentials;
mod discovery;
mod drills;
mod events;
mod faults;
mod in_the_pod;
mod instance_metrics;
mod jobs;
mod kubelet;
mod manifests;
mod objects;
mod orphans;
mod rights;
pub(crate) mod server;
mod setup;
mod world;
