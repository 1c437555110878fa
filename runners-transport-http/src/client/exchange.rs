//! One exchange from the client's end: what came back, and what that means for the caller.

use crate::{
    client::{Connection, builder::BuildError},
    wire::{
        JSON, PROBLEM_JSON, PROTOCOL, PROTOCOL_MAX, REPLY_BYTES_MAX, REQUEST_ID, TENANT, deadline::within,
        is_media_type, problem::Problem, route::Route,
    },
};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::{RequestBuilder, Response};
use runners_core::{TransportError, protocol::Reply};
use std::time::Duration;

/// Between the prefix and the name of a call.
pub(super) const VERSION_SEGMENT: &str = "v1/";

/// The longest wait that a server, or whatever answers in its place, may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How much of a body is sent in a second at the least.
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// Why there is no reply.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: TransportError,
    /// Whether something in between gave up on a request that was under way.
    pub(super) cut: bool,
}

impl Failure {
    pub(super) fn rejected(code: &str, detail: String) -> Self {
        TransportError::Rejected { code: code.into(), detail }.into()
    }

    fn cut(trouble: Trouble) -> Self {
        Self { error: TransportError::Unreachable(trouble.into()), cut: true }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self { error, cut: false }
    }
}

/// What went wrong on the way. The id is the one in the server's logs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("request {id} was not answered within {} s", within.as_secs())]
    Late { id: String, within: Duration },
    #[error("request {id} could not be sent, or its answer not be read")]
    Broken { id: String, source: reqwest::Error },
    #[error("request {id} was answered {status} by something that is not a control plane")]
    Foreign { id: String, status: StatusCode },
    #[error("request {id} was answered {status}")]
    Refused { id: String, status: StatusCode },
    #[error("request {id} was answered with more than {REPLY_BYTES_MAX} bytes")]
    TooLong { id: String },
    #[error("request {id} was answered with something that is not a reply")]
    Malformed { id: String, source: serde_json::Error },
}

/// A control plane was reached, and answered that it cannot serve now: the source of
/// [`TransportError::Unreachable`] then, which is otherwise that nobody answered.
#[derive(Debug, thiserror::Error)]
#[error("it answers: {detail}")]
#[non_exhaustive]
pub struct CannotServe {
    /// What it says of that.
    pub detail: String,
}

impl Connection {
    /// A request with what every request carries, and its id.
    pub(super) fn request(&self, method: Method, path: &str) -> (RequestBuilder, String) {
        self.request_over(&self.client, method, path)
    }

    /// The same for a request that becomes a WebSocket.
    pub(super) fn upgrading(&self, method: Method, path: &str) -> Result<(RequestBuilder, String), Failure> {
        let unusable = |error: BuildError| Failure::rejected("client", error.to_string());
        Ok(self.request_over(self.upgrading_client().map_err(unusable)?, method, path))
    }

    fn request_over(&self, client: &reqwest::Client, method: Method, path: &str) -> (RequestBuilder, String) {
        let mut drawn = [0; 8];
        self.random.fill(&mut drawn);
        let id = format!("{:016x}", u64::from_be_bytes(drawn));
        let builder = client
            .request(method, self.url(path))
            .header(header::AUTHORIZATION, self.bearer())
            .header(PROTOCOL, HeaderValue::from(PROTOCOL_MAX))
            .header(REQUEST_ID, &id);
        match &self.tenant {
            Some(tenant) => (builder.header(TENANT, tenant), id),
            None => (builder, id),
        }
    }

    /// Sends one call and reads its reply.
    pub(super) async fn exchange(
        &self,
        route: Route,
        body: Vec<u8>,
        park_for: Duration,
    ) -> Result<Reply, Failure> {
        let sending = Duration::from_secs(body.len() as u64 / BYTES_PER_SECOND_MIN);
        let patience = park_for + self.answer_within + sending;
        let (request, id) = self.request(Method::POST, route.name());
        let request = request
            .header(header::CONTENT_TYPE, JSON)
            .header(header::ACCEPT, "application/json, application/problem+json")
            .body(body);
        let answered = within(&*self.clock, patience, async {
            let response = request.send().await.map_err(|source| broken(&id, source))?;
            let ours = response.headers().contains_key(PROTOCOL);
            let is_reply = is_media_type(response.headers().get(header::CONTENT_TYPE), JSON);
            if response.status() != StatusCode::OK || !ours || !is_reply {
                return Err(self.failure(&id, response).await);
            }
            let bytes = read(&id, response).await?;
            serde_json::from_slice(&bytes)
                .map_err(|source| Failure::cut(Trouble::Malformed { id: id.clone(), source }))
        });
        answered.await.unwrap_or_else(|| Err(Failure::cut(Trouble::Late { id, within: patience })))
    }

    /// What an answer that is not a reply means.
    pub(super) async fn failure(&self, id: &str, response: Response) -> Failure {
        let (status, retry_after) = (response.status(), retry_after(&response));
        match (problem(id, response).await, retry_after) {
            (Ok(Some(problem)), retry_after) => meant(problem, retry_after).into(),
            // Whoever says so, it is good advice.
            (_, Some(retry_after)) if is_busy(status) => TransportError::Busy { retry_after }.into(),
            (Ok(None), _) => Failure::cut(Trouble::Foreign { id: id.into(), status }),
            (Err(failure), _) => failure,
        }
    }
}

/// Reads a body of bounded length.
async fn read(id: &str, mut response: Response) -> Result<Vec<u8>, Failure> {
    let too_long = || Failure::cut(Trouble::TooLong { id: id.into() });
    let announced = response.content_length().unwrap_or(0);
    if announced > REPLY_BYTES_MAX as u64 {
        return Err(too_long());
    }
    let mut whole = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(piece) = response.chunk().await.map_err(|source| broken(id, source))? {
        if whole.len() + piece.len() > REPLY_BYTES_MAX {
            return Err(too_long());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// The problem that a control plane's server has answered, if it was one that did.
pub(super) async fn problem(id: &str, response: Response) -> Result<Option<Problem>, Failure> {
    let headers = response.headers();
    if !headers.contains_key(PROTOCOL) || !is_media_type(headers.get(header::CONTENT_TYPE), PROBLEM_JSON) {
        return Ok(None);
    }
    let status = response.status().as_u16();
    let bytes = read(id, response).await?;
    let problem: Option<Problem> = serde_json::from_slice(&bytes).ok();
    Ok(problem.filter(|problem| problem.is_ours() && problem.status == status))
}

/// What a control plane's own problem means for the caller.
fn meant(problem: Problem, retry_after: Option<Duration>) -> TransportError {
    let Problem { code, detail, .. } = problem;
    match (problem.status, &*code) {
        (_, "unavailable" | "internal" | "too_slow") => {
            TransportError::Unreachable(CannotServe { detail }.into())
        }
        (429 | 503, _) => TransportError::Busy { retry_after: retry_after.unwrap_or(Duration::from_secs(1)) },
        (401 | 403, _) => TransportError::Unauthorized(detail),
        (_, "unsupported_protocol") => TransportError::Unsupported(detail),
        _ => TransportError::Rejected { code: code.into_owned(), detail },
    }
}

pub(super) fn broken(id: &str, source: reqwest::Error) -> Failure {
    // The URL is known, and says nothing more in every line of a log.
    let (id, source) = (id.to_owned(), source.without_url());
    let cut = !source.is_connect() && !source.is_builder();
    Failure { error: TransportError::Unreachable(Trouble::Broken { id, source }.into()), cut }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// How long to wait, in seconds; a date is not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
