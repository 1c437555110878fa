//! Live views over HTTP: a runner's request becomes a WebSocket, which the control plane's relay serves; and so does
//! that of another control plane, which leads somebody here.

use crate::{
    server::{Inner, authorise, refusal::Refusal, reply::ReplyBody},
    wire::problem::Code,
};
use http::{Response, request::Parts};
use runners_core::{
    Error, TokenKind,
    live::{LiveHub, Socket, SocketError, StreamId},
    protocol::RefusalCode,
    websocket,
};

/// Makes a WebSocket of a request, if it is of the runner that was asked for this stream.
pub(super) async fn answer(
    face: &Inner,
    stream: StreamId,
    mut head: Parts,
) -> Result<Response<ReplyBody>, Refusal> {
    let (response, socket) = upgrade(&mut head)?;
    let token = authorise::token(&head.headers)?;
    authorise::check_kind(&token, &[TokenKind::Runner], "a live view")?;
    let principal = authorise::principal(face, &token, head.extensions.get().copied()).await?;
    drop(token);
    let admitted = live(face)?.admit(&principal, stream).await.map_err(refused)?;
    admitted.serve(socket);
    Ok(response.map(|()| ReplyBody::bytes("")))
}

/// Makes a WebSocket of a request, if another control plane on the same store leads somebody here.
pub(super) async fn lead(face: &Inner, mut head: Parts) -> Result<Response<ReplyBody>, Refusal> {
    let (response, socket) = upgrade(&mut head)?;
    let pass = authorise::token(&head.headers)?;
    let passage = live(face)?.pass(&pass).await.map_err(refused)?;
    passage.serve(socket);
    Ok(response.map(|()| ReplyBody::bytes("")))
}

/// What becomes a WebSocket. It comes before the token, so that a proxy that leaves out what asks for it is told
/// apart from a token that is not good.
fn upgrade(
    head: &mut Parts,
) -> Result<(Response<()>, impl Future<Output = Result<Socket, SocketError>> + Send + 'static + use<>), Refusal>
{
    let upgraded = websocket::accept(&head.headers, &mut head.extensions);
    upgraded.map_err(|error| Refusal::new(Code::Invalid, error.to_string()))
}

fn live(face: &Inner) -> Result<&LiveHub, Refusal> {
    face.live.as_ref().ok_or_else(|| {
        let detail = "this server has no relay: live view is switched off, or served elsewhere";
        Refusal::new(Code::NotFound, detail)
    })
}

fn refused(error: Error) -> Refusal {
    match error {
        Error::Refused(refused) if refused.code == RefusalCode::Forbidden => {
            Refusal::unauthorized(refused.detail)
        }
        Error::Refused(refused) => Refusal::new(Code::NotFound, refused.detail),
        error => Refusal::unavailable(error.to_string()),
    }
}
