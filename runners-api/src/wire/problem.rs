//! Problems (RFC 9457): every error that a face answers, each with a stable code.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use runners_core::{
    ArtifactError, Error, problem,
    protocol::{RefusalCode, Refused},
    store::StoreError,
};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

pub(crate) use runners_core::problem::{PROBLEM_JSON, ProblemCode as Code};

/// How long to wait when nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request was not carried out, and the header that goes with it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(flatten)]
    body: problem::Problem,
    #[serde(skip)]
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut body = problem::Problem::new(code, detail);
        body.error = Some(body.detail.clone());
        Self { body, header: None }
    }

    /// Names the place that is wrong.
    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.body.path = Some(path.into());
        self
    }

    /// Names the limit that was passed.
    pub(crate) fn limit(mut self, limit: u64) -> Self {
        self.body.limit = Some(limit);
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
    pub(crate) title: Cow<'static, str>,
    pub(crate) detail: String,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

#[cfg(any(feature = "endpoint", feature = "orchestrator"))]
impl From<Problem> for Parts {
    fn from(problem: Problem) -> Self {
        let Problem { body, header } = problem;
        let problem::Problem { status, code, title, detail, .. } = body;
        Self { status, code, title, detail, header }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("invariant: a problem is plain data");
        let mut response = Response::new(body.into());
        *response.status_mut() =
            StatusCode::from_u16(self.body.status).expect("invariant: every code has a valid one");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.extend(self.header.map(|(name, value)| (Some(name), value)));
        response
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |about: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(about));
        let number = |about: &str, format, maximum: Option<u16>| {
            let number = ObjectBuilder::new().schema_type(Type::Integer).description(Some(about));
            number.format(Some(SchemaFormat::KnownFormat(format))).minimum(Some(0)).maximum(maximum)
        };
        ObjectBuilder::new()
            .description(Some("Why a request was not carried out."))
            .property("type", text("`urn:runners:problem:` and the code."))
            .property("title", text("The same for every problem of the code."))
            .property("status", number("The status of the answer.", KnownFormat::Int32, Some(599)))
            .property("code", text("For machines. Stable."))
            .property("detail", text("What is wrong with this request, and what to do."))
            .property("error", text("The same as `detail`, for clients that show this member."))
            .property("path", text("Where in the body, the path or the query it is, if it is in one place."))
            .property("limit", number("The limit that was passed, if one was.", KnownFormat::Int64, None))
            .property(
                "used",
                number(
                    "How much of the limit is used already, where that is counted.",
                    KnownFormat::Int64,
                    None,
                ),
            )
            .required("type")
            .required("title")
            .required("status")
            .required("code")
            .required("detail")
            .required("error")
            .into()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        "Problem".into()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match refused.code {
            RefusalCode::Forbidden => Code::Forbidden,
            RefusalCode::NotFound | RefusalCode::Removed | RefusalCode::Expired => Code::NotFound,
            RefusalCode::Conflict | RefusalCode::NotRunning => Code::Conflict,
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
            Error::Store(StoreError::Full(source)) => {
                tracing::warn!(error = &*source as &dyn std::error::Error, "the store is full");
                let detail = "the control plane has no room left to write to: free space where its store is";
                Self::unavailable(detail)
            }
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
            ArtifactError::OverQuota { .. } => Self::new(Code::OverQuota, error.to_string()),
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "artifact store did not answer");
                Self::unavailable("the artifact store cannot answer now: try again later")
            }
        }
    }
}
