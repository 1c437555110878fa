//! HTTP transport for `runners`: a client that is a [`Transport`](runners_core::Transport), and a server that is a
//! [`tower_service::Service`], so that a host mounts it under any prefix.
//!
//! Requests, replies and errors are JSON; artifacts are streamed as they are. What the requests
//! mean is decided behind the transport that the server is given, and this crate knows nothing of
//! it.
#![cfg_attr(all(feature = "client", feature = "server"), doc = "\n\n", doc = include_str!("../README.md"))]

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "webhooks")]
mod webhooks;
#[cfg_attr(
    not(all(feature = "client", feature = "server")),
    expect(dead_code, reason = "each side uses its own half of what both agree on")
)]
mod wire;

#[cfg(feature = "client")]
pub use client::{
    HttpTransport,
    artifacts::HttpArtifacts,
    builder::{BuildError, HttpTransportBuilder},
    enrol::{EnrolError, enrol},
    exchange::CannotServe,
    neighbours::HttpNeighbours,
    relay::HttpRelay,
    rotation::{RotationError, RunnerCredential},
};
#[cfg(feature = "server")]
pub use runners_core::Peer;
#[cfg(feature = "tls")]
pub use server::tls::{TlsError, TlsIdentity};
#[cfg(feature = "server")]
pub use server::{
    HttpFace, HttpFaceBuilder,
    listen::{Server, serve},
    reply::ReplyBody,
};
#[cfg(feature = "webhooks")]
pub use webhooks::HttpWebhooks;
pub use wire::{PROTOCOL_MAX, PROTOCOL_MIN, REPLY_BYTES_MAX};
