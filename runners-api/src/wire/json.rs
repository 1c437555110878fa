//! JSON bodies, read strictly: what is wrong is told with its place.

use super::{
    body,
    problem::{Code, Problem},
};
use crate::management::Face;
use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::{Serialize, de::DeserializeOwned};

/// A body of JSON: of a request, where it must be exactly what is asked for, or of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// What a call reads from its body.
pub(crate) trait Asked: DeserializeOwned {
    /// The largest body.
    const BYTES_MAX: usize = body::BYTES_MAX;
}

impl<T: Asked> FromRequest<Face> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, face: &Face) -> Result<Self, Problem> {
        let (head, content) = request.into_parts();
        check_media_type(&head.headers)?;
        let content = body::whole(content, &head.headers, T::BYTES_MAX, face.clock()).await?;
        parse(&content).map(Self)
    }
}

/// Optional JSON: nothing at all is as good as an empty object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: Asked> FromRequest<Face> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, face: &Face) -> Result<Self, Problem> {
        let (head, content) = request.into_parts();
        let content = body::whole(content, &head.headers, T::BYTES_MAX, face.clock()).await?;
        if content.is_empty() {
            return parse(b"{}").map(Self);
        }
        check_media_type(&head.headers)?;
        parse(&content).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).expect("invariant: answers are plain data");
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], body).into_response()
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "the body must be JSON: send `Content-Type: application/json`";
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// Reads JSON to its end. A fault is told with the path of the member that it is in.
fn parse<T: DeserializeOwned>(content: &[u8]) -> Result<T, Problem> {
    // A list would be read as the members of a struct in their order.
    if content.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Problem::new(Code::Invalid, "invalid type: expected an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(content);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_place(&error.into_inner());
        // The path of what is wrong with the body as a whole is a dot.
        if path == "." {
            Problem::new(Code::Invalid, format!("the body: {problem}"))
        } else {
            Problem::new(Code::Invalid, format!("{path}: {problem}")).at(path)
        }
    })?;
    let rest = |error| Problem::new(Code::Invalid, format!("the body: {}", without_place(&error)));
    deserializer.end().map_err(rest).map(|()| read)
}

/// What is wrong, without line and column: the path says where.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((problem, _)) if error.is_data() => problem.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Inner {
        count: u8,
    }

    fn told(text: &str) -> String {
        let problem = parse::<Outer>(text.as_bytes()).expect_err(text);
        serde_json::to_string(&problem).expect("it is plain data")
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        assert!(told(r#"{"inner":{"count":300}}"#).contains(r#""path":"inner.count""#));
        assert!(told(r#"{"inner":{"count":1,"more":2}}"#).contains(r#""path":"inner.more""#));
        assert!(told("{}").contains("missing field `inner`"));
        assert!(told(r#"{"inner":{"count":1}} x"#).contains("trailing characters"));
        assert!(told("{").contains("EOF"));
        assert!(parse::<Outer>(br#"{"inner":{"count":3}}"#).is_ok());
    }
}
