//! HTTP transport for `runners`: a client that is a [`Transport`], and a server that is a
//! [`tower_service::Service`], so that a host mounts it under any prefix.
//!
//! Requests, replies and errors are JSON; artifacts are streamed as they are. What stands where on
//! the wire is in the README. What the requests mean is decided behind the [`Transport`] that the
//! server is given, and this crate knows nothing of it.
#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod server;
mod wire;

#[cfg(feature = "client")]
pub use client::{
    HttpTransport,
    artifacts::HttpArtifacts,
    builder::{BuildError, HttpTransportBuilder},
    enrol::{EnrolError, enrol},
};
#[cfg(feature = "server")]
pub use server::{
    HttpFace, HttpFaceBuilder,
    listen::{Server, serve},
    reply::ReplyBody,
};
pub use wire::{PROTOCOL_MAX, PROTOCOL_MIN, REPLY_BYTES_MAX};

#[cfg(doc)]
use runners_core::Transport;
