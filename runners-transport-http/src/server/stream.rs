//! Live views over HTTP: a runner's request becomes a WebSocket, which the control plane's relay serves.

use crate::{
    server::{Inner, authorise, refusal::Refusal, reply::ReplyBody},
    wire::problem::Code,
};
use http::{Response, request::Parts};
use runners_core::{Error, TokenKind, live::StreamId, websocket};

/// Makes a WebSocket of a request, if it is of the runner that was asked for this stream.
pub(super) async fn answer(
    face: &Inner,
    stream: StreamId,
    mut head: Parts,
) -> Result<Response<ReplyBody>, Refusal> {
    // First, so that a proxy that leaves it out is told apart from a token that is not good.
    let upgraded = websocket::accept(&head.headers, &mut head.extensions);
    let (response, socket) = upgraded.map_err(|error| Refusal::new(Code::Invalid, error.to_string()))?;
    let token = authorise::token(&head.headers)?;
    authorise::check_kind(&token, &[TokenKind::Runner], "a live view")?;
    let principal = authorise::principal(face, &token, head.extensions.get().copied()).await?;
    drop(token);
    let live = face.live.as_ref().ok_or_else(|| {
        Refusal::new(
            Code::NotFound,
            "this server has no relay: live view is switched off, or served elsewhere",
        )
    })?;
    let admitted = live.admit(&principal, stream).map_err(|error| match error {
        Error::Refused(refused) => Refusal::new(Code::NotFound, refused.detail),
        error => Refusal::unavailable(error.to_string()),
    })?;
    admitted.serve(socket);
    Ok(response.map(|()| ReplyBody::bytes("")))
}
