//! Plain values: what everything else is said in. Nothing here knows a rule, a seam or an actor.

pub(crate) mod address;
pub(crate) mod command;
pub(crate) mod digest;
pub(crate) mod event;
pub(crate) mod fleet;
pub(crate) mod id;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod lease;
pub(crate) mod opaque;
pub(crate) mod outcome;
pub(crate) mod preference;
pub(crate) mod principal;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod result;
pub(crate) mod retry;
pub(crate) mod runner;
pub(crate) mod secret;
pub(crate) mod signal;
pub(crate) mod signature;
pub(crate) mod sync;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod webhook;
