//! One call and its answer, made again where that may help, within bounds.

use super::{Connection, refusal, route::Route};
use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http::{HeaderValue, Method, header};
use reqwest::{RequestBuilder, Response};
use runners_core::{BootTime, Clock, RunId, orchestration::OrchestratorError, sleep};
use serde::de::DeserializeOwned;
use std::{pin::pin, time::Duration};

/// The longest wait before a call is made again for the first time; it doubles with each one after.
const BACKOFF: Duration = Duration::from_millis(200);
/// The longest wait that is chosen here.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may be there at the next try.
    Again {
        /// How long to wait at least.
        after: Option<Duration>,
        trouble: Trouble,
    },
    /// Another try would come to the same.
    Final(OrchestratorError),
}

/// What went wrong on the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the call was not carried through")]
    Broken(#[source] reqwest::Error),
    #[error("there was no answer within {} s", .0.as_secs())]
    Late(Duration),
    #[error("nothing was heard for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("it was answered {0}")]
    Refused(String),
}

impl Failure {
    pub(super) const fn again(trouble: Trouble) -> Self {
        Self::Again { after: None, trouble }
    }

    pub(super) fn unexpected(problem: impl Into<String>) -> Self {
        Self::Final(OrchestratorError::Unexpected { problem: problem.into() })
    }
}

/// How long trouble has been going on.
#[derive(Debug, Default)]
pub(super) struct Patience {
    since: Option<BootTime>,
    tries: u32,
}

impl Patience {
    /// It has gone well since.
    pub(super) fn renew(&mut self) {
        *self = Self::default();
    }

    /// How long to wait before the next try, if there is to be one.
    pub(super) fn next(&mut self, connection: &Connection, after: Option<Duration>) -> Option<Duration> {
        let now = connection.clock.boot();
        let since = *self.since.get_or_insert(now);
        let mut drawn = [0; 4];
        connection.random.fill(&mut drawn);
        let share = f64::from(u32::from_le_bytes(drawn)) / f64::from(u32::MAX);
        let span = BACKOFF.saturating_mul(1 << self.tries.min(16)).min(BACKOFF_MAX);
        let wait = span.mul_f64(0.5 + share / 2.0).max(after.unwrap_or_default());
        self.tries += 1;
        (now.since(since) + wait <= connection.patience).then_some(wait)
    }
}

impl Connection {
    /// Makes a call and reads its answer, which is held back for up to `park`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        route: &Route,
        park: Duration,
    ) -> Result<T, OrchestratorError> {
        let bytes = self.exchange(route, park).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let problem = format!("{} is not what was asked for: {error}", route.url.path());
            OrchestratorError::Unexpected { problem }
        })
    }

    async fn exchange(&self, route: &Route, park: Duration) -> Result<Bytes, OrchestratorError> {
        let limit = self.answer_within + park;
        let mut patience = Patience::default();
        loop {
            let answered = within(&*self.clock, limit, async {
                read(self.send(self.request(route), route).await?).await
            });
            match answered.await.unwrap_or(Err(Failure::again(Trouble::Late(limit)))) {
                Ok(bytes) => return Ok(bytes),
                // What an earlier try has removed is removed.
                Err(Failure::Final(OrchestratorError::NotFound { .. }))
                    if route.method == Method::DELETE && patience.tries > 0 =>
                {
                    return Ok(Bytes::from_static(b"{}"));
                }
                Err(failure) => self.bear(failure, &mut patience).await?,
            }
        }
    }

    /// Begins to read an answer of any length, or the part of it in `range`.
    pub(super) async fn open(
        &self,
        route: &Route,
        range: Option<HeaderValue>,
    ) -> Result<Response, OrchestratorError> {
        let limit = self.answer_within;
        let mut patience = Patience::default();
        loop {
            let mut request = self.request(route);
            if let Some(range) = &range {
                request = request.header(header::RANGE, range);
            }
            let answered = within(&*self.clock, limit, self.send(request, route)).await;
            match answered.unwrap_or(Err(Failure::again(Trouble::Late(limit)))) {
                Ok(response) => return Ok(response),
                Err(failure) => self.bear(failure, &mut patience).await?,
            }
        }
    }

    /// Waits until another try may help, if there is to be one.
    pub(super) async fn bear(
        &self,
        failure: Failure,
        patience: &mut Patience,
    ) -> Result<(), OrchestratorError> {
        match failure {
            Failure::Final(error) => Err(error),
            Failure::Again { after, trouble } => match patience.next(self, after) {
                Some(wait) => {
                    self.pause(wait).await;
                    Ok(())
                }
                None => Err(OrchestratorError::Unreachable(trouble.into())),
            },
        }
    }

    /// A request with what every request carries.
    pub(super) fn request(&self, route: &Route) -> RequestBuilder {
        let request =
            self.client.request(route.method.clone(), route.url.clone()).headers(self.headers.clone());
        match &route.body {
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                request.header(header::CONTENT_TYPE, json).body(body.clone())
            }
            None => request,
        }
    }

    /// Sends a request, and answers the head of a good answer.
    pub(super) async fn send(&self, request: RequestBuilder, route: &Route) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| Failure::again(Trouble::Broken(error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (code, headers) = (response.status(), response.headers().clone());
        // Whatever the body is, the code says enough.
        let body = read(response).await.unwrap_or_default();
        Err(refusal::meaning(route, code, &headers, &body))
    }

    pub(super) async fn pause(&self, span: Duration) {
        sleep(&*self.clock, span).await;
    }

    /// A new name for a run.
    pub(super) fn new_run(&self) -> String {
        let mut drawn = [0; 10];
        self.random.fill(&mut drawn);
        RunId::new(self.clock.wall(), drawn).to_string()
    }
}

/// Reads a whole body of bounded length.
async fn read(mut response: Response) -> Result<Bytes, Failure> {
    let max = super::HttpOrchestrator::ANSWER_BYTES_MAX;
    let mut whole = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if whole.len() + piece.len() <= max => whole.extend_from_slice(&piece),
            Ok(Some(_)) => return Err(Failure::unexpected(format!("an answer has more than {max} bytes"))),
            Ok(None) => return Ok(whole.freeze()),
            Err(error) => return Err(Failure::again(Trouble::Broken(error))),
        }
    }
}

/// What `work` comes to, or nothing once `span` is over.
pub(super) async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(clock, span))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
