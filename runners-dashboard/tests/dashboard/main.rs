//! The dashboard, called over a real loopback server.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod access;
mod browser;
mod film;
mod forms;
mod library;
mod live;
mod many;
mod pages;
mod pick;
mod record;
#[cfg(feature = "orchestrator")]
mod regions;
mod stage;
mod watch;
