//! How far recovery gets from each backup, and which moments that makes reachable.

pub(super) mod candidate;
pub(super) mod gaps;
pub(super) mod identity;
pub(super) mod replay;
pub(super) mod route;
pub(super) mod windows;
