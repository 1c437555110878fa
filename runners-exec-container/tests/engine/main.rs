//! Container jobs on a real engine, which the tests start on a socket of its own and stop.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod bench;
mod browsers;
mod daemon;
mod gate;
mod images;
mod isolation;
mod limits;
mod memory;
mod registry;
mod results;
mod stopping;
mod suites;
