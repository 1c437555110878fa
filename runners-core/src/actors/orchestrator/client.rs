//! Asking an orchestrator, wherever it is: the same methods in process and over any transport.

use crate::{
    seams::orchestration::{
        ArtifactBytes, OrchestratorCall, OrchestratorError, OrchestratorReply, OrchestratorTransport,
        RunEvents,
    },
    values::{
        digest::Digest,
        event::EventCursor,
        fleet::listing::{Listing, Paging},
        orchestration::{
            History, HistoryFilter, OrchestrationRequest, RunFilter, RunLine, RunProgress, RunSummary,
        },
    },
};
use std::{ops::Range, sync::Arc, time::Duration};

/// Asks an orchestrator on behalf of one tenant. Clones are the same client.
///
/// In process it comes from [`Orchestrator::client`](super::Orchestrator::client), and has no trouble
/// of the kinds [`Denied`](OrchestratorError::Denied), [`Unreachable`](OrchestratorError::Unreachable)
/// and [`Unexpected`](OrchestratorError::Unexpected). Every method may fail with those over a
/// transport, and with [`Store`](OrchestratorError::Store) in process.
#[derive(Clone, Debug)]
pub struct OrchestratorClient {
    transport: Arc<dyn OrchestratorTransport>,
}

impl OrchestratorClient {
    /// Asks by this transport.
    pub fn new(transport: impl OrchestratorTransport) -> Self {
        Self { transport: Arc::new(transport) }
    }

    /// Begins a run, and answers its name. What was accepted goes on whatever becomes of this process.
    /// The same request under the same [`run_id`](OrchestrationRequest::run_id) is the same run.
    ///
    /// # Errors
    /// [`OrchestratorError::Invalid`], [`OrchestratorError::Taken`],
    /// [`OrchestratorError::TooManyRuns`] or [`OrchestratorError::Stopping`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run begun or not.
    pub async fn submit(&self, request: &OrchestrationRequest) -> Result<String, OrchestratorError> {
        match self.transport.call(OrchestratorCall::Submit(Box::new(request.clone()))).await? {
            OrchestratorReply::Submitted { run } => Ok(run),
            other => Err(unexpected(&other)),
        }
    }

    /// How far a run is.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn progress(&self, run: &str) -> Result<RunProgress, OrchestratorError> {
        self.told_progress(OrchestratorCall::Progress { run: run.to_owned() }).await
    }

    /// What became of a run that has ended.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`] or [`OrchestratorError::Unfinished`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn results(&self, run: &str) -> Result<RunSummary, OrchestratorError> {
        self.told_summary(OrchestratorCall::Results { run: run.to_owned(), park_for: Duration::ZERO }).await
    }

    /// What became of a run so far, whether or not it has ended.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn partial_results(&self, run: &str) -> Result<RunSummary, OrchestratorError> {
        self.told_summary(OrchestratorCall::PartialResults { run: run.to_owned() }).await
    }

    /// Waits up to `timeout` until a run has ended, and answers what became of it.
    ///
    /// # Errors
    /// [`OrchestratorError::Unfinished`] once the time is over, [`OrchestratorError::NotFound`] or
    /// [`OrchestratorError::Stopping`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn wait(&self, run: &str, timeout: Duration) -> Result<RunSummary, OrchestratorError> {
        self.told_summary(OrchestratorCall::Results { run: run.to_owned(), park_for: timeout }).await
    }

    /// Has a run stopped: its calls are cancelled, and what came back is kept. Completes when it has
    /// ended, and answers how: a run that had ended before is as it was.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`] or [`OrchestratorError::Stopping`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run told to stop or not.
    pub async fn cancel(&self, run: &str) -> Result<RunProgress, OrchestratorError> {
        self.told_progress(OrchestratorCall::Cancel { run: run.to_owned() }).await
    }

    /// Removes a run that has ended, and everything that is kept of it.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`] or [`OrchestratorError::Unfinished`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the run removed, or there without some of its results.
    pub async fn delete(&self, run: &str) -> Result<(), OrchestratorError> {
        match self.transport.call(OrchestratorCall::Delete { run: run.to_owned() }).await? {
            OrchestratorReply::Deleted => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Lists runs, newest first. Time is looked up, state and tags are sifted: where little of much
    /// matches, a page has fewer runs than were asked for, or none, and still leads to the next.
    ///
    /// # Errors
    /// [`OrchestratorError::Refused`] for a limit or a cursor that cannot be.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn list(
        &self,
        filter: &RunFilter,
        paging: &Paging,
    ) -> Result<Listing<RunLine>, OrchestratorError> {
        let call = OrchestratorCall::List { filter: filter.clone(), paging: paging.clone() };
        match self.transport.call(call).await? {
            OrchestratorReply::Listing(listing) => Ok(listing),
            other => Err(unexpected(&other)),
        }
    }

    /// How checks fared over the newest runs that ended, of those that the filter finds: at most
    /// [`RUNS_MAX`](History::RUNS_MAX) are read.
    ///
    /// # Errors
    /// Those of every method.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<History, OrchestratorError> {
        match self.transport.call(OrchestratorCall::History(Box::new(filter.clone()))).await? {
            OrchestratorReply::History(history) => Ok(history),
            other => Err(unexpected(&other)),
        }
    }

    /// What a run tells from a place on, as it happens, until it has ended. Each event comes with the
    /// place after it, from which another stream goes on; [`EventCursor::START`] is before everything.
    /// An error ends the stream.
    #[must_use]
    pub fn follow(&self, run: &str, after: EventCursor) -> RunEvents {
        self.transport.follow(run, after)
    }

    /// Reads what a run has left, or the part of it in `range` (clipped to its length). The digests are
    /// those in its results.
    ///
    /// # Errors
    /// [`OrchestratorError::NotFound`], [`OrchestratorError::NoArtifact`] or
    /// [`OrchestratorError::Artifact`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn read_artifact(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError> {
        self.transport.read_artifact(run, digest, range).await
    }

    async fn told_progress(&self, call: OrchestratorCall) -> Result<RunProgress, OrchestratorError> {
        match self.transport.call(call).await? {
            OrchestratorReply::Progress(progress) => Ok(progress),
            other => Err(unexpected(&other)),
        }
    }

    async fn told_summary(&self, call: OrchestratorCall) -> Result<RunSummary, OrchestratorError> {
        match self.transport.call(call).await? {
            OrchestratorReply::Summary(summary) => Ok(*summary),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &OrchestratorReply) -> OrchestratorError {
    let kind = match reply {
        OrchestratorReply::Submitted { .. } => "the name of a run",
        OrchestratorReply::Progress(_) => "how far a run is",
        OrchestratorReply::Summary(_) => "what became of a run",
        OrchestratorReply::Deleted => "that a run was removed",
        OrchestratorReply::Listing(_) => "a listing",
        OrchestratorReply::History(_) => "a history",
    };
    OrchestratorError::Unexpected { problem: format!("it told {kind}, which was not asked") }
}
