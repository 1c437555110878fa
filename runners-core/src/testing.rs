//! What host applications and sibling crates test themselves with: conformance suites for the
//! seams, simulated time and chance. Nothing here is part of a running system.

pub mod artifact_suite;
pub mod clock;
pub mod executor;
pub mod frames;
pub mod lease_suite;
pub mod metrics;
pub mod random;
pub mod samples;
pub mod simulation;
pub mod store;
pub mod store_suite;
pub mod suite;
pub mod transport;
pub mod transport_suite;
