//! What an answer means that is no success: for whoever asked, and whether to ask again.

use super::{
    exchange::{Failure, Trouble},
    route::Route,
};
use http::{HeaderMap, StatusCode, header};
use runners_core::{
    orchestration::{InvalidRequest, OrchestratorError, RunState},
    protocol::{RefusalCode, Refused},
};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The longest part of what somebody else said that is repeated, in bytes.
const SAID_BYTES_MAX: usize = 500;

/// An error as an orchestrator writes it. What stands in between writes others.
#[derive(Debug, Deserialize)]
struct Told {
    code: String,
    status: u16,
    message: String,
    #[serde(default)]
    data: Value,
}

/// What an answer means.
pub(super) fn meaning(route: &Route, code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let told = serde_json::from_slice::<Told>(body).ok();
    let told = told.filter(|told| told.status == code.as_u16() && !told.code.is_empty());
    let Some(told) = told else { return of_another(route, code, headers) };
    let limit = told.data.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok());
    match (code.as_u16(), limit) {
        (429, Some(limit)) => Failure::Final(OrchestratorError::TooManyRuns { limit }),
        _ if is_passing(code) => Failure::Again {
            after: retry_after(headers),
            trouble: Trouble::Refused(format!("{code}: {}", said(&told.message))),
        },
        _ => Failure::Final(refused(route, code, told)),
    }
}

fn refused(route: &Route, code: StatusCode, told: Told) -> OrchestratorError {
    let Told { message, data, .. } = told;
    let named = data.get("runId").and_then(Value::as_str).map(str::to_owned).or_else(|| route.run.clone());
    let state = data.get("state").and_then(Value::as_str).and_then(|word| word.parse::<RunState>().ok());
    match (code.as_u16(), named) {
        (400, _) => match serde_json::from_value::<InvalidRequest>(data) {
            Ok(invalid) if !invalid.issues.is_empty() => OrchestratorError::Invalid(invalid),
            _ => OrchestratorError::Refused(Refused::new(RefusalCode::Invalid, message)),
        },
        (401 | 403, _) => OrchestratorError::Denied { problem: said(&message) },
        (404, Some(run)) => OrchestratorError::NotFound { run },
        (409, Some(run)) => match state {
            Some(state) => OrchestratorError::Unfinished { run, state },
            None => OrchestratorError::Taken { run },
        },
        (413, _) => OrchestratorError::Refused(Refused::new(RefusalCode::Invalid, message)),
        _ => OrchestratorError::Unexpected { problem: format!("{code}: {}", said(&message)) },
    }
}

/// What the answer means of something that is no orchestrator.
fn of_another(route: &Route, code: StatusCode, headers: &HeaderMap) -> Failure {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or("no content type");
    let what = format!("{code} ({}) by something that is no orchestrator", said(kind));
    if is_passing(code) {
        return Failure::Again { after: retry_after(headers), trouble: Trouble::Refused(what) };
    }
    // What follows the path may hold a secret.
    let to = text(header::LOCATION).map(|to| to.split(['?', '#']).next().unwrap_or_default());
    let to = to.map(|to| format!(", which leads to {}", said(to))).unwrap_or_default();
    Failure::unexpected(format!("{} was answered {what}{to}: is the URL right?", route.url.path()))
}

/// Whether it may be another answer soon.
fn is_passing(code: StatusCode) -> bool {
    code.is_server_error() || matches!(code.as_u16(), 408 | 425 | 429)
}

/// How long to wait, if it is told in seconds. Dates would need clocks that agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What somebody else said, on one line and not too long.
fn said(text: &str) -> String {
    let end = (0..=text.len().min(SAID_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].replace(char::is_control, " ")
}
