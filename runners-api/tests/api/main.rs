//! The management API, called over a real loopback server.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod access;
mod contract;
mod description;
mod fleet;
mod flows;
mod hosted;
mod jobs;
mod options;
mod repeats;
mod runners;
mod stage;
mod strictness;
mod tenants;
mod views;
mod webhooks;
