//! Which version of the program this is, and of which commit, as `build.rs` has found out.

/// The version, with the commit if it is known: `0.1.0 (0123456789ab)`.
pub(crate) const VERSION: &str = env!("RUNNERS_VERSION");

/// Name and version of this program, as it tells of itself.
pub(crate) const PROGRAM: &str = concat!("runners ", env!("RUNNERS_VERSION"));
