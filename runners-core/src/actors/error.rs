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

/// What can go wrong for those who use the control plane, a runner or a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Try again later: no answer came, however often it was tried.
    #[error("no answer from the control plane")]
    Unreachable(#[source] TransportError),
    /// Mend the token, the versions or the request: the control plane takes none of these.
    #[error("control plane does not take the request")]
    Rejected(#[source] TransportError),
    /// Mend the request, or ask somebody who may.
    #[error("refused: {0}")]
    Refused(Refused),
    /// Mend the call: an argument is malformed or over its limit.
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
    /// Compare the two programs: these bytes are not what the type says.
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
    /// Try again, or mend what the artifact store says.
    #[error("artifact was not stored or read")]
    Artifact(#[source] ArtifactError),
    /// Mend the store, or try again: see its source.
    #[error("store cannot be used")]
    Store(#[source] StoreError),
    /// Mend the spool.
    #[error("spool cannot be used")]
    Spool(#[from] SpoolError),
    /// See why: the runner ended before it was asked to.
    #[error("runner ended: {0}")]
    Exited(ExitReason),
    /// Mend the machine: it gives no thread or timer to run on.
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
