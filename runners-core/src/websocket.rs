//! WebSockets as [`Socket`]s: what faces and clients that speak HTTP share of live views. Who may connect, and to
//! what, is left to them.

use crate::{
    seams::relay::{Piece, Socket, SocketError},
    values::relay::PICTURE_BYTES_MAX,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt as _, StreamExt as _, future};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::{fmt, future::Future};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// The version of the protocol (RFC 6455).
const VERSION: &str = "13";
/// How many bytes a client draws for its key.
pub const KEY_BYTES: usize = 16;
/// How many bytes of messages may wait to be written: the largest picture, and small messages beside it.
const WAITING_BYTES_MAX: usize = PICTURE_BYTES_MAX + (1 << 20);

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeError {
    problem: &'static str,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl std::error::Error for UpgradeError {}

/// Turns a request, of which these are the headers and extensions, into a WebSocket: what it is answered, and the
/// socket, which is there once the answer has been sent.
///
/// # Errors
/// An [`UpgradeError`] if it does not ask for a WebSocket as HTTP/1.1 does, or the server carries none.
pub fn accept(
    headers: &HeaderMap,
    extensions: &mut Extensions,
) -> Result<
    (Response<()>, impl Future<Output = Result<Socket, SocketError>> + Send + 'static + use<>),
    UpgradeError,
> {
    let refuse = |problem| Err(UpgradeError { problem });
    if !names(headers, &header::CONNECTION, "upgrade") || !names(headers, &header::UPGRADE, "websocket") {
        return refuse(
            "this is a WebSocket: send `Connection: upgrade` and `Upgrade: websocket` over HTTP/1.1, \
                       through every proxy in between",
        );
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return refuse("send `Sec-WebSocket-Version: 13`");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else { return refuse("send `Sec-WebSocket-Key`") };
    let Some(upgrade) = extensions.remove::<OnUpgrade>() else {
        return refuse("this server does not carry WebSockets: serve it over HTTP/1.1, with upgrades");
    };
    let accepted =
        HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 is good in a header");
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accepted)
        .body(())
        .expect("each of these is good in a header");
    let socket = async move {
        let io = upgrade.await.map_err(|error| SocketError(error.into()))?;
        Ok(over(TokioIo::new(io), Role::Server).await)
    };
    Ok((response, socket))
}

/// What a client asks with, given the bytes that it has drawn.
#[must_use]
pub fn asking(drawn: [u8; KEY_BYTES]) -> HeaderMap {
    let key = HeaderValue::try_from(STANDARD.encode(drawn)).expect("base64 is good in a header");
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
        (header::SEC_WEBSOCKET_KEY, key),
    ];
    headers.into_iter().collect()
}

/// Whether an answer to what was [asked](asking) makes it a WebSocket.
#[must_use]
pub fn is_accepted(drawn: [u8; KEY_BYTES], headers: &HeaderMap) -> bool {
    let expected = derive_accept_key(STANDARD.encode(drawn).as_bytes());
    headers
        .get(header::SEC_WEBSOCKET_ACCEPT)
        .is_some_and(|accepted| accepted.as_bytes() == expected.as_bytes())
}

/// A client's end of a connection that has become a WebSocket.
pub async fn connected(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Socket {
    over(io, Role::Client).await
}

async fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, role: Role) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(PICTURE_BYTES_MAX))
        .max_frame_size(Some(PICTURE_BYTES_MAX))
        .max_write_buffer_size(WAITING_BYTES_MAX);
    let (sink, stream) = WebSocketStream::from_raw_socket(io, role, Some(config)).await.split();
    let sink = sink.sink_map_err(|error| SocketError(error.into()));
    let sink = sink.with(|piece| future::ready(Ok::<_, SocketError>(message(piece))));
    let stream = stream.filter_map(|message| {
        future::ready(match message {
            Ok(Message::Text(text)) => Some(Ok(Piece::Text(text.as_str().to_owned()))),
            Ok(Message::Binary(bytes)) => Some(Ok(Piece::Bytes(bytes))),
            Ok(Message::Ping(_) | Message::Pong(_)) => Some(Ok(Piece::Ping)),
            // What follows is the end.
            Ok(Message::Close(_) | Message::Frame(_)) => None,
            Err(error) => Some(Err(SocketError(error.into()))),
        })
    });
    Socket::new(sink, stream)
}

fn message(piece: Piece) -> Message {
    match piece {
        Piece::Text(text) => Message::Text(text.into()),
        Piece::Bytes(bytes) => Message::Binary(bytes),
        Piece::Ping => Message::Ping(Default::default()),
    }
}

/// Whether a header that holds a list names something, whatever the case of its letters.
fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_ask_for_a_websocket_is_told_what_is_missing() {
        let drawn = [7; KEY_BYTES];
        let refused = |headers: &HeaderMap| match accept(headers, &mut Extensions::new()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it cannot be accepted"),
        };
        assert!(refused(&asking(drawn)).contains("does not carry"));
        for name in
            [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_VERSION, header::SEC_WEBSOCKET_KEY]
        {
            let mut headers = asking(drawn);
            headers.remove(&name);
            assert!(!refused(&headers).contains("does not carry"), "{name}");
        }
    }

    #[test]
    fn an_answer_is_checked_against_the_key() {
        // The example of RFC 6455, section 1.3.
        let drawn: [u8; KEY_BYTES] = STANDARD.decode("dGhlIHNhbXBsZSBub25jZQ==").unwrap().try_into().unwrap();
        let accepted =
            (header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let headers: HeaderMap = [accepted].into_iter().collect();
        assert!(is_accepted(drawn, &headers) && !is_accepted([0; KEY_BYTES], &headers));
        assert!(!is_accepted(drawn, &HeaderMap::new()));
    }

    #[tokio::test]
    async fn pieces_travel_over_a_websocket_and_it_ends_with_either_side() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (mut near, mut far) = (over(near, Role::Server).await, connected(far).await);
        for piece in [Piece::Text("a".into()), Piece::Bytes(bytes::Bytes::from_static(b"b")), Piece::Ping] {
            near.sink.send(piece.clone()).await.unwrap();
            assert_eq!(far.stream.next().await.unwrap().unwrap(), piece);
        }
        far.sink.close().await.unwrap();
        while let Some(piece) = near.stream.next().await {
            assert_eq!(piece.unwrap(), Piece::Ping, "it answers a ping, and nothing else");
        }
    }
}
