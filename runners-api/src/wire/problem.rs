//! Problems (RFC 9457): every error that a face answers, each with a stable code.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use runners_core::{
    ArtifactError, Error,
    protocol::{RefusalCode, Refused},
    store::StoreError,
};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How the `type` of every problem begins.
const TYPE_PREFIX: &str = "urn:runners:problem:";

/// How long to wait when nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request was not carried out.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `urn:runners:problem:` and the code.
    #[serde(rename = "type")]
    type_: String,
    /// The same for every problem of the code.
    title: &'static str,
    /// The code of the answer.
    status: u16,
    /// For machines. Stable.
    code: Cow<'static, str>,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// The same as `detail`, for clients that show this member.
    error: String,
    /// Where in the body, the path or the query it is, if it is in one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The limit that was passed, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip)]
    header: Option<(HeaderName, HeaderValue)>,
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(
            not(feature = "management"),
            expect(dead_code, reason = "some are of calls that only the management has")
        )]
        pub(crate) enum Code {
            $($variant,)*
        }

        impl Code {
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            pub(crate) const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            pub(crate) const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

codes! {
    Invalid = "invalid", 400, "The request is malformed";
    Unauthorized = "unauthorized", 401, "The credential is missing or not accepted";
    WrongToken = "wrong_token", 403, "The token is of another kind";
    Forbidden = "forbidden", 403, "The credential does not allow this";
    NotFound = "not_found", 404, "There is nothing here";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    TooSlow = "too_slow", 408, "The request did not arrive in time";
    Conflict = "conflict", 409, "It cannot be done as things are";
    KeyReused = "idempotency_key_reused", 422, "The idempotency key names another request";
    TooLarge = "too_large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, "The media type is not supported";
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range begins beyond the end";
    Exhausted = "exhausted", 429, "A limit is reached";
    Limited = "limited", 429, "There were too many failed attempts";
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    Internal = "internal", 500, "The server has a fault";
    Unavailable = "unavailable", 503, "The server cannot answer now";
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            type_: format!("{TYPE_PREFIX}{}", code.as_str()),
            title: code.title(),
            status: code.status(),
            code: code.as_str().into(),
            error: detail.clone(),
            detail,
            path: None,
            limit: None,
            header: None,
        }
    }

    /// Names the place that is wrong.
    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the limit that was passed.
    pub(crate) fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Asks to wait, in whole seconds, rounded up.
    pub(crate) fn retry_after(self, span: Duration) -> Self {
        let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, detail)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, detail).retry_after(RETRY_AFTER)
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        let detail = format!("the body is over the limit of {limit} bytes: send less");
        Self::new(Code::TooLarge, detail).limit(limit)
    }

    /// The control plane gave an answer to something else.
    #[cfg(feature = "management")]
    pub(crate) fn unexpected() -> Self {
        Self::new(Code::Internal, "the control plane gave an answer of another kind")
    }
}

/// What a face that writes errors in its own way makes them of.
#[cfg(any(feature = "endpoint", feature = "orchestrator"))]
pub(crate) struct Parts {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

#[cfg(any(feature = "endpoint", feature = "orchestrator"))]
impl From<Problem> for Parts {
    fn from(problem: Problem) -> Self {
        let Problem { status, code, title, detail, header, .. } = problem;
        Self { status, code, title, detail, header }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("invariant: a problem is plain data");
        let mut response = Response::new(body.into());
        *response.status_mut() =
            StatusCode::from_u16(self.status).expect("invariant: every code has a valid one");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.extend(self.header.map(|(name, value)| (Some(name), value)));
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match refused.code {
            RefusalCode::Forbidden => Code::Forbidden,
            RefusalCode::NotFound | RefusalCode::Removed | RefusalCode::Expired => Code::NotFound,
            RefusalCode::Conflict => Code::Conflict,
            RefusalCode::Exhausted => Code::Exhausted,
            RefusalCode::KeyReused => Code::KeyReused,
            _ => Code::Invalid,
        };
        // The rules begin what they say with the field that they speak of, by its name in Rust.
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        match refused.detail.split_once(": ").filter(|(field, _)| code == Code::Invalid && is_name(field)) {
            Some((field, problem)) => {
                let field = on_the_wire(field);
                Self::new(code, format!("{field}: {problem}")).at(field)
            }
            None => Self::new(code, refused.detail),
        }
    }
}

/// What a field of the rules is called here.
fn on_the_wire(field: &str) -> String {
    let known = match field {
        "kind" => "poolKind",
        "region" => "cloudRegion",
        "scale_set" => "scaleSetResourceId",
        "sharing" => "isShared",
        "runners_min" => "minRunners",
        "runners_max" => "maxRunners",
        "uses_max" => "maxUses",
        "expires_in" => "expiresInSeconds",
        "within" => "withinSeconds",
        "concluded_for" => "concludedForSeconds",
        "artifacts_for" => "artifactsForSeconds",
        "events_for" => "eventsForSeconds",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        name + &initial.to_uppercase() + rest
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refused) => refused.into(),
            Error::Store(StoreError::Conflict(_)) => {
                Self::new(Code::Conflict, "it was changed meanwhile: look at it again")
            }
            Error::Artifact(error) => error.into(),
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "control plane did not answer");
                Self::unavailable("the control plane cannot answer now: try again later")
            }
        }
    }
}

impl From<ArtifactError> for Problem {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::Missing(_) => Self::new(Code::NotFound, error.to_string()),
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "artifact store did not answer");
                Self::unavailable("the artifact store cannot answer now: try again later")
            }
        }
    }
}
