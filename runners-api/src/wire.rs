//! What every call shares, whatever it is about: bodies, errors, ids and times on the wire.

pub(crate) mod body;
#[cfg(any(feature = "endpoint", feature = "management", feature = "orchestrator"))]
pub(crate) mod bytes;
pub(crate) mod credential;
pub(crate) mod exchange;
#[cfg(feature = "management")]
pub(crate) mod json;
#[cfg(feature = "management")]
pub(crate) mod path;
pub(crate) mod problem;
#[cfg(any(feature = "endpoint", feature = "management", feature = "orchestrator"))]
pub(crate) mod range;
#[cfg(any(feature = "management", feature = "orchestrator"))]
pub(crate) mod sse;
#[cfg(feature = "management")]
pub(crate) mod text;
#[cfg(feature = "management")]
pub(crate) mod time;
