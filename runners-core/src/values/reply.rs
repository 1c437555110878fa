//! Everything that a control plane answers.

mod job;

pub use job::*;

use crate::values::{
    explanation::Explanation,
    id::{JobId, PoolId, RunnerId, SignalId, TenantId},
    opaque::Opaque,
    sync::{SignalOutcome, SyncAnswer},
    time::{millis, optional_millis},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a control plane answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// To an enrol: the credential is good from now on.
    Enrolled(Enrolled),
    /// To a deregister: the runner and its credential are gone.
    Deregistered,
    /// To a rotate.
    Rotated(Rotated),
    /// To a sync.
    Answer(Box<SyncAnswer>),
    /// To a sync that a later one has overtaken: nothing was applied, nothing is told.
    Superseded(Superseded),
    /// To a sync of a start that a later one has taken the place of: stop.
    Displaced,
    /// To anything that the caller may not do, or that names what is not there.
    Refused(Refused),
    /// To a submit: what became of each job, in order.
    Submitted(Submitted),
    /// To an inspect or a wait.
    Job(Box<JobView>),
    /// To an explain.
    Explained(Box<Explanation>),
    /// To a cancel.
    Cancelled(Cancelled),
    /// To a signal: it is on its way.
    Signalled(Signalled),
    /// To an answer.
    Answered(Answered),
    /// To a read of a log.
    Log(LogPage),
}

/// The credential is good from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Enrolled {
    /// The runner that the credential speaks for.
    pub runner: RunnerId,
    /// The owner of the runner.
    pub tenant: TenantId,
    /// The runner's pool.
    pub pool: PoolId,
    /// The pool's name.
    pub pool_name: String,
    /// How long from now the credential is to be replaced, if it expires: once three quarters of
    /// its life are over.
    #[serde(
        rename = "rotate_in_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_millis"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub rotate_in: Option<Duration>,
}

/// The next credential is known: use it from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Rotated {
    /// How long from now the next credential is to be replaced in its turn.
    #[serde(rename = "rotate_in_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub rotate_in: Duration,
}

/// A later sync has overtaken this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct Superseded {
    /// The request it answers.
    pub seq: u64,
    /// Over how long to spread reconnects.
    #[serde(rename = "spread_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub spread: Duration,
}

/// The caller may not do this, or names what is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{code}: {detail}")]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Refused {
    /// For machines.
    pub code: RefusalCode,
    /// One sentence for people: what is wrong, and what to do.
    pub detail: String,
}

impl Refused {
    /// Builds a refusal.
    #[must_use]
    pub fn new(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// Why something is refused. Stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalCode {
    /// The caller does not speak for somebody who may.
    Forbidden,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// A field is malformed or over its limit.
    Invalid,
    /// There is another one by that name.
    Conflict,
    /// A limit on how many there may be is reached.
    Exhausted,
    /// The runner was removed.
    Removed,
    /// The token or credential is no longer good.
    Expired,
    /// The job has no attempt that runs: none has begun, or the last one has ended.
    NotRunning,
}

impl RefusalCode {
    /// The word that stands for it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Exhausted => "exhausted",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::NotRunning => "not_running",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of each job, in the order they were submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Submitted {
    /// One entry for each job.
    pub jobs: Vec<Acceptance>,
}

/// What became of a submitted job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Acceptance {
    /// It is queued.
    Accepted(JobId),
    /// It was queued before, by the same bytes.
    Repeated(JobId),
    /// It is not queued.
    Refused(Refused),
}

/// The job or run is told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Cancelled {
    /// How many jobs had not ended before.
    pub jobs: u32,
}

/// A signal is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Signalled {
    /// The signal.
    pub signal: SignalId,
}

/// What is known of the answer to a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answered {
    /// Nothing yet: ask again.
    Waiting,
    /// What came of it.
    Outcome(SignalOutcome),
    /// No answer came in time.
    Expired,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct LogPage {
    /// The grant whose log it is.
    pub grant: u64,
    /// Chunks in order.
    pub chunks: Vec<LogChunk>,
    /// What is missing between the offset that was asked for and `next`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<LogGap>,
    /// The offset to go on from.
    pub next: u64,
    /// Whether the attempt has ended and nothing more will come.
    pub ended: bool,
}

/// A chunk of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct LogChunk {
    /// Where in the log the bytes stand.
    pub offset: u64,
    /// The bytes.
    pub bytes: Opaque,
}

/// Bytes of a log that were lost: on the runner, on their way, or over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct LogGap {
    /// Where in the log they would stand.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}
