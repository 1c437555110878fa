//! One connection to the DevTools protocol of a browser: commands out, events and answers in. What
//! they mean is `watch`'s.

use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::{net::TcpStream, sync::Mutex};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// The largest message that is read: a body, or a picture of the screen.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The capabilities in which browsers of the Chromium family say where they are, and their own.
const BROWSERS: &[(&str, &str)] = &[("goog:chromeOptions", "chrome"), ("ms:edgeOptions", "msedge")];

pub(crate) type WireError = Box<dyn Error + Send + Sync>;

/// Where the debugger of a browser listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Debugger {
    address: String,
    path: String,
}

/// A connection to a browser.
#[derive(Debug)]
pub(crate) struct Wire {
    out: Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>,
    into: Mutex<SplitStream<WebSocketStream<TcpStream>>>,
    next: AtomicU64,
}

/// What comes from a browser: an event, or the answer to a command.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    /// The number of the command that it answers.
    pub(crate) id: Option<u64>,
    /// The name of the event that it is.
    #[serde(default)]
    pub(crate) method: String,
    /// Which page it is about.
    #[serde(default, rename = "sessionId")]
    pub(crate) session: String,
    #[serde(default)]
    pub(crate) params: Value,
    /// The answer; null for a command that was refused.
    #[serde(default)]
    pub(crate) result: Value,
}

impl Debugger {
    /// The debugger of the browser that a session is in, if it is one of the Chromium family and its
    /// profile is on this machine. The file in there names a path that nobody can guess, so what listens
    /// at the same port of another machine is not taken for it.
    pub(crate) fn of(capabilities: &Map<String, Value>) -> Option<Self> {
        let (address, directory) = BROWSERS.iter().find_map(|(options, browser)| {
            let address = capabilities.get(*options)?["debuggerAddress"].as_str()?;
            Some((address, capabilities.get(*browser)?["userDataDir"].as_str()?))
        })?;
        let noted = fs::read_to_string(Path::new(directory).join("DevToolsActivePort")).ok()?;
        let (port, path) = noted.split_once('\n')?;
        let is_same = address.rsplit_once(':')?.1 == port.trim();
        is_same.then(|| Self { address: address.to_owned(), path: path.trim().to_owned() })
    }
}

impl Wire {
    pub(crate) async fn open(to: &Debugger) -> Result<Self, WireError> {
        let stream = TcpStream::connect(&to.address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let request = format!("ws://{}{}", to.address, to.path);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        let (out, into) = socket.split();
        Ok(Self { out: Mutex::new(out), into: Mutex::new(into), next: AtomicU64::new(1) })
    }

    /// Sends a command to a page, or to the browser if `session` is empty; answers its number.
    pub(crate) async fn send(&self, session: &str, method: &str, params: Value) -> Result<u64, WireError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = Value::from(session);
        }
        self.out.lock().await.send(Message::text(command.to_string())).await?;
        Ok(id)
    }

    /// The next thing that the browser says.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> Result<Said, WireError> {
        let mut into = self.into.lock().await;
        loop {
            let message = into.next().await.ok_or("the browser has hung up")??;
            if let Message::Text(text) = message {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_listened_to_only_if_its_profile_is_here_and_names_the_same_port() {
        let profile = tempfile::tempdir().unwrap();
        let capabilities = |port: u16| {
            let own = json!({ "userDataDir": profile.path() });
            let options = json!({ "debuggerAddress": format!("localhost:{port}") });
            Map::from_iter([("goog:chromeOptions".to_owned(), options), ("chrome".to_owned(), own)])
        };
        assert_eq!(Debugger::of(&capabilities(4567)), None, "a profile of another machine");
        fs::write(profile.path().join("DevToolsActivePort"), "4567\n/devtools/browser/a-b").unwrap();
        let debugger = Debugger::of(&capabilities(4567)).unwrap();
        assert_eq!((&*debugger.address, &*debugger.path), ("localhost:4567", "/devtools/browser/a-b"));
        assert_eq!(Debugger::of(&capabilities(4568)), None, "a browser of another time");
        assert_eq!(Debugger::of(&Map::new()), None);
    }
}
