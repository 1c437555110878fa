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
                let (path, problem) = parameter(text);
                Err(Problem::new(Code::Invalid, format!("{path}: {problem}")).at(path))
            }
        }
    }
}

/// Which parameter a text tells of, or `query`, and what is wrong with it.
fn parameter(text: &str) -> (&str, &str) {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (path, problem) = match text.split_once(": ") {
        Some((path, problem)) if path == "?" || is_name(path) => (path, problem),
        _ => ("?", text),
    };
    // One that is not known, or given twice, is named in the text alone.
    let named = problem.split_once(" field `").and_then(|(_, rest)| rest.split_once('`'));
    match named.filter(|(name, _)| is_name(name)) {
        _ if path != "?" => (path, problem),
        Some((name, _)) => (name, problem),
        None => ("query", problem),
    }
}
