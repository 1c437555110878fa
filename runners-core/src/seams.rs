//! The seams: object-safe traits that host applications and sibling crates implement.

pub(crate) mod artifact;
pub(crate) mod clock;
pub(crate) mod executor;
pub(crate) mod lease;
pub(crate) mod store;
