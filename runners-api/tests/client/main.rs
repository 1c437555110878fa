//! An orchestrator that is asked over HTTP: the same as in process, whatever is in between.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod alike;
mod build;
mod follow;
mod stage;
mod trouble;
