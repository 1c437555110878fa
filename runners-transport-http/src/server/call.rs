//! Calls: a request in JSON to the transport of its principal, and the reply back.

use crate::{
    server::{
        Inner,
        attempts::Peer,
        authorise,
        body::{self, RequestBody},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{JSON, deadline::within, is_media_type, problem::Code, route::Route},
};
use http::{HeaderMap, HeaderValue, Response, header};
use runners_core::protocol::Request;
use std::time::Duration;

/// How long the control plane may take beyond the park it was asked for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Carries one call out.
pub(super) async fn answer(
    face: &Inner,
    route: Route,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: RequestBody,
) -> Result<Response<ReplyBody>, Refusal> {
    let token = authorise::token(&headers)?;
    authorise::check_kind(&token, route.token_kinds(), route.name())?;
    if !is_media_type(headers.get(header::CONTENT_TYPE), JSON) {
        return Err(Refusal::new(Code::UnsupportedMediaType, format!("send `Content-Type: {JSON}`")));
    }
    let principal = authorise::principal(face, &token, peer).await?;
    drop(token);
    let bytes = Box::pin(body::whole(body, &headers, route.bytes_max(), &*face.clock)).await?;
    let mut request = decode(route, &bytes)?;
    // Nothing of what was read is kept while the call is parked: there may be ten thousand of them.
    drop((bytes, headers));
    request.limit_park(face.park_max);
    let patience = request.park_for() + ANSWER_WITHIN;
    let caller = (face.callers)(principal);
    let reply = within(&*face.clock, patience, caller.call(request)).await;
    let reply = reply
        .ok_or_else(|| Refusal::unavailable("the control plane did not answer in time: try again"))??;
    let json = serde_json::to_vec(&reply).expect("invariant: messages are plain data with string keys");
    let mut response = Response::new(ReplyBody::bytes(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}

/// Reads the fields of a request, and tells which one is malformed.
fn decode(route: Route, bytes: &[u8]) -> Result<Request, Refusal> {
    // A list would be read as the fields of a struct in their order.
    if bytes.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Refusal::new(Code::Invalid, "the body is malformed: send a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let fields = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let request = route.decode(fields).map_err(|error| {
        let path = track.path();
        // Nothing but a lone dot: it is the body as a whole that is malformed.
        let place = if path.iter().next().is_none() { "the body".into() } else { format!("`{path}`") };
        Refusal::new(Code::Invalid, format!("{place} is malformed: {error}"))
    })?;
    let rest = |error| Refusal::new(Code::Invalid, format!("something stands behind the body: {error}"));
    json.end().map_err(rest)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(route: Route, body: &str) -> String {
        format!("{:?}", decode(route, body.as_bytes()).unwrap_err())
    }

    #[test]
    fn the_path_of_a_malformed_field_is_told() {
        let wait = r#"{"job":"job_00000000000000000000000000000001","park_for_ms":"soon"}"#;
        assert!(told(Route::Wait, wait).contains("`park_for_ms` is malformed"));
        let submit = r#"{"jobs":[{"spec":"{}"},{"spec":7}]}"#;
        assert!(told(Route::Submit, submit).contains("`jobs[1].spec` is malformed"));
    }

    #[test]
    fn a_body_that_is_no_object_or_has_a_tail_is_refused() {
        for body in ["", "7", r#"["job_00000000000000000000000000000001"]"#] {
            assert!(told(Route::Inspect, body).contains("the body is malformed"), "{body}");
        }
        let inspect = r#"{"job":"job_00000000000000000000000000000001"} {}"#;
        assert!(told(Route::Inspect, inspect).contains("behind the body"));
    }

    #[test]
    fn fields_that_are_not_known_are_ignored() {
        let inspect = r#"{"job":"job_00000000000000000000000000000001","colour":"red"}"#;
        assert!(decode(Route::Inspect, inspect.as_bytes()).is_ok());
    }
}
