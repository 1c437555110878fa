//! One WebSocket to a browser, in WebDriver BiDi or the DevTools protocol: commands with their answers,
//! and the events between. It reads only while somebody waits for an answer, so nothing runs in the
//! background.

use crate::browser::BrowserError;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

/// The largest message of a browser: the source of a page, or a picture.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// A connection that commands are sent over one after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: WebSocketStream<TcpStream>,
    last: u64,
}

/// What a browser tells by itself.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// What comes next over the connection.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The answer to the command of this number.
    Answer(u64, Result<Value, Refusal>),
    Event(Event),
}

/// Why a browser did not carry out a command.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The error code of WebDriver BiDi; the DevTools protocol has none.
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
struct Incoming {
    id: Option<u64>,
    #[serde(default)]
    result: Value,
    /// A code with the message beside it, or an object with both.
    error: Option<Value>,
    #[serde(default)]
    message: String,
    method: Option<String>,
    #[serde(default)]
    params: Value,
}

impl Connection {
    /// Connects to a browser that listens on a port of this machine.
    pub(crate) async fn open(port: u16, path: &str) -> Result<Self, Error> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        // Commands are small, and each is waited for.
        stream.set_nodelay(true)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let url = format!("ws://127.0.0.1:{port}/{path}");
        let (stream, _) = client_async_with_config(url, stream, Some(limits)).await?;
        Ok(Self { stream, last: 0 })
    }

    /// Sends a command and waits for its answer, past everything else.
    pub(crate) async fn ask(&mut self, method: &str, params: &Value) -> Result<Value, BrowserError> {
        let number = self.send(method, params).await?;
        loop {
            match self.next().await? {
                Heard::Answer(answered, answer) if answered == number => {
                    return answer
                        .map_err(|Refusal { code, message }| BrowserError::Refused { code, message });
                }
                Heard::Answer(..) | Heard::Event(_) => {}
            }
        }
    }

    /// Sends a command and answers its number.
    pub(crate) async fn send(&mut self, method: &str, params: &Value) -> Result<u64, BrowserError> {
        self.last += 1;
        let command = json!({ "id": self.last, "method": method, "params": params });
        self.stream.send(Message::text(command.to_string())).await.map_err(|error| gone(&error))?;
        Ok(self.last)
    }

    /// Waits for what comes next. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Heard, BrowserError> {
        loop {
            let message = self.stream.next().await;
            if let Some(heard) = read(message)? {
                return Ok(heard);
            }
        }
    }

    /// What has come already, if anything has.
    pub(crate) fn waiting(&mut self) -> Result<Option<Heard>, BrowserError> {
        while let Some(message) = self.stream.next().now_or_never() {
            if let Some(heard) = read(message)? {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }
}

/// Reads one message; one that is no text says nothing.
fn read(message: Option<Result<Message, Error>>) -> Result<Option<Heard>, BrowserError> {
    let text = match message {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Close(_))) | None => {
            return Err(BrowserError::Gone { source: "it closed the connection".into() });
        }
        Some(Ok(_)) => return Ok(None),
        Some(Err(error)) => return Err(gone(&error)),
    };
    let incoming: Incoming = serde_json::from_str(&text)
        .map_err(|error| BrowserError::Gone { source: error.to_string().into() })?;
    let Incoming { id, result, error, message, method, params } = incoming;
    Ok(match (id, error, method) {
        (Some(id), None, _) => Some(Heard::Answer(id, Ok(result))),
        (Some(id), Some(error), _) => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let refusal = if error.is_object() {
                Refusal { code: "unknown error".to_owned(), message: text(&error["message"]) }
            } else {
                Refusal { code: text(&error), message }
            };
            Some(Heard::Answer(id, Err(refusal)))
        }
        (None, _, Some(method)) => Some(Heard::Event(Event { method, params })),
        (None, ..) => None,
    })
}

fn gone(error: &Error) -> BrowserError {
    BrowserError::Gone { source: error.to_string().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Heard {
        read(Some(Ok(Message::text(text)))).unwrap().unwrap()
    }

    #[test]
    fn answers_refusals_and_events_are_told_apart() {
        let answer = heard(r#"{"type": "success", "id": 3, "result": {"a": 1}}"#);
        assert!(matches!(answer, Heard::Answer(3, Ok(result)) if result == json!({ "a": 1 })));
        let refused = heard(r#"{"type": "error", "id": 4, "error": "no such frame", "message": "m"}"#);
        assert!(matches!(refused, Heard::Answer(4, Err(refusal)) if refusal.code == "no such frame"));
        let refused = heard(r#"{"id": 5, "error": {"code": -32000, "message": "not allowed"}}"#);
        assert!(matches!(refused, Heard::Answer(5, Err(refusal)) if refusal.message == "not allowed"));
        let event = heard(r#"{"type": "event", "method": "log.entryAdded", "params": {"b": 2}}"#);
        assert!(
            matches!(event, Heard::Event(event) if event.method == "log.entryAdded" && event.params["b"] == 2)
        );
        assert!(matches!(read(None), Err(BrowserError::Gone { .. })), "the end is no answer");
    }
}
