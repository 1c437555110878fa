//! Errors of the orchestrator's wire: the members that its clients read, with those of a problem
//! (RFC 9457) beside them.

use crate::wire::problem::{Parts, Problem};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use runners_core::orchestration::{InvalidRequest, IssueCode, PathPart, RequestIssue};
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// Why a request was not carried out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refusal {
    /// Whether the code is one of those that the call says it may answer.
    pub(crate) defined: bool,
    /// For machines.
    pub(crate) code: &'static str,
    /// The code of the answer.
    pub(crate) status: u16,
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// What else is known of it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) data: Value,
    #[serde(rename = "type")]
    kind: String,
    title: Cow<'static, str>,
    detail: String,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(
        status: u16,
        code: &'static str,
        title: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        Self {
            defined: false,
            code,
            status,
            detail: message.clone(),
            message,
            data: Value::Null,
            kind: format!("urn:runners:problem:{}", code.to_ascii_lowercase()),
            title: title.into(),
            headers: Vec::new(),
        }
    }

    /// Says what else is known of it, and whether the code is one of those that the call may answer.
    pub(crate) fn with(mut self, defined: bool, data: Value) -> Self {
        self.defined = defined;
        self.data = data;
        self
    }

    /// A request of which something does not fit, with everything that is wrong.
    pub(crate) fn issues(issues: &[RequestIssue]) -> Self {
        let mut refusal =
            Self::new(400, "BAD_REQUEST", "The request is malformed", "Input validation failed");
        refusal.data = json!({ "issues": issues });
        if let Some(first) = issues.first() {
            refusal.detail = first.to_string();
        }
        refusal
    }

    /// A request that cannot be read at all.
    pub(crate) fn malformed(why: impl std::fmt::Display) -> Self {
        let message = format!("Malformed request. {why}");
        Self::new(400, "BAD_REQUEST", "The request is malformed", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", "There is nothing here", message)
    }

    /// Asks to wait, in whole seconds, rounded up.
    pub(crate) fn retry_after(mut self, span: Duration) -> Self {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// As an answer; in an envelope, if the request was in one.
    pub(crate) fn answer(&self, wrapped: bool) -> Response {
        let body = if wrapped { json!({ "json": self }) } else { json!(self) };
        let mut response = Response::new(body.to_string().into());
        *response.status_mut() =
            StatusCode::from_u16(self.status).expect("invariant: every refusal has a valid code");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.answer(false)
    }
}

impl From<InvalidRequest> for Refusal {
    fn from(invalid: InvalidRequest) -> Self {
        Self::issues(&invalid.issues)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let parts = Parts::from(problem);
        // Clients of this wire know no other answer to what is not there.
        if parts.code == "method_not_allowed" {
            return Self::not_found(parts.detail);
        }
        let mut refusal = Self::new(parts.status, word(&parts.code), parts.title, parts.detail);
        refusal.headers.extend(parts.header);
        refusal
    }
}

/// The code of a problem as this wire writes it.
fn word(code: &str) -> &'static str {
    match code {
        "unauthorized" => "UNAUTHORIZED",
        "wrong_token" | "forbidden" => "FORBIDDEN",
        "not_found" => "NOT_FOUND",
        "too_slow" => "TIMEOUT",
        "conflict" => "CONFLICT",
        "too_large" => "PAYLOAD_TOO_LARGE",
        "exhausted" | "limited" => "TOO_MANY_REQUESTS",
        "internal" => "INTERNAL_SERVER_ERROR",
        "unavailable" => "SERVICE_UNAVAILABLE",
        _ => "BAD_REQUEST",
    }
}

/// What is wrong, and where, for what the rules do not look at.
pub(crate) fn issue(
    code: IssueCode,
    path: impl IntoIterator<Item = PathPart>,
    message: impl Into<String>,
) -> RequestIssue {
    RequestIssue::new(code, path.into_iter().collect(), message)
}
