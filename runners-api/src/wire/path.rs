//! Ids in paths, and queries, read strictly.

use super::problem::{Code, Problem};
use axum::extract::{FromRequestParts, Path as AnyPath, Query as AnyQuery};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// What stands in the path. A text that is no id leads nowhere, as an id that does not exist.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match AnyPath::from_request_parts(parts, state).await {
            Ok(AnyPath(path)) => Ok(Self(path)),
            Err(error) => {
                Err(Problem::new(Code::NotFound, format!("there is nothing: {}", error.body_text())))
            }
        }
    }
}

/// What stands in the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match AnyQuery::from_request_parts(parts, state).await {
            Ok(AnyQuery(query)) => Ok(Self(query)),
            Err(error) => {
                let text = error.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::new(Code::Invalid, format!("query: {text}")).at("query"))
            }
        }
    }
}
