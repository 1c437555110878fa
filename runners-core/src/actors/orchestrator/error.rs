//! What can go wrong for those who ask an orchestrator, by what they do next.

use crate::{
    seams::store::StoreError,
    values::{
        orchestration::{InvalidRequest, RunState},
        reply::Refused,
    },
};

/// What can go wrong for those who ask an orchestrator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// Mend the request: this is everything that is wrong with it.
    #[error("the request is invalid: {0}")]
    Invalid(InvalidRequest),
    /// Mend the filter or the cursor.
    #[error("refused: {0}")]
    Refused(Refused),
    /// Look at the name: there is no such run, or it is somebody else's.
    #[error("there is no run {run:?}")]
    NotFound {
        /// Its name.
        run: String,
    },
    /// Choose another name: another request has been made under this one.
    #[error("another request was made under the name {run:?}: choose another name, or leave it out")]
    Taken {
        /// The name.
        run: String,
    },
    /// Wait for its end, or cancel it.
    #[error("the run {run:?} has not ended: it is {state}")]
    Unfinished {
        /// Its name.
        run: String,
        /// How it is.
        state: RunState,
    },
    /// Wait until a run has ended, or cancel one.
    #[error("{limit} runs are under way, which is the limit")]
    TooManyRuns {
        /// How many may be.
        limit: u32,
    },
    /// Try again elsewhere, or later: the orchestrator is being stopped.
    #[error("the orchestrator is being stopped")]
    Stopping,
    /// Try again later, or mend the store: see its source.
    #[error("store cannot be used")]
    Store(#[source] StoreError),
}
