//! Everything that can be asked of a control plane.

use crate::values::{
    digest::Digest,
    id::{JobId, RunId, RunnerId, SignalId},
    opaque::Opaque,
    signal::SignalTarget,
    sync::SyncRequest,
    time::{millis, optional_millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that is asked of a control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Exchanges a registration token for a credential.
    Enrol(EnrolRequest),
    /// Takes the runner that asks off the register.
    Deregister(DeregisterRequest),
    /// Announces the credential that takes the place of the one that is presented.
    Rotate(RotateRequest),
    /// States what a runner is at, and waits for what it is to do.
    Sync(Box<SyncRequest>),
    /// Queues jobs.
    Submit(SubmitRequest),
    /// Asks how a job is.
    Inspect(InspectRequest),
    /// Asks why a job is where it is.
    Explain(ExplainRequest),
    /// Waits until a job is concluded.
    Wait(WaitRequest),
    /// Has a job or a run stopped.
    Cancel(CancelRequest),
    /// Sends a command to a runner, or to the live attempt of a job.
    Signal(SignalRequest),
    /// Waits for the answer to a signal.
    Answer(AnswerRequest),
    /// Reads the log of an attempt.
    ReadLog(ReadLogRequest),
}

impl Request {
    /// The name in kebab case, as it stands in a path.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enrol(_) => "enrol",
            Self::Deregister(_) => "deregister",
            Self::Rotate(_) => "rotate",
            Self::Sync(_) => "sync",
            Self::Submit(_) => "submit",
            Self::Inspect(_) => "inspect",
            Self::Explain(_) => "explain",
            Self::Wait(_) => "wait",
            Self::Cancel(_) => "cancel",
            Self::Signal(_) => "signal",
            Self::Answer(_) => "answer",
            Self::ReadLog(_) => "read-log",
        }
    }

    /// How long the answer may be held back on purpose.
    #[must_use]
    pub const fn park_for(&self) -> Duration {
        match self {
            Self::Sync(request) => request.park_for,
            Self::Wait(request) => request.park_for,
            Self::Answer(request) => request.park_for,
            Self::ReadLog(request) => request.park_for,
            _ => Duration::ZERO,
        }
    }

    /// Lowers [`park_for`](Self::park_for) to `park_max` if it is longer.
    pub fn limit_park(&mut self, park_max: Duration) {
        let park_for = match self {
            Self::Sync(request) => &mut request.park_for,
            Self::Wait(request) => &mut request.park_for,
            Self::Answer(request) => &mut request.park_for,
            Self::ReadLog(request) => &mut request.park_for,
            _ => return,
        };
        *park_for = park_max.min(*park_for);
    }
}

/// Announces the credential that takes the place of the one that the transport presents. It is
/// good from its first use on; the old one is good for [`RotateRequest::OVERLAP`] from then.
///
/// Keep the new one on disk before. A repeat with the same hash is answered the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct RotateRequest {
    /// The SHA-256 of the next credential's text.
    pub next: Digest,
}

impl RotateRequest {
    /// How long the old credential is still good once the next one was used: one minute.
    pub const OVERLAP: Duration = Duration::from_secs(60);
}

/// Exchanges a registration token, which the transport presents, for a credential whose secret
/// stays with the runner. A repeat with the same hash is answered the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct EnrolRequest {
    /// The SHA-256 of the credential's text.
    pub credential: Digest,
    /// What the runner is called, for people.
    pub name: String,
    /// The pool that it is to be in, by name or id. It is refused by a token of another, which is not used by
    /// that. The pool of the token unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// Takes the runner that asks off the register, under its own credential, which is good for nothing
/// from then on. What it still holds is lost. A repeat is answered the same, if it still comes
/// through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct DeregisterRequest {}

/// Queues jobs. Each is accepted or refused by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct SubmitRequest {
    /// At most [`SubmitRequest::JOBS_MAX`] jobs.
    pub jobs: Vec<Submission>,
    /// Opens the run that the jobs name, if it is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunSpec>,
}

impl SubmitRequest {
    /// The largest number of jobs in one request.
    pub const JOBS_MAX: usize = 1000;
    /// The largest payload that travels in a submission; a larger one is put as an artifact
    /// first: 128 KiB.
    pub const PAYLOAD_BYTES_MAX: usize = 128 << 10;
    /// The largest specification: 16 KiB.
    pub const SPEC_BYTES_MAX: usize = 16 << 10;
    /// The largest signature.
    pub const SIGNATURE_BYTES_MAX: usize = 200;
    /// The largest body of a request: 2 MiB.
    pub const BYTES_MAX: usize = 2 << 20;
}

/// One job to queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct Submission {
    /// The exact bytes of the [`JobSpec`](crate::JobSpec).
    pub spec: Opaque,
    /// The submitter's signature over them, as [`SigningKey::sign`](crate::SigningKey::sign) makes it.
    #[cfg_attr(feature = "schema", schemars(description = crate::values::schema::SIGNATURE))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The payload, if it is small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Opaque>,
    /// The payload, if it is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_artifact: Option<Digest>,
}

/// Jobs submitted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct RunSpec {
    /// Chosen by the submitter.
    pub run: RunId,
    /// How long all its jobs together may take, from the submit. For ever unless said otherwise. What has not
    /// ended by then is stopped, and a job that is added later has timed out at once.
    #[serde(
        rename = "timeout_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_millis"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub timeout: Option<Duration>,
}

/// Asks how a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct InspectRequest {
    /// The job.
    pub job: JobId,
}

/// Asks why a job is where it is, and what would start it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct ExplainRequest {
    /// The job.
    pub job: JobId,
    /// Only runners with greater ids are told of, to go on from an earlier answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runners_after: Option<RunnerId>,
}

/// Waits until a job is concluded, and answers how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct WaitRequest {
    /// The job.
    pub job: JobId,
    /// How long the answer may be held back.
    #[serde(rename = "park_for_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub park_for: Duration,
}

/// Has a job, or every job of a run, stopped. A repeat is answered the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct CancelRequest {
    /// What to stop.
    pub target: CancelTarget,
}

/// What to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelTarget {
    /// One job.
    Job(JobId),
    /// Every job of a run.
    Run(RunId),
}

/// Sends a command that expects an answer to a runner, or to the attempt of a job that runs now. A
/// repeat is the same signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct SignalRequest {
    /// Chosen by the sender.
    pub id: SignalId,
    /// To whom.
    pub to: SignalTarget,
    /// The kind of command.
    pub kind: String,
    /// Its payload.
    pub payload: Opaque,
    /// How long an answer is waited for. At most [`SignalRequest::EXPIRES_IN_MAX`].
    #[serde(rename = "expires_in_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub expires_in: Duration,
}

impl SignalRequest {
    /// The longest time an answer is waited for: one day.
    pub const EXPIRES_IN_MAX: Duration = Duration::from_secs(24 * 3600);
    /// The largest payload: 16 KiB.
    pub const PAYLOAD_BYTES_MAX: usize = 16 << 10;
}

/// Waits for the answer to a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct AnswerRequest {
    /// The signal.
    pub signal: SignalId,
    /// How long the answer may be held back.
    #[serde(rename = "park_for_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub park_for: Duration,
}

/// Reads the log of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports build it")]
pub struct ReadLogRequest {
    /// The job.
    pub job: JobId,
    /// The grant; the newest one unless said otherwise. Then what has logged nothing is not the end while another
    /// attempt may follow: the log of a job that waits is one that will begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
    /// The offset of the first byte wanted.
    pub from: u64,
    /// How long the answer may be held back while there is nothing beyond `from`.
    #[serde(rename = "park_for_ms", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub park_for: Duration,
}
