//! Regions over real connections: what is sent, what each bad reply is told as, and where nothing is
//! sent.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod bad;
mod circuit;
mod egress;
mod good;
mod left;
mod stage;
