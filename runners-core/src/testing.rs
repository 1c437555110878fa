//! What host applications and sibling crates test themselves with: conformance suites for the
//! seams. Nothing here is part of a running system.

pub mod store_suite;
