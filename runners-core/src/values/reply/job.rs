//! How a job is, as whoever submitted it is told.

use crate::values::{
    digest::Digest,
    id::{JobId, RunId, RunnerId},
    lease::FencingToken,
    opaque::Opaque,
    outcome::{Conclusion, Outcome},
    result::Fault,
    time::{Timestamp, rfc3339},
};
use serde::{Deserialize, Serialize};

/// How a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct JobView {
    /// The job.
    pub job: JobId,
    /// The kind of its command.
    pub kind: String,
    /// What its submitter calls it, if it calls it anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The name of its pool, or [`JobView::HOSTED_POOL`] if it is hosted by the operator.
    pub pool: String,
    /// Its run, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// How it is now.
    pub state: StateView,
    /// When it was submitted.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
    pub submitted_at: Timestamp,
    /// Its attempts that ended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptView>,
    /// The result of its last attempt, if there is one and it is small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Opaque>,
    /// The result of its last attempt, if it is an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_artifact: Option<Digest>,
    /// What its attempts left, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactView>,
    /// How far its attempt is, as last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// Why it ended, if none of its attempts tells: nobody could take it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl JobView {
    /// What stands for the name of the pool of a job that is hosted: those of the operator are its own
    /// business.
    pub const HOSTED_POOL: &str = "hosted";

    /// How the job ended, once it has.
    #[must_use]
    pub const fn conclusion(&self) -> Option<Conclusion> {
        match self.state {
            StateView::Concluded { conclusion, .. } => Some(conclusion),
            _ => None,
        }
    }

    /// Why the job ended without a verdict: its own fault, or that of the last attempt that had one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        let attempts = self.attempts.iter().rev().find_map(|attempt| match &attempt.outcome {
            Outcome::Errored(fault) => Some(fault),
            _ => None,
        });
        self.fault.as_ref().or(attempts)
    }
}

/// How a job is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StateView {
    /// Not yet due, a wait before another attempt included.
    Scheduled {
        /// When it will be ready.
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        ready_at: Timestamp,
    },
    /// Waiting for other jobs.
    Blocked {
        /// How many.
        on: u32,
    },
    /// Waiting for a runner.
    Ready {
        /// Since when.
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        since: Timestamp,
    },
    /// Offered to a runner that has not started it.
    Offered {
        /// The runner.
        runner: RunnerId,
        /// The grant.
        token: FencingToken,
    },
    /// Being executed.
    Running {
        /// The runner.
        runner: RunnerId,
        /// The grant.
        token: FencingToken,
        /// The number of the attempt.
        attempt: u32,
        /// When it was confirmed.
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        since: Timestamp,
        /// Whether it was told to stop.
        cancelling: bool,
    },
    /// Ended.
    Concluded {
        /// How.
        conclusion: Conclusion,
        /// When.
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        at: Timestamp,
    },
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// Its grant.
    pub grant: u64,
    /// Its runner.
    pub runner: RunnerId,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was confirmed.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
    pub started_at: Timestamp,
    /// When its end was recorded.
    #[serde(with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
    pub ended_at: Timestamp,
    /// Names of artifacts that it could not put.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// An artifact that an attempt left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct ArtifactView {
    /// The grant of the attempt.
    pub grant: u64,
    /// A relative path.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub length: u64,
    /// Its media type.
    pub media_type: String,
}
