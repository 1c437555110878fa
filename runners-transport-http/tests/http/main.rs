//! Client and server together, over loopback sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod artifacts;
mod faults;
mod golden;
mod hosted;
mod limits;
mod live;
#[cfg(feature = "openapi")]
mod members;
#[cfg(feature = "openapi")]
mod openapi;
mod parks;
mod pieces;
mod proxy;
mod revoked;
mod rotation;
mod stop;
mod suite;
mod support;
mod tenants;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
mod uploads;
#[cfg(feature = "webhooks")]
mod webhooks;
