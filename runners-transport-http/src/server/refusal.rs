//! An error on its way out: a problem and the headers that go with it.

use crate::{
    server::reply::ReplyBody,
    wire::{
        PROBLEM_JSON,
        problem::{Code, Problem},
    },
};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use runners_core::{TransportError, store::StoreError};
use std::{error::Error, time::Duration};

/// How long to wait when nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Box<Problem>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::from(Problem::new(code, detail))
    }

    /// Names the limit that was passed.
    pub(super) fn limit(mut self, limit: u64) -> Self {
        self.problem.limit = Some(limit);
        self
    }

    /// Says where in the request it is.
    pub(super) fn path(mut self, path: &str) -> Self {
        self.problem.path = Some(path.to_owned());
        self
    }

    /// Says how much of the limit is used already.
    pub(super) fn used(mut self, used: u64) -> Self {
        self.problem.used = Some(used);
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Asks to wait, in whole seconds, rounded up.
    pub(super) fn retry_after(self, span: Duration) -> Self {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, detail)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, detail).retry_after(RETRY_AFTER)
    }

    pub(super) fn too_large(what: &str, limit: u64) -> Self {
        Self::new(Code::TooLarge, format!("{what} is over the limit of {limit} bytes: send less"))
            .limit(limit)
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        let body = serde_json::to_vec(&self.problem).expect("invariant: a problem is plain data");
        let mut response = Response::new(ReplyBody::bytes(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.extend(self.header.map(|(name, value)| (Some(name), value)));
        response
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), header: None }
    }
}

impl From<TransportError> for Refusal {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Busy { retry_after } => {
                Self::new(Code::Busy, "the control plane is busy: try again later").retry_after(retry_after)
            }
            TransportError::Unauthorized(detail) => Self::unauthorized(detail),
            TransportError::Unsupported(detail) => Self::new(Code::UnsupportedProtocol, detail),
            TransportError::Rejected { code, detail } => Problem::rejected(code, detail).into(),
            unreachable => {
                tracing::warn!(
                    error = &unreachable as &dyn std::error::Error,
                    "control plane did not answer"
                );
                Self::unavailable(if is_full(&unreachable) {
                    "the control plane has no room left to write to: free space where its store is"
                } else {
                    "the control plane cannot answer now: try again later"
                })
            }
        }
    }
}

/// Whether the store behind an error has no room left.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let is_it = |error: &(dyn Error + 'static)| matches!(error.downcast_ref(), Some(StoreError::Full(_)));
    is_it(error) || error.source().is_some_and(is_full)
}
