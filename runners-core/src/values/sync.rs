//! The one call that a runner makes in a loop: what it tells, and what it is told.
//!
//! A sync states the whole truth of the runner, so nothing depends on an earlier one having
//! arrived. Durations count from the moment the runner sent the request.

use crate::values::{
    digest::Digest,
    id::{SignalId, TenantId},
    lease::FencingToken,
    opaque::Opaque,
    outcome::Outcome,
    result::Fault,
    runner::{Desired, Facts, Incarnation, Mode},
    time::millis,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a runner tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct SyncRequest {
    /// Which start of the runner speaks.
    pub incarnation: Incarnation,
    /// Grows by one with every request sent, also after an error.
    pub seq: u64,
    /// How long the answer may be held back while there is nothing to say.
    #[serde(rename = "park_for_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub park_for: Duration,
    /// The digest of the runner's facts.
    pub facts_digest: Digest,
    /// The facts, at the first sync and when they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// What the runner means to do.
    #[serde(default)]
    pub intent: Mode,
    /// The generation of the desired state that it has applied.
    #[serde(default)]
    pub seen_generation: u64,
    /// How many more jobs it would start now.
    #[serde(default)]
    pub free: u32,
    /// Every attempt it works on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// Offers it does not take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declined: Vec<Declined>,
    /// Attempts that ended, until they are recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finishes: Vec<Finish>,
    /// Answers to signals, until they are heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<SignalAnswer>,
    /// What was logged since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tails: Vec<LogTail>,
    /// Artifacts that were put, to be attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Attachment>,
    /// How far each attempt is; only the newest of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<Progress>,
}

impl SyncRequest {
    /// The largest body of a request, and of a reply: 256 KiB.
    pub const BYTES_MAX: usize = 256 << 10;
    /// The largest result that travels in a finish; a larger one is an artifact: 64 KiB.
    pub const RESULT_BYTES_MAX: usize = 64 << 10;
    /// The largest chunk of a log: 64 KiB.
    pub const LOG_CHUNK_BYTES_MAX: usize = 64 << 10;
    /// The largest log of one attempt: 16 MiB. What goes beyond is marked as missing.
    pub const LOG_BYTES_MAX: u64 = 16 << 20;
    /// The largest log of all attempts of a job: 64 MiB. What goes beyond is marked as missing.
    pub const LOG_JOB_BYTES_MAX: u64 = 64 << 20;
    /// The longest park that may be asked for.
    pub const PARK_MAX: Duration = Duration::from_secs(60);
}

/// An attempt that a runner works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Held {
    /// The grant.
    pub token: FencingToken,
    /// Whether it was told to stop.
    #[serde(default)]
    pub phase: Phase,
}

/// How an attempt is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both sides of the protocol decide on every one")]
pub enum Phase {
    /// At work.
    #[default]
    Running,
    /// Told to stop, within its grace.
    Cancelling,
}

/// An offer that a runner does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Declined {
    /// The grant.
    pub token: FencingToken,
    /// A few words for people.
    pub why: String,
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Finish {
    /// The grant.
    pub token: FencingToken,
    /// Whose job it is, if the [offer](Offer::tenant) said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its result, if there is one and it is small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Opaque>,
    /// Its result, if it is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_artifact: Option<Digest>,
    /// Names of artifacts that could not be put. They change no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// How many bytes its log has, if the runner knows. Those that did not come before the finish, or
    /// along with it, are marked as missing: a finish outlives a crash of its runner, and what was not
    /// sent of the log does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_end: Option<u64>,
}

/// A runner's answer to a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct SignalAnswer {
    /// The signal.
    pub signal: SignalId,
    /// What came of it.
    pub answer: SignalOutcome,
}

/// What came of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalOutcome {
    /// Its serialised result.
    Result(Opaque),
    /// Trouble.
    Fault(Fault),
}

/// Bytes of an attempt's log. A chunk once sent is sent again unchanged until it is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct LogTail {
    /// The grant.
    pub token: FencingToken,
    /// Where in the log the bytes stand.
    pub offset: u64,
    /// The bytes.
    pub bytes: Opaque,
}

/// An artifact that an attempt leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Attachment {
    /// The grant.
    pub token: FencingToken,
    /// A relative path. At most [`Attachment::NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub length: u64,
    /// Its media type (RFC 6838), such as `image/png`.
    pub media_type: String,
}

impl Attachment {
    /// The largest number of bytes in a name, and in a media type.
    pub const NAME_BYTES_MAX: usize = 200;
    /// The largest number of artifacts of one attempt.
    pub const PER_ATTEMPT_MAX: usize = 1000;

    /// Whether a text is a name: a relative path that leads nowhere but down.
    pub(crate) fn is_name(name: &str) -> bool {
        let part = |part: &str| !matches!(part, "" | "." | "..");
        let plain = name.chars().all(|char| !char.is_control() && char != '\\');
        name.len() <= Self::NAME_BYTES_MAX && plain && name.split('/').all(part)
    }
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols build it")]
pub struct Progress {
    /// The grant.
    pub token: FencingToken,
    /// Grows with every text.
    pub number: u64,
    /// A few words for people.
    pub text: String,
}

/// What a runner is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct SyncAnswer {
    /// The request it answers.
    pub seq: u64,
    /// How long the leases that the request listed, and that are not in `lost`, are good for.
    #[serde(
        rename = "term_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::values::time::optional_millis"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub term: Option<Duration>,
    /// Grants that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<FencingToken>,
    /// Attempts that are to stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<CancelNotice>,
    /// Finishes and declines that are recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<FencingToken>,
    /// Finishes and declines that came too late: another grant, session or outcome stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fenced: Vec<FencingToken>,
    /// Answers that are recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<SignalId>,
    /// Up to where each log is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logged: Vec<Logged>,
    /// Artifacts that are attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<Attached>,
    /// Jobs to start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// Commands to answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalDelivery>,
    /// What is wanted of the runner, until it has seen the generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Desired>,
    /// Whether the facts are to be sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub send_facts: bool,
    /// Nothing is offered to this session, and from now on nothing will be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_more: bool,
    /// Over how long to spread reconnects.
    #[serde(rename = "spread_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub spread: Duration,
    /// The longest park that is granted.
    #[serde(rename = "park_max_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub park_max: Duration,
}

/// An attempt that is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct CancelNotice {
    /// The grant.
    pub token: FencingToken,
    /// How long it may still take.
    #[serde(rename = "grace_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub grace: Duration,
    /// Only the attempt is to stop: its job goes on elsewhere, unless it reaches a verdict within
    /// the grace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requeue: bool,
}

/// Up to where a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct Logged {
    /// The grant.
    pub token: FencingToken,
    /// The offset of the first byte that is not kept.
    pub offset: u64,
}

/// An artifact that is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct Attached {
    /// The grant.
    pub token: FencingToken,
    /// The name.
    pub name: String,
}

/// A job to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct Offer {
    /// The grant.
    pub token: FencingToken,
    /// Whose job it is, if it is hosted: not of the tenant that the runner belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The number of the attempt it becomes when it is confirmed.
    pub attempt: u32,
    /// How long the offer stands.
    #[serde(rename = "start_within_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub start_within: Duration,
    /// The exact bytes of the [`JobSpec`](crate::JobSpec).
    pub spec: Opaque,
    /// The submitter's signature over them.
    #[cfg_attr(feature = "schema", schemars(description = crate::values::schema::SIGNATURE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The payload, if it is small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Opaque>,
    /// The payload, if it is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_artifact: Option<Digest>,
    /// The image of a container job that names none, as the runner's pool or the control plane says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// A command to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "gateways of other protocols read it")]
pub struct SignalDelivery {
    /// Names it; one that was seen is not carried out again.
    pub id: SignalId,
    /// The kind of command.
    pub kind: String,
    /// Its payload.
    pub payload: Opaque,
    /// How long an answer is waited for.
    #[serde(rename = "expires_in_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub expires_in: Duration,
    /// The attempt it is for; it is for the runner itself unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<FencingToken>,
}
