//! How attempts and jobs end.

use crate::values::result::{Fault, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How one attempt ended, before policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// With a passed verdict.
    Passed,
    /// With a failed verdict.
    Failed,
    /// Without a verdict.
    Errored(Fault),
    /// It took longer than it may.
    TimedOut,
    /// It was told to stop, and did.
    Cancelled,
    /// The runner could no longer trust its lease. The rules treat it as lost.
    Lapsed,
    /// Nothing more was heard of it. Only the control plane writes it.
    Lost,
}

impl Outcome {
    /// Cuts what is too long, whoever wrote it.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Errored(fault) => Self::Errored(fault.bounded()),
            other => other,
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed => Self::Failed,
        }
    }
}

/// How a job ended, after policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Conclusion {
    /// It passed.
    Passed,
    /// It passed after an attempt with a failed verdict.
    Flaky,
    /// It failed.
    Failed,
    /// No verdict was reached.
    Errored,
    /// Its last attempt took longer than it may.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// It waited longer than it may.
    Expired,
}

impl Conclusion {
    /// Whether it passed, at the first or at a later attempt.
    #[must_use]
    pub const fn is_passed(self) -> bool {
        matches!(self, Self::Passed | Self::Flaky)
    }

    /// The words for people: `timed out`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Flaky => "flaky",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
