//! The store on a real server, which this process starts and ends by itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod clock;
mod failover;
mod failures;
mod followed;
mod hints;
mod opening;
mod outages;
mod planes;
mod simulated;
mod stage;
mod suite;
mod tls;
mod transactions;
