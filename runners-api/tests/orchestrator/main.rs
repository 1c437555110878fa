//! The API of an orchestrator, called over a real loopback server, line by line of its contract.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod access;
mod beyond;
mod left;
mod requests;
mod results;
mod routes;
mod stage;
