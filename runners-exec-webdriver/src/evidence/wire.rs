//! One connection to a browser beside the commands of its session: commands out, events and answers in. What
//! they mean is `watch`'s.

use crate::browser::side_channel::{SideChannel, Socket};
use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;

pub(crate) type WireError = Box<dyn Error + Send + Sync>;

/// A connection to a browser.
#[derive(Debug)]
pub(crate) struct Wire {
    out: Mutex<SplitSink<Socket, Message>>,
    into: Mutex<SplitStream<Socket>>,
    next: AtomicU64,
}

/// The parameters of `Target.setAutoAttach` that have a browser hold everything new until it is let go of. Without a
/// filter: what runs in the background of a page is held although a filter leaves it out, and then nobody is told of it
/// who could let it go.
pub(crate) fn hold_new() -> Value {
    json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })
}

/// Whether what `Target.attachedToTarget` tells of is a page, or a frame of a process of its own. All else is only let
/// go of.
pub(crate) fn is_page_or_frame(attached: &Value) -> bool {
    ["page", "iframe"].iter().any(|kind| attached["targetInfo"]["type"] == *kind)
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
    /// Why a command was refused.
    #[serde(default)]
    pub(crate) error: Value,
}

impl Said {
    /// The answer to a command, or why it was refused.
    pub(crate) fn done(self) -> Result<Value, String> {
        // WebDriver BiDi has a code there, and the message beside it.
        let why = self.error["message"].as_str().or(self.error.as_str());
        why.map(str::to_owned).map_or(Ok(self.result), Err)
    }
}

impl Wire {
    pub(crate) async fn open(to: &SideChannel) -> Result<Self, WireError> {
        let (out, into) = to.connect().await?.split();
        Ok(Self { out: Mutex::new(out), into: Mutex::new(into), next: AtomicU64::new(1) })
    }

    /// Sends a command to a page, or to the browser if `session` is empty; answers its number.
    pub(crate) async fn send(&self, session: &str, method: &str, params: Value) -> Result<u64, WireError> {
        let (id, command) = self.command(session, method, &params);
        self.out.lock().await.send(command).await?;
        Ok(id)
    }

    /// Sends commands one after the other, waiting for no answer between them; answers their numbers.
    ///
    /// # Cancel safety
    /// Dropping the future leaves all of them sent, or none, as long as they fit into a hundred kilobytes.
    pub(crate) async fn send_all(
        &self,
        session: &str,
        commands: impl IntoIterator<Item = (&str, Value)>,
    ) -> Result<BTreeSet<u64>, WireError> {
        let mut out = self.out.lock().await;
        let mut ids = BTreeSet::new();
        for (method, params) in commands {
            let (id, command) = self.command(session, method, &params);
            out.feed(command).await?;
            ids.insert(id);
        }
        out.flush().await?;
        Ok(ids)
    }

    fn command(&self, session: &str, method: &str, params: &Value) -> (u64, Message) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = Value::from(session);
        }
        (id, Message::text(command.to_string()))
    }

    /// Sends a command and waits for its answer, past everything else. One that is refused answers why.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the command carried out or not.
    pub(crate) async fn ask(
        &self,
        session: &str,
        method: &str,
        params: Value,
    ) -> Result<Result<Value, String>, WireError> {
        let id = self.send(session, method, params).await?;
        loop {
            let said = self.next().await?;
            if said.id == Some(id) {
                return Ok(said.done());
            }
        }
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
