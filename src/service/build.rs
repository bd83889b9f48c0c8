//! What this program was built from; `build.rs` of the package finds it out.

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A git revision, or `unknown`.
pub const REVISION: &str = env!("BUILD_REVISION");

/// As `rustc --version` prints it.
pub const RUSTC: &str = env!("BUILD_RUSTC");
