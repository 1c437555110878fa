//! The signals that every runner answers by itself.

use crate::values::{command::Command, result::JobResult};
use serde::{Deserialize, Serialize};

/// Asks a runner for a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct Ping {
    /// Comes back as it is. At most 16 KiB together with its quotes.
    pub text: String,
}

impl Command for Ping {
    const KIND: &'static str = "runners.ping";
    type Result = Pong;
}

/// The sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "runners of other programs build it")]
pub struct Pong {
    /// The text of the [`Ping`].
    pub text: String,
}

impl JobResult for Pong {}
