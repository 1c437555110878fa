//! The dashboard, called over a real loopback server.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod stage;
