//! Calls: a request in JSON to the transport of its principal, and the reply back.

use crate::{
    server::{
        Inner,
        authorise::{self, Denied},
        body::{self, RequestBody},
        refusal::Refusal,
        reply::ReplyBody,
    },
    wire::{JSON, deadline::within, is_media_type, problem::Code, route::Route},
};
use futures::future::{BoxFuture, Either, FutureExt as _, select};
use http::{HeaderMap, HeaderValue, Response, header};
use runners_core::{
    Peer, Principal, Transport, TransportError,
    protocol::{Reply, Request},
};
use std::{sync::Arc, time::Duration};

/// How long the control plane may take beyond the park it was asked for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Carries one call out. Whatever is done before the control plane is asked is in a box of its own, so
/// that a parked call holds nothing of it: there may be ten thousand of them.
pub(super) fn answer(
    face: Arc<Inner>,
    route: Route,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: RequestBody,
) -> impl Future<Output = Result<Response<ReplyBody>, Refusal>> + Send {
    let asked = asked(face.clone(), route, headers, peer, body);
    async move {
        let Asked { request, caller, ended, patience } = match asked.await {
            Ok(asked) => *asked,
            Err(Denied::Told(refused)) => return Ok(told(&Reply::Refused(refused))),
            Err(Denied::Refused(refusal)) => return Err(refusal),
        };
        let answer = match ended {
            Some(ended) => while_good(caller.call(request), ended).boxed(),
            None => caller.call(request),
        };
        let reply = within(&*face.clock, patience, answer).await;
        let reply = reply
            .ok_or_else(|| Refusal::unavailable("the control plane did not answer in time: try again"))??;
        Ok(told(&reply))
    }
}

/// What is asked, and who passes it on.
struct Asked {
    request: Request,
    caller: Arc<dyn Transport>,
    /// When the token is no longer good, if the call waits and anybody but a session can tell.
    ended: Option<BoxFuture<'static, ()>>,
    /// How long the answer may take.
    patience: Duration,
}

/// Reads a request to its end.
fn asked(
    face: Arc<Inner>,
    route: Route,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: RequestBody,
) -> BoxFuture<'static, Result<Box<Asked>, Denied>> {
    let read = async move {
        let token = authorise::token(&headers)?;
        authorise::check_kind(&token, route.token_kinds(), route.name())?;
        if !is_media_type(headers.get(header::CONTENT_TYPE), JSON) {
            let problem = format!("send `Content-Type: {JSON}`");
            return Err(Refusal::new(Code::UnsupportedMediaType, problem).into());
        }
        let principal = authorise::principal(&face, &token, peer).await?;
        // A runner is told by its own session.
        let is_api = matches!(principal, Principal::Api { .. } | Principal::Operator);
        let mut caller = (face.callers)(principal);
        let named = authorise::tenant(&headers)?;
        let ended = is_api.then(|| face.authenticate.ended(token.expose()));
        let bytes = body::whole(body, &headers, route.bytes_max(), &*face.clock).await?;
        let mut request = decode(route, &bytes)?;
        // A body that is malformed is told to be, whomever it is about.
        if let Some(named) = named {
            (_, caller) = authorise::within(&*caller, named).await?;
        }
        request.limit_park(face.park_max);
        let ended = ended.filter(|_| !request.park_for().is_zero());
        let patience = request.park_for() + ANSWER_WITHIN;
        // What changes something is noted under the token; the others need not know of it.
        if matches!(request, Request::Cancel(_) | Request::Signal(_))
            && let Some(known) = caller.made_with(token.expose())
        {
            caller = known;
        }
        Ok(Box::new(Asked { request, caller, ended, patience }))
    };
    read.boxed()
}

fn told(reply: &Reply) -> Response<ReplyBody> {
    let json = serde_json::to_vec(reply).expect("invariant: messages are plain data with string keys");
    let mut response = Response::new(ReplyBody::bytes(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// Waits for an answer for as long as the token is good.
async fn while_good(
    answer: BoxFuture<'_, Result<Reply, TransportError>>,
    ended: BoxFuture<'static, ()>,
) -> Result<Reply, TransportError> {
    match select(answer, ended).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            Err(TransportError::Unauthorized("the token is good no longer: get another one".into()))
        }
    }
}

/// Reads the fields of a request.
fn decode(route: Route, bytes: &[u8]) -> Result<Request, Refusal> {
    // A list would be read as the fields of a struct in their order.
    if bytes.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Refusal::new(Code::Invalid, "the body is malformed: send a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match route.decode(&mut json) {
        Ok(request) if json.end().is_ok() => Ok(request),
        // To keep track of where one is costs as much again, so that is left to what is malformed.
        _ => decode_tracked(route, bytes),
    }
}

/// Reads the fields of a request, and tells which one is malformed.
fn decode_tracked(route: Route, bytes: &[u8]) -> Result<Request, Refusal> {
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

    fn problem(route: Route, body: &str) -> String {
        format!("{:?}", decode(route, body.as_bytes()).unwrap_err())
    }

    #[test]
    fn the_path_of_a_malformed_field_is_told() {
        let wait = r#"{"job":"job_00000000000000000000000000000001","park_for_ms":"soon"}"#;
        assert!(problem(Route::Wait, wait).contains("`park_for_ms` is malformed"));
        let submit = r#"{"jobs":[{"spec":"{}"},{"spec":7}]}"#;
        assert!(problem(Route::Submit, submit).contains("`jobs[1].spec` is malformed"));
    }

    #[test]
    fn a_body_that_is_no_object_or_has_a_tail_is_refused() {
        for body in ["", "7", r#"["job_00000000000000000000000000000001"]"#] {
            assert!(problem(Route::Inspect, body).contains("the body is malformed"), "{body}");
        }
        let inspect = r#"{"job":"job_00000000000000000000000000000001"} {}"#;
        assert!(problem(Route::Inspect, inspect).contains("behind the body"));
    }

    #[test]
    fn fields_that_are_not_known_are_ignored() {
        let inspect = r#"{"job":"job_00000000000000000000000000000001","colour":"red"}"#;
        assert!(decode(Route::Inspect, inspect.as_bytes()).is_ok());
    }
}
