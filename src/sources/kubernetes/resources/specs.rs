//! `spec` and `status` of each kind.

mod backups;
mod cluster;
mod object_store;
mod workloads;

use serde::Deserialize;
use serde::Deserializer;

pub(crate) use backups::*;
pub(crate) use cluster::*;
pub(crate) use object_store::*;
pub(crate) use workloads::*;

const CNPG: &str = "postgresql.cnpg.io";

/// A `null` counts as absent, as it does in Go.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Ignored {}
