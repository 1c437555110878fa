//! The endpoint of a region, called over a real loopback server.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod bad;
mod good;
mod left;
mod limits;
mod repeats;
mod stage;
