//! The seams: object-safe traits that host applications and sibling crates implement.

pub(crate) mod artifact;
pub(crate) mod authenticate;
#[cfg(feature = "checks")]
pub(crate) mod checks;
pub(crate) mod clock;
pub(crate) mod executor;
pub(crate) mod facts;
pub(crate) mod flows;
pub(crate) mod frames;
pub(crate) mod hosted;
pub(crate) mod lease;
pub(crate) mod metrics;
pub(crate) mod observer;
#[cfg(feature = "orchestrator")]
pub(crate) mod orchestration;
pub(crate) mod random;
#[cfg(feature = "orchestrator")]
pub(crate) mod region;
pub(crate) mod relay;
pub(crate) mod responder;
pub(crate) mod secrets;
pub(crate) mod store;
pub(crate) mod traces;
pub(crate) mod transport;
pub(crate) mod webhook;
