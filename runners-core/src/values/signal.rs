//! Signals: to whom one is sent, and those that every runner answers by itself.

use crate::values::{
    command::Command,
    id::{IdError, JobId, RunnerId},
    lease::FencingToken,
    result::JobResult,
    runner::{Facts, Load, Mode},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Cow, fmt, str::FromStr};

/// To whom a signal is sent. Its text is the id, whose prefix tells which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever sends a signal names one of the two")]
pub enum SignalTarget {
    /// A runner. It waits there until it expires, also while the runner is offline.
    Runner(RunnerId),
    /// The attempt of a job that runs when the signal is sent, and no later one: when it ends, the
    /// signal is answered with the fault `attempt_ended`.
    Job(JobId),
}

impl From<RunnerId> for SignalTarget {
    fn from(runner: RunnerId) -> Self {
        Self::Runner(runner)
    }
}

impl From<JobId> for SignalTarget {
    fn from(job: JobId) -> Self {
        Self::Job(job)
    }
}

impl fmt::Display for SignalTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runner(runner) => runner.fmt(f),
            Self::Job(job) => job.fmt(f),
        }
    }
}

impl FromStr for SignalTarget {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(job) => Ok(Self::Job(job)),
            Err(_) => text.parse().map(Self::Runner),
        }
    }
}

impl Serialize for SignalTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SignalTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for SignalTarget {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignalTarget".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::values::schema::text(
            "^(runner|job)_[0-9a-f]{32}$",
            "runner_019a00000000700080000000000000ab",
            "To whom a signal is sent: a runner, or the attempt of a job that runs now.",
        )
    }
}

/// Asks a runner for a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct Ping {
    /// Comes back as it is. At most 16 KiB together with its quotes. Empty by default.
    #[serde(default)]
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

/// Asks a runner what it is, what it is at, and what has happened there lately. No secret is in the
/// answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "users build it")]
pub struct CollectDiagnostics {}

impl Command for CollectDiagnostics {
    const KIND: &'static str = "runners.diagnostics";
    type Result = Diagnostics;
}

/// What a runner says to [`CollectDiagnostics`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "runners of other programs build it")]
pub struct Diagnostics {
    /// What it is.
    pub facts: Facts,
    /// How busy its machine is now.
    pub load: Load,
    /// What it means to do.
    pub mode: Mode,
    /// How many more jobs it would start now.
    pub free: u32,
    /// What it executes.
    pub held: Vec<FencingToken>,
    /// How many finishes are not acknowledged.
    pub unrecorded: u64,
    /// How many signals it is carrying out.
    pub responding: u64,
    /// How long ago it was started, in seconds.
    pub up_secs: u64,
    /// What happened lately, a line each, the newest last. At most
    /// [`Diagnostics::NOTICES_MAX`].
    pub notices: Vec<DatedNotice>,
}

impl Diagnostics {
    /// The largest number of notices.
    pub const NOTICES_MAX: usize = 100;
}

impl JobResult for Diagnostics {}

/// Something that happened at a runner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "runners of other programs build it")]
pub struct DatedNotice {
    /// How long ago, in seconds.
    pub ago_secs: u64,
    /// What, for people. At most 500 bytes.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_by_the_prefix_of_its_id() {
        let (runner, job) = (RunnerId::from_bytes([1; 16]), JobId::from_bytes([2; 16]));
        for target in [SignalTarget::Runner(runner), SignalTarget::Job(job)] {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert!("pool_01010101010101010101010101010101".parse::<SignalTarget>().is_err());
    }
}
