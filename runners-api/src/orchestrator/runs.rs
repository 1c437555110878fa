//! One run: submitted, looked at, stopped and removed.

use super::{Face, access::Caller};
use crate::{
    contract::{
        body,
        error::{Refusal, issue},
    },
    wire::problem::Problem,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery, State},
    response::{IntoResponse as _, Response},
};
use futures::future::{Either, select};
use http::HeaderMap;
use runners_core::{
    Egress, EgressError, Scope,
    orchestration::{
        IssueCode, OrchestrationMode, OrchestrationRequest, OrchestratorError, RequestIssue, RunProgress,
        RunSummary,
    },
};
use serde_json::{Value, json};
use std::{pin::pin, time::Duration};

/// When a submission may come again that found too many runs under way, or an orchestrator that stops.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The longest that the end of a run is waited for in one call.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);
/// Names that no run can have here, beside those that no run can have anywhere.
const RESERVED: [&str; 4] = ["openapi.json", "docs.css", "docs.js", "history"];

pub(super) async fn submit(
    State(face): State<Face>,
    caller: Caller,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Refusal> {
    caller.may(Scope::Submit)?;
    let inner = &*face.0;
    let envelope = body::read(content, &headers, OrchestrationRequest::BYTES_MAX, &*inner.clock).await?;
    let submitted = async {
        let request = OrchestrationRequest::from_json(&envelope.content)?;
        check(&request, &inner.egress)?;
        Ok(caller.client.submit(&request).await?)
    };
    let submitted: Result<String, Refusal> = submitted.await;
    Ok(match submitted {
        Ok(run) if envelope.wrapped => Json(json!({ "json": { "runId": run } })).into_response(),
        Ok(run) => Json(json!({ "runId": run })).into_response(),
        Err(refusal) => refusal.answer(envelope.wrapped),
    })
}

pub(super) async fn progress(caller: Caller, Path(run): Path<String>) -> Result<Json<RunProgress>, Refusal> {
    caller.may(Scope::Read)?;
    Ok(Json(caller.client.progress(&run).await?))
}

pub(super) async fn results(
    caller: Caller,
    Path(run): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<RunSummary>, Refusal> {
    caller.may(Scope::Read)?;
    summary(&caller, &run, query.as_deref()).await.map(Json)
}

/// What became of a run, as far as the query wants to know.
pub(super) async fn summary(caller: &Caller, run: &str, query: Option<&str>) -> Result<RunSummary, Refusal> {
    let Wanted { partial, wait } = wanted(query.unwrap_or_default())?;
    let client = &caller.client;
    // Who may not ask any more waits for nothing.
    let ended = match select(pin!(client.wait(run, wait)), caller.ended.clone()).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => return Err(Problem::unauthorized("the credential is good no longer").into()),
    };
    match ended {
        Err(OrchestratorError::Unfinished { .. }) if partial => Ok(client.partial_results(run).await?),
        ended => Ok(ended?),
    }
}

/// What is wanted of a run that has not ended.
struct Wanted {
    /// Whether what there is so far will do.
    partial: bool,
    /// How long its end is waited for.
    wait: Duration,
}

fn wanted(query: &str) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted { partial: false, wait: Duration::ZERO };
    let max = WAIT_MAX.as_millis();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let wrong = |code, message| Err(Refusal::issues(&[issue(code, [(&*name).into()], message)]));
        match (&*name, &*value) {
            ("partial", "1" | "true") => wanted.partial = true,
            ("partial", "0" | "false") => wanted.partial = false,
            ("partial", _) => {
                let message = "must be 1 for what there is so far, or 0";
                return wrong(IssueCode::InvalidValue, message.to_owned());
            }
            ("wait", text) => match text.parse::<u64>() {
                Ok(millis) if u128::from(millis) <= max => wanted.wait = Duration::from_millis(millis),
                _ => {
                    let message = format!("must be from 0 to {max}, in milliseconds");
                    return wrong(IssueCode::InvalidFormat, message);
                }
            },
            // What others add, such as to get around a cache, is no concern of ours.
            _ => {}
        }
    }
    Ok(wanted)
}

/// The checks of a run, each side by side over its regions.
pub(super) async fn comparison(caller: Caller, Path(run): Path<String>) -> Result<Json<Value>, Refusal> {
    caller.may(Scope::Read)?;
    let summary = caller.client.partial_results(&run).await?;
    Ok(Json(json!({ "runId": run, "state": summary.state, "checks": summary.comparison() })))
}

pub(super) async fn cancel(caller: Caller, Path(run): Path<String>) -> Result<Json<RunProgress>, Refusal> {
    caller.may(Scope::Submit)?;
    Ok(Json(caller.client.cancel(&run).await?))
}

pub(super) async fn delete(caller: Caller, Path(run): Path<String>) -> Result<Json<Value>, Refusal> {
    caller.may(Scope::Admin)?;
    caller.client.delete(&run).await?;
    Ok(Json(json!({ "runId": run })))
}

/// What the rules of the orchestrator leave to the face: where pages may lead, and its own paths.
fn check(request: &OrchestrationRequest, egress: &Egress) -> Result<(), Refusal> {
    let mut issues: Vec<RequestIssue> = Vec::new();
    if let Some(run) = request.run_id.as_deref().filter(|run| RESERVED.contains(run)) {
        let message = format!("is {run:?}, where other things stand: choose another name");
        issues.push(issue(IssueCode::InvalidValue, ["runId".into()], message));
    }
    // In a region, it is the region that decides.
    let local = request.mode == OrchestrationMode::Local;
    for (at, asked) in request.runners.iter().enumerate().filter(|_| local) {
        let Err(error) = egress.check(asked.url()) else { continue };
        let is_malformed = matches!(error, EgressError::Malformed(_));
        let code = if is_malformed { IssueCode::InvalidFormat } else { IssueCode::InvalidValue };
        let path = ["runners".into(), at.into(), "input".into(), "url".into()];
        issues.push(issue(code, path, error.to_string()));
        if issues.len() >= runners_core::orchestration::InvalidRequest::ISSUES_MAX {
            break;
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(Refusal::issues(&issues)) }
}

fn conflict(message: String) -> Refusal {
    Refusal::new(409, "CONFLICT", "It cannot be done as things are", message)
}

impl From<OrchestratorError> for Refusal {
    fn from(error: OrchestratorError) -> Self {
        let message = error.to_string();
        match error {
            OrchestratorError::Invalid(invalid) => invalid.into(),
            OrchestratorError::Refused(refused) => Self::malformed(refused.detail),
            OrchestratorError::NotFound { .. } | OrchestratorError::NoArtifact { .. } => {
                Self::not_found(message)
            }
            OrchestratorError::Taken { run } => conflict(message).with(false, json!({ "runId": run })),
            OrchestratorError::Unfinished { run, state } => {
                let advice = "ask again later, with ?wait=60000 to wait for its end, or with ?partial=1 for what there is so far";
                conflict(format!("{message}: {advice}")).with(false, json!({ "runId": run, "state": state }))
            }
            OrchestratorError::TooManyRuns { limit } => {
                let refusal = Self::new(429, "TOO_MANY_REQUESTS", "A limit is reached", message);
                refusal.with(false, json!({ "limit": limit })).retry_after(RETRY_AFTER)
            }
            OrchestratorError::Stopping => {
                let title = "The server cannot answer now";
                Self::new(503, "SERVICE_UNAVAILABLE", title, message).retry_after(RETRY_AFTER)
            }
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "orchestrator did not answer");
                let message = "the orchestrator cannot answer now: try again later";
                let title = "The server cannot answer now";
                Self::new(503, "SERVICE_UNAVAILABLE", title, message).retry_after(RETRY_AFTER)
            }
        }
    }
}
