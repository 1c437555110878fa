//! The client's end of the orchestrator's face: an orchestrator that is asked over HTTP. What is asked,
//! and what the answers mean for those who ask, is the core's.

mod builder;
mod exchange;
mod follow;
mod refusal;
mod route;
mod sse;

pub use builder::{HttpOrchestratorBuilder, HttpOrchestratorError};

use async_trait::async_trait;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use route::{Deleted, Page, Route, Submitted};
use runners_core::{
    Clock, Digest, EventCursor, Listing, Random,
    orchestration::{
        ArtifactBytes, History, OrchestratorCall, OrchestratorClient, OrchestratorError, OrchestratorReply,
        OrchestratorTransport, RunEvents, RunProgress, RunSummary,
    },
};
use std::{fmt, ops::Range, sync::Arc, time::Duration};

/// The longest that a server is asked to hold one answer back. Some networks cut what is silent.
const PARK: Duration = Duration::from_secs(25);
/// How often a run is asked for whose server holds nothing back.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// What a call takes that waits for the end of a run, beyond what others take.
const CANCEL_WITHIN: Duration = Duration::from_secs(60);

/// An orchestrator that is asked over HTTP. Clones share connections.
///
/// ```no_run
/// use runners_api::HttpOrchestrator;
/// use runners_core::{Token, orchestration::{AskedCheck, OrchestrationRequest}};
/// use std::time::Duration;
///
/// # async fn ask(token: Token) -> Result<(), Box<dyn std::error::Error>> {
/// let url = "https://tests.example/api/orchestrator";
/// let client = HttpOrchestrator::builder(url).token(token).build()?.into_client();
/// let asked = AskedCheck::new("opens", "https://shop.example/").in_region("eu");
/// let run = client.submit(&OrchestrationRequest::remote([asked])).await?;
/// let summary = client.wait(&run, Duration::from_secs(600)).await?;
/// # Ok(())
/// # }
/// ```
///
/// What was not answered, or was put off, is asked again for as long as its
/// [`patience`](HttpOrchestratorBuilder::patience) lasts, not before a `Retry-After`. A submit gets a
/// name before it is sent, so that a repeat of it is the same run. Events that were cut are followed
/// again from the last one that came.
#[derive(Clone)]
pub struct HttpOrchestrator(Arc<Connection>);

/// What clones share.
struct Connection {
    client: reqwest::Client,
    base: Url,
    /// What every call carries.
    headers: HeaderMap,
    patience: Duration,
    answer_within: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl HttpOrchestrator {
    /// Begins an orchestrator at `url`, the prefix of its face.
    pub fn builder(url: impl Into<String>) -> HttpOrchestratorBuilder {
        HttpOrchestratorBuilder::new(url.into())
    }

    /// A client that asks here.
    #[must_use]
    pub fn into_client(self) -> OrchestratorClient {
        OrchestratorClient::new(self)
    }

    /// Waits for the end of a run, in calls that no network should mind.
    async fn results(&self, run: &str, park_for: Duration) -> Result<RunSummary, OrchestratorError> {
        let shared = &*self.0;
        let until = shared.clock.boot() + park_for;
        loop {
            let asked = shared.clock.boot();
            let park = until.since(asked).min(PARK);
            let route = Route::results(&shared.base, run, park)?;
            match shared.ask(&route, park).await {
                Err(OrchestratorError::Unfinished { .. }) if shared.clock.boot() < until => {}
                answered => return answered,
            }
            // A server that knows of no waiting answers at once.
            let pause = POLL_EVERY.min(park).saturating_sub(shared.clock.boot().since(asked));
            shared.pause(pause).await;
        }
    }
}

#[async_trait]
impl OrchestratorTransport for HttpOrchestrator {
    async fn call(&self, call: OrchestratorCall) -> Result<OrchestratorReply, OrchestratorError> {
        let shared = &*self.0;
        let base = &shared.base;
        let none = Duration::ZERO;
        match call {
            OrchestratorCall::Submit(mut request) => {
                request.run_id.get_or_insert_with(|| shared.new_run());
                let Submitted { run_id: run } = shared.ask(&Route::submit(base, &request)?, none).await?;
                Ok(OrchestratorReply::Submitted { run })
            }
            OrchestratorCall::Progress { run } => {
                let progress: RunProgress = shared.ask(&Route::progress(base, &run)?, none).await?;
                Ok(OrchestratorReply::Progress(progress))
            }
            OrchestratorCall::Results { run, park_for } => {
                let summary = self.results(&run, park_for).await?;
                Ok(OrchestratorReply::Summary(Box::new(summary)))
            }
            OrchestratorCall::PartialResults { run } => {
                let summary: RunSummary = shared.ask(&Route::partial_results(base, &run)?, none).await?;
                Ok(OrchestratorReply::Summary(Box::new(summary)))
            }
            OrchestratorCall::Cancel { run } => {
                let progress: RunProgress = shared.ask(&Route::cancel(base, &run)?, CANCEL_WITHIN).await?;
                Ok(OrchestratorReply::Progress(progress))
            }
            OrchestratorCall::Delete { run } => {
                let Deleted {} = shared.ask(&Route::delete(base, &run)?, none).await?;
                Ok(OrchestratorReply::Deleted)
            }
            OrchestratorCall::List { filter, paging } => {
                let Page { items, next } = shared.ask(&Route::list(base, &filter, &paging), none).await?;
                Ok(OrchestratorReply::Listing(Listing { items, next }))
            }
            OrchestratorCall::History(filter) => {
                let history: History = shared.ask(&Route::history(base, &filter), none).await?;
                Ok(OrchestratorReply::History(history))
            }
            other => {
                let problem = format!("this release does not know how to ask for {other:?}");
                Err(OrchestratorError::Unexpected { problem })
            }
        }
    }

    async fn read_artifact(
        &self,
        run: &str,
        digest: Digest,
        range: Option<Range<u64>>,
    ) -> Result<ArtifactBytes, OrchestratorError> {
        let shared = &*self.0;
        let route = Route::artifact(&shared.base, run, digest)?;
        // The end of a range of HTTP is part of it; one of nothing cannot be asked for.
        let is_nothing = range.as_ref().is_some_and(Range::is_empty);
        let wanted = range.filter(|_| !is_nothing).map(|Range { start, end }| {
            HeaderValue::try_from(format!("bytes={start}-{}", end - 1)).expect("invariant: digits are plain")
        });
        let opened = shared.open(&route, wanted).await;
        let response = opened.map_err(|error| match error {
            OrchestratorError::NotFound { run } => OrchestratorError::NoArtifact { run, digest },
            error => error,
        })?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let whole = header(header::CONTENT_RANGE).and_then(|range| range.rsplit('/').next());
        let length = whole.or(header(header::CONTENT_LENGTH)).and_then(|length| length.parse().ok());
        let length = length.ok_or_else(|| OrchestratorError::Unexpected {
            problem: "an artifact came without its length".to_owned(),
        })?;
        let pieces_max = if is_nothing { 0 } else { usize::MAX };
        let bytes = follow::pieces(Arc::clone(&self.0), response).take(pieces_max);
        Ok(ArtifactBytes { length, bytes: bytes.boxed() })
    }

    fn follow(&self, run: &str, after: EventCursor) -> RunEvents {
        follow::events(Arc::clone(&self.0), run.to_owned(), after).boxed()
    }
}

impl fmt::Debug for HttpOrchestrator {
    /// Without what it is asked with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOrchestrator").field("url", &self.0.base.as_str()).finish_non_exhaustive()
    }
}
