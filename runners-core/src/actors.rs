//! The actors: the control plane, the runner and the client, over the seams.

mod artifacts;
pub(crate) mod client;
mod connection;
pub(crate) mod control_plane;
pub(crate) mod error;
pub(crate) mod keeper;
pub(crate) mod management;
#[cfg(feature = "orchestrator")]
pub(crate) mod orchestrator;
pub(crate) mod records;
pub(crate) mod runner;
mod secrets;
pub(crate) mod spool;
pub(crate) mod turn;
