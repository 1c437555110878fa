//! The seam between those who ask an orchestrator and the orchestrator itself, which may be in this
//! process or at the other end of a network. What an orchestrator does with a call is its business.

use crate::{
    seams::{
        artifact::{ArtifactError, ByteStream},
        store::StoreError,
    },
    values::{
        digest::Digest,
        event::EventCursor,
        fleet::listing::{Listing, Paging},
        orchestration::{
            History, HistoryFilter, InvalidRequest, OrchestrationRequest, RunEvent, RunFilter, RunLine,
            RunProgress, RunState, RunSummary,
        },
        reply::Refused,
    },
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::{
    error::Error,
    fmt::{self, Debug},
    ops::Range,
    sync::Arc,
    time::Duration,
};

/// Carries calls to an orchestrator, for somebody who is known to it already.
///
/// Every call may be repeated: a submit under the name of its run, and everything else as it is.
#[async_trait]
pub trait OrchestratorTransport: Debug + Send + Sync + 'static {
    /// Carries one call out, and answers the reply that belongs to it.
    ///
    /// # Errors
    /// [`OrchestratorError`], by what to do next. After
    /// [`Unreachable`](OrchestratorError::Unreachable) the call may or may not have been carried out.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the call carried out or not.
    async fn call(&self, call: OrchestratorCall) -> Result<OrchestratorReply, OrchestratorError>;

    /// Reads what a run has left, or the part of it in `range` (clipped to its length).
    ///
    /// # Errors
    /// [`OrchestratorError`], by what to do next.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    async fn read_artifact(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError>;

    /// What a run tells from a place on, as it happens, until it has ended. An error ends the stream.
    fn follow(&self, run: &str, after: EventCursor) -> RunEvents;
}

/// The events of a run, each with the place after it, from which another stream goes on.
pub type RunEvents = BoxStream<'static, Result<(EventCursor, RunEvent), OrchestratorError>>;

#[async_trait]
impl<T: OrchestratorTransport + ?Sized> OrchestratorTransport for Arc<T> {
    async fn call(&self, call: OrchestratorCall) -> Result<OrchestratorReply, OrchestratorError> {
        (**self).call(call).await
    }
    async fn read_artifact(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError> {
        (**self).read_artifact(run, digest, range).await
    }
    fn follow(&self, run: &str, after: EventCursor) -> RunEvents {
        (**self).follow(run, after)
    }
}

/// The bytes of an artifact.
#[expect(clippy::exhaustive_structs, reason = "transports build it")]
pub struct ArtifactBytes {
    /// How many bytes the whole artifact has.
    pub length: u64,
    /// The whole, or the part that was asked for.
    pub bytes: ByteStream,
}

impl fmt::Debug for ArtifactBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactBytes").field("length", &self.length).finish_non_exhaustive()
    }
}

/// What an orchestrator is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OrchestratorCall {
    /// Begin a run. Answered by [`Submitted`](OrchestratorReply::Submitted).
    Submit(Box<OrchestrationRequest>),
    /// How far is a run? Answered by [`Progress`](OrchestratorReply::Progress).
    Progress {
        /// Its name.
        run: String,
    },
    /// What became of a run that has ended? Answered by [`Summary`](OrchestratorReply::Summary).
    Results {
        /// Its name.
        run: String,
        /// How long its end is waited for.
        park_for: Duration,
    },
    /// What became of a run so far? Answered by [`Summary`](OrchestratorReply::Summary).
    PartialResults {
        /// Its name.
        run: String,
    },
    /// Stop a run, and wait for its end. Answered by [`Progress`](OrchestratorReply::Progress).
    Cancel {
        /// Its name.
        run: String,
    },
    /// Remove a run that has ended. Answered by [`Deleted`](OrchestratorReply::Deleted).
    Delete {
        /// Its name.
        run: String,
    },
    /// Which runs are there? Answered by [`Listing`](OrchestratorReply::Listing).
    List {
        /// Which are meant.
        filter: RunFilter,
        /// Which page of them.
        paging: Paging,
    },
    /// How did checks fare? Answered by [`History`](OrchestratorReply::History).
    History(Box<HistoryFilter>),
}

/// What an orchestrator answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OrchestratorReply {
    /// The run is there.
    Submitted {
        /// Its name.
        run: String,
    },
    /// How far a run is.
    Progress(RunProgress),
    /// What became of a run.
    Summary(Box<RunSummary>),
    /// The run is not there any more.
    Deleted,
    /// One page of runs.
    Listing(Listing<RunLine>),
    /// How checks fared.
    History(History),
}

/// What can go wrong for those who ask an orchestrator, by what they do next.
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
    /// Look at the digest: the run has left nothing of it, or it is not kept any more.
    #[error("the run {run:?} has no artifact {digest}")]
    NoArtifact {
        /// The name of the run.
        run: String,
        /// The digest.
        digest: Digest,
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
    /// Get a credential that is good for this: the one that was shown is not.
    #[error("not allowed: {problem}")]
    Denied {
        /// What the orchestrator said of it.
        problem: String,
    },
    /// Try again elsewhere, or later: the orchestrator is being stopped.
    #[error("the orchestrator is being stopped")]
    Stopping,
    /// Try again later: no answer came, however often it was tried.
    #[error("no answer from the orchestrator")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// Look at where calls are sent, and at the releases of both ends: what was answered is no answer
    /// to this call.
    #[error("this was not answered as an orchestrator does: {problem}")]
    Unexpected {
        /// What was answered.
        problem: String,
    },
    /// Try again, or mend what the artifact store says.
    #[error("artifact cannot be read")]
    Artifact(#[source] ArtifactError),
    /// Try again later, or mend the store: see its source.
    #[error("store cannot be used")]
    Store(#[source] StoreError),
}
