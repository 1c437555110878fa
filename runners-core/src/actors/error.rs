//! What can go wrong for those who use the actors, by what they do next. Each seam has an error of
//! its own, which is the source of one here.

use crate::{
    actors::{runner::ExitReason, spool::SpoolError},
    seams::{artifact::ArtifactError, store::StoreError, transport::TransportError},
    values::{
        id::{JobId, SignalId},
        outcome::Conclusion,
        reply::Refused,
        result::Fault,
    },
};
use std::error::Error as StdError;

/// What can go wrong for those who use the control plane, a runner or a client. Each variant says first
/// what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Try again later: no answer came, however often it was tried.
    #[error("no answer from the control plane")]
    Unreachable(#[source] TransportError),
    /// Correct the token, the version or the request, as the source says: the control plane does not take
    /// it, and trying again does not help.
    #[error("control plane does not take the request")]
    Rejected(#[source] TransportError),
    /// Correct the request, or ask somebody who has the right: see what is refused.
    #[error("refused: {0}")]
    Refused(Refused),
    /// Correct the call: an argument is malformed or over its limit.
    #[error("{field} {problem}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// What is wrong with it, and what the limit is.
        problem: String,
    },
    /// Look at the job: it ended without a verdict, so it has no result.
    #[error("{job} ended without a verdict: {conclusion}")]
    Concluded {
        /// The job.
        job: JobId,
        /// How it ended.
        conclusion: Conclusion,
        /// What was wrong, if that is known.
        #[source]
        fault: Option<Fault>,
    },
    /// Look at the job: it has a verdict, but its result could not be kept, or cannot be fetched
    /// without an artifact store.
    #[error("result of {job} is not available: {problem}")]
    ResultMissing {
        /// The job.
        job: JobId,
        /// Why.
        problem: &'static str,
    },
    /// Compare the two programs' versions: these bytes are not of the type that this one expects.
    #[error("{what} is malformed")]
    Malformed {
        /// What was read or written.
        what: &'static str,
        /// How it is malformed.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Send the signal again, if it still matters: no answer came in time.
    #[error("{signal} was not answered in time")]
    Unanswered {
        /// The signal.
        signal: SignalId,
    },
    /// See what the runner says: it could not carry the signal out.
    #[error("runner answered with a fault")]
    SignalFault(#[source] Fault),
    /// Try again, or correct what the source says.
    #[error("artifact was not stored or read")]
    Artifact(#[source] ArtifactError),
    /// Repair the store, or try again, as the source says.
    #[error("store cannot be used")]
    Store(#[source] StoreError),
    /// Repair the spool, as the source says.
    #[error("spool cannot be used")]
    Spool(#[from] SpoolError),
    /// See why: the runner ended before it was asked to.
    #[error("runner ended: {0}")]
    Exited(ExitReason),
    /// Look at the machine's limits: it gives no thread or timer to run on.
    #[error("cannot start a thread to run on")]
    Thread(#[source] std::io::Error),
    /// Report it: the other side answered what does not fit the question.
    #[error("control plane answered {0} with a reply of another kind")]
    Unexpected(&'static str),
}

impl Error {
    /// The error with its causes, on one line, for people.
    #[must_use]
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }
}

/// An error with its causes, which its `Display` leaves out.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
