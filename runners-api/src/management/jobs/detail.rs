//! One job as it is shown: with its attempts, its result and what it left.

use super::{Job, WireOptions};
use crate::management::views::Stream;
use crate::wire::{text, time};
use runners_core::{
    Digest, JobLine, Outcome, RunnerId, Timestamp,
    protocol::{ArtifactView, AttemptView, JobView},
};
use serde::Serialize;
use serde_json::Value;

/// A job, its attempts, its result and what it left.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobDetail {
    #[serde(flatten)]
    job: Job,
    /// What was asked for when it was submitted, unless it is not kept any more.
    options: Option<WireOptions>,
    /// Attempts that ended, oldest first.
    attempts: Vec<Attempt>,
    artifacts: Vec<Artifact>,
    /// The typed result of its command, if it left one that is small enough to show.
    #[schema(value_type = Option<Value>)]
    result: Option<Value>,
    /// The artifact that its result is, if it is too large.
    #[schema(value_type = Option<text::Sha256>)]
    result_artifact: Option<Digest>,
    /// Why it ended, if none of its attempts tells: nobody could take it any more.
    fault: Option<Fault>,
    /// What the attempt that runs last said of how far it is.
    progress: Option<String>,
    /// The live view of the attempt that runs, while somebody looks at it.
    stream: Option<Stream>,
}

/// An attempt that ended.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// Counted from 1.
    number: u32,
    /// The grant, which names its log and its artifacts.
    grant: u64,
    #[schema(value_type = text::Runner)]
    runner_id: RunnerId,
    /// `passed`, `failed`, `errored`, `timed_out`, `cancelled`, `lapsed` or `lost`.
    outcome: String,
    /// What prevented a verdict, where something did.
    fault: Option<Fault>,
    #[serde(rename = "startedAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    started_at: Timestamp,
    #[serde(rename = "endedAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    ended_at: Timestamp,
    /// Names of artifacts that could not be put.
    missing_artifacts: Vec<String>,
}

/// Trouble that prevented a verdict.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Fault {
    code: String,
    message: String,
}

/// Named bytes that an attempt left.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    /// The grant of its attempt.
    grant: u64,
    /// A relative path.
    name: String,
    #[schema(value_type = text::Sha256)]
    sha256: Digest,
    /// How many bytes it has.
    length: u64,
    media_type: String,
}

impl JobDetail {
    pub(super) fn new(
        line: JobLine,
        options: Option<WireOptions>,
        view: JobView,
        stream: Option<Stream>,
    ) -> Self {
        let shown = |bytes: &[u8]| {
            let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
            serde_json::from_slice(bytes).unwrap_or_else(|_| text())
        };
        Self {
            job: line.into(),
            options,
            attempts: view.attempts.into_iter().map(Attempt::from).collect(),
            artifacts: view.artifacts.into_iter().map(Artifact::from).collect(),
            result: view.result.map(|result| shown(result.as_bytes())),
            result_artifact: view.result_artifact,
            fault: view.fault.map(Fault::from),
            progress: view.progress,
            stream,
        }
    }
}

impl From<AttemptView> for Attempt {
    fn from(attempt: AttemptView) -> Self {
        let outcome = match &attempt.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed_out",
            Outcome::Cancelled => "cancelled",
            Outcome::Lapsed => "lapsed",
            Outcome::Lost => "lost",
            _ => "errored",
        };
        let fault = match attempt.outcome {
            Outcome::Errored(fault) => Some(fault.into()),
            _ => None,
        };
        Self {
            number: attempt.number,
            grant: attempt.grant,
            runner_id: attempt.runner,
            outcome: outcome.to_owned(),
            fault,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            missing_artifacts: attempt.missing,
        }
    }
}

impl From<runners_core::Fault> for Fault {
    fn from(fault: runners_core::Fault) -> Self {
        Self { code: fault.code.to_string(), message: fault.message }
    }
}

impl From<ArtifactView> for Artifact {
    fn from(artifact: ArtifactView) -> Self {
        let ArtifactView { grant, name, digest, length, media_type, .. } = artifact;
        Self { grant, name, sha256: digest, length, media_type }
    }
}
