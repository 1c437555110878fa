//! What every call shares, whatever it is about: bodies, errors, ids and times on the wire.

pub(crate) mod body;
pub(crate) mod exchange;
pub(crate) mod json;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod range;
pub(crate) mod sse;
pub(crate) mod text;
pub(crate) mod time;
