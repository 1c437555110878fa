//! Why a page is not shown, or a form not carried out, in words for people.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use runners_core::{
    ArtifactError, Error, TransportError,
    protocol::{RefusalCode, Refused},
    store::StoreError,
};

/// Why something is not done.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(code: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { code, title, detail: detail.into() }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "That was not understood", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "The control plane cannot answer now. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available", detail)
    }

    /// The control plane answered with something else than was asked for.
    pub(crate) fn unexpected() -> Self {
        tracing::warn!("control plane gave an answer of another kind");
        Self::unavailable()
    }
}

impl IntoResponse for Failure {
    /// Plain text, and the failure itself for whoever makes a page of it.
    fn into_response(self) -> Response {
        let mut response = (self.code, format!("{}: {}\n", self.title, self.detail)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let Refused { code, detail } = refused;
        match code {
            RefusalCode::Forbidden => Self::forbidden(detail),
            RefusalCode::NotFound | RefusalCode::Removed | RefusalCode::Expired => Self::not_found(detail),
            RefusalCode::Conflict | RefusalCode::NotRunning | RefusalCode::KeyReused => {
                Self::new(StatusCode::CONFLICT, "Not possible now", detail)
            }
            RefusalCode::Exhausted => Self::new(StatusCode::CONFLICT, "A limit is reached", detail),
            _ => Self::invalid(detail),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refused) => refused.into(),
            Error::Store(StoreError::Conflict(_)) => Self::new(
                StatusCode::CONFLICT,
                "Not possible now",
                "It was changed by somebody else meanwhile. Look at it again.",
            ),
            Error::Artifact(ArtifactError::Missing(_)) => {
                Self::not_found("These bytes are not kept any more.")
            }
            error => {
                tracing::warn!(error = &error as &dyn std::error::Error, "control plane did not answer");
                Self::unavailable()
            }
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "control plane did not answer");
        Self::unavailable()
    }
}
