//! Artifacts on a storage that is spoken to over HTTP, with every signature checked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod collection;
mod faults;
mod removal;
mod suite;
mod support;
mod uploads;
